//go:build e2e && linux

// Package cluster_test brings a second cluster up beside any other, uses it,
// breaks it, and looks for what is left of it afterwards.
package cluster_test

import (
	"bufio"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

func TestCluster(t *testing.T) {
	c := newCluster(t)
	c.must(t, "down")
	before, zombiesBefore := c.machine(t), zombies(c.processes(t))

	c.must(t, "up")
	wantContains(t, c.must(t, "up"), "the cluster is up already")
	t.Run("pods run and find each other", podsRun(c))
	t.Run("resource metrics are measured", metricsMeasured(c))
	t.Run("exec hands the exit code on", execCodes(c))
	t.Run("another cluster cannot take its network", netnsIsTaken(c))
	t.Run("the death of a daemon is reported", deathReported(c))
	c.must(t, "down")
	wantContains(t, c.must(t, "down"), "no cluster was up")
	c.leavesNothing(t, before, zombiesBefore, 1)
}

// TestSeveralNodes runs pods on two nodes that find each other, and stops one of the nodes.
func TestSeveralNodes(t *testing.T) {
	c := newCluster(t)
	c.must(t, "down")
	before, zombiesBefore := c.machine(t), zombies(c.processes(t))

	c.must(t, "up", "--nodes", "2")
	wantContains(t, c.must(t, "up", "--nodes", "2"), "the cluster is up already")
	if code, out := c.try(t, "up"); code != 1 || !strings.Contains(out, "up with 2 nodes, want 1") {
		t.Errorf("up with another number of nodes: exit code %d", code)
	}
	t.Run("pods run and find each other", podsRun(c))
	t.Run("on both nodes", func(t *testing.T) {
		out := c.must(t, "exec", "--", "kubectl", "get", "pods", "-l", "app=probe", "-o",
			`jsonpath={range .items[?(@.spec.containers[0].image=="local/probe:2")]}{.metadata.name} {.spec.nodeName} {.status.podIP}{"\n"}{end}`)
		wantContains(t, out, " node1 ")
		wantContains(t, out, " node2 ")
		for from := range strings.Lines(out) {
			for to := range strings.Lines(out) {
				pod, address := strings.Fields(from)[0], strings.Fields(to)[2]
				wantContains(t, c.must(t, "exec", "--", "kubectl", "exec", pod, "--", "/probe", "get", "http://"+address+":8080/"),
					"served by user")
			}
		}
	})
	t.Run("a node can be stopped", func(t *testing.T) {
		wantContains(t, c.must(t, "stop-node", "node2"), "node2 is stopped")
		eventually(t, "the cluster misses it", func() bool {
			code, out := c.try(t, "exec", "--", "kubectl", "get", "node", "node2", "--no-headers")
			return code == 0 && strings.Contains(out, "NotReady") && strings.Contains(out, "node2 died at ")
		})
		if code, out := c.try(t, "stop-node", "node1"); code != 1 || !strings.Contains(out, "one of: node2") {
			t.Errorf("stop-node of the first node: exit code %d", code)
		}
	})
	c.must(t, "down")
	c.leavesNothing(t, before, zombiesBefore, 1)
}

// TestDownAfterACrash takes down what a SIGKILL, of the supervisor or of an up
// in progress, has left.
func TestDownAfterACrash(t *testing.T) {
	c := newCluster(t)
	c.must(t, "down")
	before, zombiesBefore := c.machine(t), zombies(c.processes(t))

	startAndKillUp(t, c)
	c.must(t, "down")
	c.leavesNothing(t, before, zombiesBefore, 1)

	startAndKillUp(t, c)
	c.must(t, "up") // replaces the half of a cluster that is there
	killSupervisor(t, c)
	if code, out := c.try(t, "exec", "--", "true"); code != 1 || !strings.Contains(out, "no cluster is up") {
		t.Errorf("exec without a supervisor: exit code %d", code)
	}
	c.must(t, "down")
	c.leavesNothing(t, before, zombiesBefore, 3)
}

func podsRun(c *cluster) func(*testing.T) {
	return func(t *testing.T) {
		program := filepath.Join(t.TempDir(), "probe")
		build(t, program, "./testdata/probe")
		wantContains(t, c.must(t, "load", "local/probe:1", program), "loaded docker.io/local/probe:1")
		c.kubectl(t, "apply", "-f", "testdata/probe.yaml")
		c.kubectl(t, "rollout", "status", "deployment/probe", "--timeout=120s")
		// A pod may be ready a moment before kube-proxy has written the rules that lead to it.
		eventually(t, "the Service leads to its pods", func() bool {
			code, answer := c.try(t, "exec", "--", "kubectl", "exec", "deploy/probe", "--",
				"/probe", "get", "http://probe.default.svc.cluster.local/")
			return code == 0 && strings.Contains(answer, "served by user 65532, group 65532")
		})
		archive := filepath.Join(t.TempDir(), "probe.tar")
		c.must(t, "image", "local/probe:2", program, "-o", archive)
		wantContains(t, c.must(t, "load", archive), "loaded docker.io/local/probe:2")
		c.kubectl(t, "set", "image", "deployment/probe", "probe=local/probe:2")
		c.kubectl(t, "rollout", "status", "deployment/probe", "--timeout=120s")
	}
}

func metricsMeasured(c *cluster) func(*testing.T) {
	return func(t *testing.T) {
		eventually(t, "kubectl top", func() bool {
			code, out := c.try(t, "exec", "--", "kubectl", "top", "pods", "--no-headers")
			return code == 0 && strings.Count(out, "probe-") >= 2
		})
	}
}

func execCodes(c *cluster) func(*testing.T) {
	return func(t *testing.T) {
		for script, want := range map[string]int{"true": 0, "exit 42": 42, "kill -KILL $$": 137} {
			if code, _ := c.try(t, "exec", "--", "sh", "-c", script); code != want {
				t.Errorf("%s: exit code %d, want %d", script, code, want)
			}
		}
		wantContains(t, c.must(t, "exec", "--", "sh", "-c", "echo $KUBECONFIG"), c.state+"/kubeconfig")
	}
}

func netnsIsTaken(c *cluster) func(*testing.T) {
	return func(t *testing.T) {
		other := &cluster{program: c.program, state: c.state + "-2", netns: c.netns}
		code, out := other.try(t, "up")
		if code != 1 {
			t.Errorf("up: exit code %d, want 1", code)
		}
		wantContains(t, out, "belongs to another cluster")
		other.must(t, "down")
		c.kubectl(t, "get", "nodes")
	}
}

func deathReported(c *cluster) func(*testing.T) {
	return func(t *testing.T) {
		pid := c.only(t, "CoreDNS", func(_ process, cmdline string) bool {
			return strings.HasPrefix(cmdline, c.state+"/bin/coredns ")
		})
		kill(t, pid)
		eventually(t, "exec reports the death", func() bool {
			code, out := c.try(t, "exec", "--", "true")
			return code == 0 && strings.Contains(out, "coredns died at ") && strings.Contains(out, "killed by SIGKILL")
		})
		code, out := c.try(t, "up")
		if code != 1 {
			t.Errorf("up: exit code %d, want 1", code)
		}
		wantContains(t, out, "the cluster is up, but coredns died at ")
		log, err := os.ReadFile(c.state + "/logs/coredns.log")
		if err != nil {
			t.Fatal(err)
		}
		wantContains(t, string(log), "--- coredns died at ")
	}
}

// startAndKillUp kills up, which cannot notice, once daemons run.
func startAndKillUp(t *testing.T, c *cluster) {
	t.Helper()
	cmd := c.command(t.Context(), "up")
	progress, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if lines := bufio.NewScanner(progress); !lines.Scan() || !strings.Contains(lines.Text(), "containers can run") {
		t.Fatalf("up said %q", lines.Text())
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err == nil {
		t.Fatal("up ended well although it was killed")
	}
}

func killSupervisor(t *testing.T, c *cluster) {
	t.Helper()
	pid := c.only(t, "the supervisor", func(_ process, cmdline string) bool {
		return strings.HasPrefix(cmdline, c.program+" supervise ")
	})
	kill(t, pid)
	eventually(t, "everything dies with the supervisor", func() bool {
		for _, p := range c.processes(t) {
			if p.ours && p.state != "Z" {
				return false
			}
		}
		return true
	})
}

func kill(t *testing.T, pid string) {
	t.Helper()
	id, err := strconv.Atoi(pid)
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(id, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
}
