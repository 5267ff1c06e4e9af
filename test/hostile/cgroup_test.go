//go:build hostile && linux

package hostile

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

const cgroupMount = "/sys/fs/cgroup"

// cgroup is a control group with a bound on memory, of either version of the interface (cgroups(7)).
type cgroup struct {
	dir     string
	unified bool
}

// newCgroup makes a group that may use limit bytes and no swap. It wants root.
func newCgroup(limit int64) (*cgroup, error) {
	root, unified, err := memoryRoot()
	if err != nil {
		return nil, err
	}
	sweep(root)
	g := &cgroup{dir: filepath.Join(root, fmt.Sprintf("%s%d", cgroupPrefix, os.Getpid())), unified: unified}
	if err := os.Mkdir(g.dir, 0o755); err != nil {
		return nil, fmt.Errorf("make a control group, which takes root and a writable %s: %w", root, err)
	}
	if err := g.bound(limit); err != nil {
		return nil, errors.Join(err, g.remove())
	}
	return g, nil
}

const cgroupPrefix = "llmservice-hostile-"

// sweep removes the groups of runs that were killed. One that is in use stays: the kernel refuses.
func sweep(root string) {
	left, _ := filepath.Glob(filepath.Join(root, cgroupPrefix+"*"))
	for _, dir := range left {
		_ = syscall.Rmdir(dir)
	}
}

func memoryRoot() (root string, unified bool, err error) {
	if controllers, err := os.ReadFile(filepath.Join(cgroupMount, "cgroup.controllers")); err == nil {
		if !bytes.Contains(controllers, []byte("memory")) {
			return "", true, fmt.Errorf("%s does not have the controller memory, only %q", cgroupMount, controllers)
		}
		if err := os.WriteFile(filepath.Join(cgroupMount, "cgroup.subtree_control"), []byte("+memory"), 0); err != nil {
			return "", true, fmt.Errorf("pass the controller memory on: %w", err)
		}
		return cgroupMount, true, nil
	}
	root = filepath.Join(cgroupMount, "memory")
	if _, err := os.Stat(filepath.Join(root, "cgroup.procs")); err != nil {
		return "", false, fmt.Errorf("there are no control groups for memory on %s: %w", cgroupMount, err)
	}
	return root, false, nil
}

func (g *cgroup) bound(limit int64) error {
	if g.unified {
		_ = g.write("memory.swap.max", 0) // absent where the kernel does not count swap
		return g.write("memory.max", limit)
	}
	if err := g.write("memory.limit_in_bytes", limit); err != nil {
		return err
	}
	// A little more, so that the bound without swap is reached first: the kernel counts that one alone.
	_ = g.write("memory.memsw.limit_in_bytes", limit+mebi)
	return nil
}

func (g *cgroup) write(file string, value int64) error {
	if err := os.WriteFile(filepath.Join(g.dir, file), strconv.AppendInt(nil, value, 10), 0); err != nil {
		return fmt.Errorf("set %s: %w", file, err)
	}
	return nil
}

// command is a command that runs in the group from its first byte of memory on, at the given niceness.
func (g *cgroup) command(nice int, program string, args ...string) (*exec.Cmd, func(), error) {
	polite := append([]string{"-n", strconv.Itoa(base + nice - niceness()), program}, args...)
	if g.unified {
		dir, err := os.Open(g.dir)
		if err != nil {
			return nil, nil, fmt.Errorf("open the control group: %w", err)
		}
		cmd := exec.Command("nice", polite...)
		cmd.SysProcAttr = &syscall.SysProcAttr{UseCgroupFD: true, CgroupFD: int(dir.Fd()), Pdeathsig: syscall.SIGKILL}
		return cmd, func() { _ = dir.Close() }, nil
	}
	join := `echo $$ >"$0" && exec nice "$@"`
	cmd := exec.Command("sh", append([]string{"-c", join, filepath.Join(g.dir, "cgroup.procs")}, polite...)...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	return cmd, func() {}, nil
}

// memory is what a group has used.
type memory struct {
	// now and peak are bytes: of this moment, and the most since the last reset, or sampling.
	now, peak int64
	// full counts how often the bound was reached, kills the processes that the kernel killed for it.
	full, kills int64
}

func (g *cgroup) memory() memory {
	if g.unified {
		m := memory{now: g.read("memory.current"), peak: g.read("memory.peak")}
		m.full, m.kills = g.field("memory.events", "max"), g.field("memory.events", "oom_kill")
		return m
	}
	return memory{
		now: g.read("memory.usage_in_bytes"), peak: g.read("memory.max_usage_in_bytes"),
		full: g.read("memory.failcnt"), kills: g.field("memory.oom_control", "oom_kill"),
	}
}

// since is what has happened after an earlier reading.
func (m memory) since(before memory, limit int64) memory {
	m.full, m.kills = m.full-before.full, m.kills-before.kills
	if m.peak >= limit && m.peak > before.peak {
		m.full = max(1, m.full)
	}
	return m
}

// forget makes the peak begin anew where the interface can; with version 2 it is that of the whole run.
func (g *cgroup) forget() {
	if !g.unified {
		_ = g.write("memory.max_usage_in_bytes", 0)
	}
}

func (g *cgroup) read(file string) int64 {
	text, err := os.ReadFile(filepath.Join(g.dir, file))
	if err != nil {
		return 0
	}
	n, _ := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64)
	return n
}

func (g *cgroup) field(file, name string) int64 {
	text, _ := os.ReadFile(filepath.Join(g.dir, file))
	for line := range strings.Lines(string(text)) {
		if fields := strings.Fields(line); len(fields) == 2 && fields[0] == name {
			n, _ := strconv.ParseInt(fields[1], 10, 64)
			return n
		}
	}
	return 0
}

// remove removes the group, whose processes have ended: the kernel lets go of it a moment later.
func (g *cgroup) remove() error {
	deadline := time.Now().Add(5 * time.Second)
	for {
		err := syscall.Rmdir(g.dir)
		if err == nil || !errors.Is(err, syscall.EBUSY) || time.Now().After(deadline) {
			return err
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// niceness is that of this process: getpriority(2) gives 20 less it.
func niceness() int {
	raw, err := syscall.Getpriority(syscall.PRIO_PROCESS, 0)
	if err != nil {
		return 0
	}
	return 20 - raw
}
