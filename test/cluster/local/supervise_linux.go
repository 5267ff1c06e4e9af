package local

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"os"
	"os/signal"

	"golang.org/x/sys/unix"

	"github.com/llmservice/llmservice/test/cluster/deps"
	"github.com/llmservice/llmservice/test/cluster/node"
	"github.com/llmservice/llmservice/test/cluster/supervise"
)

// Supervise is the supervisor's whole life. It is the first process of a PID
// namespace: when it returns, the kernel kills whatever still runs in there.
func Supervise(l node.Layout) error {
	if os.Getpid() != 1 {
		return errors.New("supervise is for `cluster up` to start")
	}
	ctx, stop := signal.NotifyContext(context.Background(), unix.SIGTERM, unix.SIGINT)
	defer stop()
	if l.Node > 1 {
		return superviseWorker(ctx, l)
	}
	// The daemons must not inherit it: up reads until the last copy is closed.
	unix.CloseOnExec(progressFD)
	progress := os.NewFile(progressFD, "progress")
	status, err := supervise.NewStatusFile(l.Status())
	if err != nil {
		return err
	}
	reaper, reaping := reap(ctx)
	startErr := startNode(ctx, l, reaper, status, progress)
	err = status.Update(func(s *supervise.Status) {
		s.Phase = supervise.Ready
		if startErr != nil {
			s.Phase, s.Reason = supervise.Failed, startErr.Error()
		}
	})
	if err != nil {
		return err
	}
	if err := progress.Close(); err != nil {
		log.Println("tell up:", err)
	}
	<-ctx.Done()
	<-reaping
	return nil
}

// reap waits for all children until ctx ends, which closes the channel.
func reap(ctx context.Context) (*supervise.Reaper, <-chan struct{}) {
	reaper := supervise.NewReaper()
	reaping := make(chan struct{})
	go func() {
		defer close(reaping)
		reaper.Run(ctx)
	}()
	return reaper, reaping
}

// superviseWorker is the whole life of a worker, which ends with the first of its daemons: to the first node it is one of its own.
func superviseWorker(ctx context.Context, l node.Layout) error {
	if err := os.MkdirAll(l.Logs(), 0o755); err != nil {
		return fmt.Errorf("create logs: %w", err)
	}
	status, err := supervise.NewStatusFile(l.Status())
	if err != nil {
		return err
	}
	ctx, end := context.WithCancelCause(ctx)
	defer end(nil)
	reaper, reaping := reap(ctx)
	if err := node.StartWorker(ctx, l, supervisor(l, reaper, status, end), deps.CNIDir()); err != nil {
		return err
	}
	<-ctx.Done()
	<-reaping
	return context.Cause(ctx)
}

// supervisor ends by died what waits for a daemon that has ended.
func supervisor(
	l node.Layout, reaper *supervise.Reaper, status *supervise.StatusFile, died context.CancelCauseFunc,
) *supervise.Supervisor {
	return &supervise.Supervisor{
		Reaper: reaper,
		Status: status,
		LogDir: l.Logs(),
		Dir:    l.State,
		Env:    l.Environment(),
		Died:   func(d supervise.DaemonStatus) { died(&node.DiedError{Daemon: d}) },
	}
}

// startNode starts the node and gives up as soon as a daemon dies.
func startNode(
	ctx context.Context, l node.Layout, reaper *supervise.Reaper, status *supervise.StatusFile, progress io.Writer,
) error {
	starting, died := context.WithCancelCause(ctx)
	defer died(nil)
	return node.Start(starting, l, supervisor(l, reaper, status, died), deps.CNIDir(), func(step string) {
		// Nobody listens when up was interrupted; the start goes on regardless.
		_, _ = fmt.Fprintln(progress, step)
	})
}
