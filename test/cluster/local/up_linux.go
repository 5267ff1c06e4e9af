package local

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/llmservice/llmservice/test/cluster/build"
	"github.com/llmservice/llmservice/test/cluster/deps"
	"github.com/llmservice/llmservice/test/cluster/dirlock"
	"github.com/llmservice/llmservice/test/cluster/netns"
	"github.com/llmservice/llmservice/test/cluster/node"
	"github.com/llmservice/llmservice/test/cluster/supervise"
)

// progressFD is where the supervisor finds the pipe that up reads.
const progressFD = 3

// Up starts the cluster unless it runs already, and returns when pods can run
// on it. A cluster that never came up is replaced; one that has lost a daemon
// since is left as it is, for whoever wants to know why, and is an error.
func Up(ctx context.Context, l node.Layout, out *log.Logger) error {
	if err := ready(l); err != nil {
		return err
	}
	unlock, err := dirlock.Lock(ctx, l.State)
	if err != nil {
		return err
	}
	defer unlock()
	up, err := running(l)
	if err != nil {
		return err
	}
	if up {
		if err := sameNodes(l); err != nil {
			return err
		}
		out.Println("the cluster is up already")
		return nil
	}
	if _, err := clean(ctx, l); err != nil {
		return err
	}
	if err := claim(l); err != nil {
		return err
	}
	return start(ctx, l, out)
}

// ready checks what Up needs before it touches anything.
func ready(l node.Layout) error {
	if err := l.Validate(); err != nil {
		return err
	}
	if err := deps.Check(); err != nil {
		return err
	}
	if missing := build.Missing(l.Bin, build.Programs()); len(missing) > 0 {
		return fmt.Errorf("%s lacks %s: run `cluster build`", l.Bin, strings.Join(missing, ", "))
	}
	return nil
}

// running reports whether the cluster is up.
func running(l node.Layout) (bool, error) {
	pids, err := supervisors("--state=" + l.State)
	if err != nil || len(pids) == 0 {
		return false, err
	}
	status, err := supervise.ReadStatus(l.Status())
	if errors.Is(err, os.ErrNotExist) || status.Phase == supervise.Starting || status.Phase == supervise.Failed {
		return false, nil // a start that did not get there
	}
	if err != nil {
		return false, err
	}
	if dead := status.Dead(); len(dead) > 0 {
		return false, fmt.Errorf("the cluster is up, but %w; `cluster down` and `cluster up` make a new one", deaths(dead))
	}
	return true, nil
}

// sameNodes checks that the cluster which is up has as many nodes as are wanted.
func sameNodes(l node.Layout) error {
	made, err := readMarker(l.State)
	if err != nil || made == nil || made.Nodes == l.Nodes {
		return err
	}
	return fmt.Errorf("the cluster is up with %d nodes, want %d; `cluster down` and `cluster up` make a new one", made.Nodes, l.Nodes)
}

func deaths(dead []supervise.DaemonStatus) error {
	errs := make([]error, 0, len(dead))
	for _, d := range dead {
		errs = append(errs, errors.New(d.String()))
	}
	return errors.Join(errs...)
}

// claim makes the state directory and the network namespace this cluster's.
func claim(l node.Layout) error {
	others, err := supervisors("--netns=" + l.Netns)
	if err != nil {
		return err
	}
	if len(others) > 0 {
		return fmt.Errorf("network namespace %s belongs to another cluster (its supervisor is process %d); "+
			"choose another with --netns", l.Netns, others[0])
	}
	if netns.Exists(l.Netns) {
		return fmt.Errorf("network namespace %s exists and is no cluster's; "+
			"choose another with --netns, or remove it (ip netns del %[1]s)", l.Netns)
	}
	if err := writeMarker(l); err != nil {
		return err
	}
	if err := os.MkdirAll(l.Logs(), 0o755); err != nil {
		return fmt.Errorf("create logs: %w", err)
	}
	for _, n := range append([]node.Layout{l}, l.Workers()...) {
		if err := createCgroup(n.Cgroup()); err != nil {
			return err
		}
	}
	return netns.Create(l.Netns)
}

// start starts the supervisor and follows its progress. What failed stays for
// whoever wants to look; the next up or down clears it away.
func start(ctx context.Context, l node.Layout, out *log.Logger) error {
	begun := time.Now()
	progress, err := startSupervisor(l)
	if err != nil {
		return err
	}
	stopFollowing := context.AfterFunc(ctx, func() { _ = progress.Close() })
	defer stopFollowing()
	defer progress.Close()
	follow(progress, out, begun)
	if ctx.Err() != nil {
		return fmt.Errorf("start of the cluster interrupted: %w; `cluster down` clears it away", context.Cause(ctx))
	}
	status, err := supervise.ReadStatus(l.Status())
	if err != nil {
		return fmt.Errorf("the supervisor died: %w\n%s", err, supervise.LogTail(supervisorLog(l), 10))
	}
	if status.Phase != supervise.Ready {
		return fmt.Errorf("the cluster did not come up: %s", status.Reason)
	}
	if dead := status.Dead(); len(dead) > 0 {
		return fmt.Errorf("the cluster came up, but %w", deaths(dead))
	}
	out.Printf("the cluster is up after %s; KUBECONFIG is %s", time.Since(begun).Round(100*time.Millisecond), l.Kubeconfig())
	return nil
}

func supervisorLog(l node.Layout) string {
	return filepath.Join(l.Logs(), "supervisor.log")
}

// startSupervisor runs this same program as the first process of new PID and
// mount namespaces, inside the cluster's network namespace, detached.
func startSupervisor(l node.Layout) (progress *os.File, err error) {
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("start supervisor: %w", err)
	}
	output, err := os.Create(supervisorLog(l))
	if err != nil {
		return nil, fmt.Errorf("start supervisor: %w", err)
	}
	defer output.Close()
	progress, writer, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("start supervisor: %w", err)
	}
	defer writer.Close()
	cmd := exec.Command(self, l.SuperviseArgs()...) //nolint:noctx // it outlives whoever starts it
	cmd.Dir = l.State
	cmd.Env = l.Environment()
	cmd.Stdout, cmd.Stderr, cmd.ExtraFiles = output, output, []*os.File{writer}
	cmd.SysProcAttr = &unix.SysProcAttr{Setsid: true, Cloneflags: unix.CLONE_NEWPID | unix.CLONE_NEWNS}
	if err := netns.Start(l.Netns, cmd); err != nil {
		_ = progress.Close()
		return nil, fmt.Errorf("start supervisor: %w", err)
	}
	return progress, nil
}
