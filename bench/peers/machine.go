package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// machine is what a run takes place on, and how its cores are divided.
type machine struct {
	cores int
	// peer is the core of the peers; -1 if there is only one core, which everything shares.
	peer int
	// before is the load average before the run.
	before string
}

// pin gives the last core to the peers, and keeps this process on the others.
func pin() machine {
	files()
	var all unix.CPUSet
	m := machine{cores: runtime.NumCPU(), peer: -1, before: loadAverage()}
	if err := unix.SchedGetaffinity(0, &all); err != nil || all.Count() < 2 {
		return m
	}
	for core := range len(all) * 64 {
		if all.IsSet(core) {
			m.peer = core
		}
	}
	all.Clear(m.peer)
	runtime.GOMAXPROCS(all.Count())
	for range 2 { // a thread that was started meanwhile is there the second time
		threads, _ := filepath.Glob("/proc/self/task/*")
		for _, thread := range threads {
			if id, err := strconv.Atoi(filepath.Base(thread)); err == nil {
				_ = unix.SchedSetaffinity(id, &all)
			}
		}
	}
	return m
}

// confine has a program run on the core of the peers.
func (m machine) confine(cmd *exec.Cmd) {
	taskset, err := exec.LookPath("taskset")
	if m.peer < 0 || err != nil {
		return
	}
	cmd.Args = slices.Concat([]string{taskset, "-c", strconv.Itoa(m.peer), cmd.Path}, cmd.Args[1:])
	cmd.Path = taskset
}

// String describes the machine.
func (m machine) String() string {
	var name unix.Utsname
	_ = unix.Uname(&name)
	model := "an unknown processor"
	info, _ := os.ReadFile("/proc/cpuinfo")
	if _, rest, found := strings.Cut(string(info), "model name"); found {
		line, _, _ := strings.Cut(rest, "\n")
		model = strings.TrimSpace(strings.TrimLeft(line, "\t :"))
	}
	cores := fmt.Sprintf("%d cores of %s, the last for the peer alone", m.cores, model)
	if m.peer < 0 {
		cores = "one core of " + model + ", shared by all"
	}
	return fmt.Sprintf("%s; Linux %s; load average before the run %s", cores, unix.ByteSliceToString(name.Release[:]), m.before)
}

// loadAverage is that of the last minute.
func loadAverage() string {
	text, _ := os.ReadFile("/proc/loadavg")
	average, _, _ := strings.Cut(string(text), " ")
	return average
}
