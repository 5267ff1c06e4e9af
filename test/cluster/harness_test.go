//go:build e2e && linux

package cluster_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// commandLimit is for one command of the driver, on a busy machine.
const commandLimit = 5 * time.Minute

// cluster is a cluster beside any that may be up already.
type cluster struct {
	program, state, netns string
}

// newCluster builds the driver, and takes the cluster down when the test ends.
func newCluster(t *testing.T) *cluster {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Fatal("a cluster needs root: run `make e2e` as root")
	}
	c := &cluster{program: filepath.Join(t.TempDir(), "cluster"), state: "/tmp/llmservice-k8s-test", netns: "llmservice-test"}
	build(t, c.program, "./cmd/cluster")
	t.Cleanup(func() {
		if out, err := c.command(context.Background(), "down").CombinedOutput(); err != nil {
			t.Errorf("down: %v\n%s", err, out)
		}
	})
	return c
}

func build(t *testing.T, program, pkg string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", "build", "-trimpath", "-o", program, pkg)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("build %s: %v\n%s", pkg, err, out)
	}
}

func (c *cluster) command(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, c.program, append([]string{"--state", c.state, "--netns", c.netns}, args...)...)
	cmd.Env = append(os.Environ(), "LLMSERVICE_KUBECONFIG=")
	return cmd
}

// try runs a subcommand and returns its exit code and all that it wrote.
func (c *cluster) try(t *testing.T, args ...string) (int, string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), commandLimit)
	defer cancel()
	var out bytes.Buffer
	cmd := c.command(ctx, args...)
	cmd.Stdout, cmd.Stderr = &out, &out
	err := cmd.Run()
	if _, ok := errors.AsType[*exec.ExitError](err); err != nil && !ok {
		t.Fatalf("%v: %v", args, err)
	}
	t.Logf("%v: exit code %d\n%s", args, cmd.ProcessState.ExitCode(), out.String())
	return cmd.ProcessState.ExitCode(), out.String()
}

// must is try for what has to succeed.
func (c *cluster) must(t *testing.T, args ...string) string {
	t.Helper()
	code, out := c.try(t, args...)
	if code != 0 {
		t.Fatalf("%v: exit code %d", args, code)
	}
	return out
}

func (c *cluster) kubectl(t *testing.T, args ...string) {
	t.Helper()
	c.must(t, append([]string{"exec", "--", "kubectl"}, args...)...)
}

// eventually repeats ok until it is true or the limit has passed.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for !ok() {
		select {
		case <-ctx.Done():
			t.Fatalf("%s: not within a minute", what)
		case <-tick.C:
		}
	}
}

func wantContains(t *testing.T, out, want string) {
	t.Helper()
	if !strings.Contains(out, want) {
		t.Errorf("want %q in:\n%s", want, out)
	}
}
