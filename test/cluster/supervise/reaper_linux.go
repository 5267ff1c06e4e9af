// Package supervise is the first process of a cluster's PID namespace: it
// starts the daemons, waits for every process that ends there, and writes down
// which daemons live.
package supervise

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"sync"

	"golang.org/x/sys/unix"
)

// Reaper waits for all children of this process, those it started and the
// orphans that a PID namespace hands to its first process. Nothing else in the
// process may wait for a child: the two would steal each other's.
type Reaper struct {
	mu      sync.Mutex
	exited  map[int]func(unix.WaitStatus)
	signals chan os.Signal
}

// NewReaper returns a Reaper that misses no child from now on. Run must follow.
func NewReaper() *Reaper {
	r := &Reaper{exited: map[int]func(unix.WaitStatus){}, signals: make(chan os.Signal, 1)}
	signal.Notify(r.signals, unix.SIGCHLD)
	return r
}

// Run reaps until ctx ends.
func (r *Reaper) Run(ctx context.Context) {
	defer signal.Stop(r.signals)
	for {
		r.reapAll()
		select {
		case <-ctx.Done():
			return
		case <-r.signals:
		}
	}
}

// reapAll empties the queue: several children may stand behind one signal.
func (r *Reaper) reapAll() {
	for {
		var status unix.WaitStatus
		pid, err := unix.Wait4(-1, &status, unix.WNOHANG, nil)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil || pid == 0 {
			return
		}
		r.mu.Lock()
		exited := r.exited[pid]
		delete(r.exited, pid)
		r.mu.Unlock()
		if exited != nil {
			exited(status)
		}
	}
}

// Start starts cmd and calls exited, once, from Run when it has ended. Its
// input and output must be files: there is no Wait that would end the copying.
func (r *Reaper) Start(cmd *exec.Cmd, exited func(unix.WaitStatus)) (pid int, err error) {
	// Held across the start, so that a child which ends at once is known.
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := cmd.Start(); err != nil {
		return 0, fmt.Errorf("start %s: %w", cmd.Path, err)
	}
	pid = cmd.Process.Pid
	r.exited[pid] = exited
	if err := cmd.Process.Release(); err != nil {
		return 0, fmt.Errorf("release %s: %w", cmd.Path, err)
	}
	return pid, nil
}

// RunToEnd starts cmd and waits until it has ended. When ctx ends first, the
// command is killed. Anything but exit code 0 is an error.
func (r *Reaper) RunToEnd(ctx context.Context, cmd *exec.Cmd) error {
	done := make(chan unix.WaitStatus, 1)
	pid, err := r.Start(cmd, func(s unix.WaitStatus) { done <- s })
	if err != nil {
		return err
	}
	select {
	case status := <-done:
		if status.Exited() && status.ExitStatus() == 0 {
			return nil
		}
		return fmt.Errorf("%s: %s", cmd.Path, Describe(status))
	case <-ctx.Done():
		_ = unix.Kill(pid, unix.SIGKILL)
		return fmt.Errorf("%s: %w", cmd.Path, context.Cause(ctx))
	}
}

// Describe says how a process ended.
func Describe(status unix.WaitStatus) string {
	if status.Signaled() {
		return fmt.Sprintf("killed by %s", unix.SignalName(status.Signal()))
	}
	return fmt.Sprintf("exit code %d", status.ExitStatus())
}
