//go:build e2e && linux

package cluster_test

import (
	"bytes"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// process is what /proc shows of one.
type process struct {
	state   string // of proc(5): R, S, Z …
	parent  string
	command string
	ours    bool // it mentions the cluster, or is in its network namespace
}

// processes lists all that run, and all that have ended and were not waited for.
func (c *cluster) processes(t *testing.T) map[string]process {
	t.Helper()
	dirs, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		t.Fatal(err)
	}
	namespace, err := os.Stat("/run/netns/" + c.netns)
	if err != nil {
		namespace = nil
	}
	found := map[string]process{}
	for _, dir := range dirs {
		stat, err := os.ReadFile(dir + "/stat")
		if err != nil {
			continue // it has just ended
		}
		open, closing := bytes.IndexByte(stat, '('), bytes.LastIndexByte(stat, ')')
		fields := strings.Fields(string(stat[closing+1:]))
		p := process{state: fields[0], parent: fields[1], command: string(stat[open+1 : closing])}
		for _, file := range []string{"cmdline", "environ"} {
			text, _ := os.ReadFile(filepath.Join(dir, file))
			p.ours = p.ours || bytes.Contains(text, []byte(c.state))
		}
		if ns, err := os.Stat(dir + "/ns/net"); err == nil && namespace != nil {
			p.ours = p.ours || os.SameFile(ns, namespace)
		}
		found[filepath.Base(dir)] = p
	}
	return found
}

// zombies are the ended processes whose parent is the machine's first process.
func zombies(all map[string]process) []string {
	return slices.Sorted(func(yield func(string) bool) {
		for pid, p := range all {
			if p.state == "Z" && p.parent == "1" && !yield(pid+" "+p.command) {
				return
			}
		}
	})
}

// machine is what a cluster could leave changed.
type machine struct {
	Mounts, Cgroups []string
	Paths           map[string]bool   // whether they exist
	Settings        map[string]string // of the kernel
}

func (c *cluster) machine(t *testing.T) machine {
	t.Helper()
	m := machine{Paths: map[string]bool{}, Settings: map[string]string{}}
	mounts, err := os.ReadFile("/proc/mounts")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(mounts)) {
		if strings.Contains(line, c.state) || strings.Contains(line, c.netns) {
			m.Mounts = append(m.Mounts, line)
		}
	}
	for _, pattern := range []string{"/sys/fs/cgroup/*k8s*", "/sys/fs/cgroup/*/*k8s*"} {
		dirs, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		m.Cgroups = append(m.Cgroups, slices.DeleteFunc(dirs, func(dir string) bool {
			return filepath.Base(dir) != "llmservice-k8s-"+c.netns && filepath.Base(dir) != "k8s.io"
		})...)
	}
	for _, path := range []string{
		c.state, "/run/netns/" + c.netns, "/run/containerd", "/var/lib/cni", "/var/lib/kubelet",
		"/var/log/pods", "/var/log/containers", "/opt/containerd", "/usr/libexec/kubernetes",
	} {
		_, err := os.Stat(path)
		m.Paths[path] = err == nil
	}
	for _, name := range []string{"vm/overcommit_memory", "kernel/panic", "kernel/panic_on_oops", "kernel/keys/root_maxkeys"} {
		value, err := os.ReadFile("/proc/sys/" + name)
		if err != nil {
			t.Fatal(err)
		}
		m.Settings[name] = string(value)
	}
	return m
}

// leavesNothing compares the machine with what it was. Where the first process
// of the machine does not wait for orphans, a supervisor that has ended stays
// in the process list: allowed are as many as there were supervisors, and
// nothing else.
func (c *cluster) leavesNothing(t *testing.T, before machine, zombiesBefore []string, supervisors int) {
	t.Helper()
	after := c.processes(t)
	for pid, p := range after {
		if p.ours && p.state != "Z" {
			t.Errorf("process %s (%s) is left", pid, p.command)
		}
	}
	var fresh []string
	for _, z := range zombies(after) {
		if !slices.Contains(zombiesBefore, z) && strings.HasSuffix(z, " cluster") {
			fresh = append(fresh, z)
		}
	}
	if len(fresh) > supervisors {
		t.Errorf("%d supervisors left %d ended processes: %v", supervisors, len(fresh), fresh)
	}
	if diff := cmp.Diff(before, c.machine(t)); diff != "" {
		t.Errorf("the machine is not as it was: %s", diff)
	}
}

// only returns the id of the one process that match is true of.
func (c *cluster) only(t *testing.T, what string, match func(process, string) bool) string {
	t.Helper()
	var found []string
	for pid, p := range c.processes(t) {
		cmdline, _ := os.ReadFile(fmt.Sprintf("/proc/%s/cmdline", pid))
		if p.ours && match(p, strings.ReplaceAll(string(cmdline), "\x00", " ")) {
			found = append(found, pid)
		}
	}
	if len(found) != 1 {
		t.Fatalf("%d processes are %s: %v", len(found), what, slices.Collect(maps.Keys(c.processes(t))))
	}
	return found[0]
}
