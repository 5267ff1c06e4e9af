// Package bed is what the measurements of bench/ stand on: servers that run as processes of their own, what these take of the
// processor and of memory, a gateway with a config, and how figures are summed up.
package bed

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os/exec"
	"syscall"
	"time"
)

// Server is a program under measurement, with all processes that it starts.
type Server struct {
	cmd     *exec.Cmd
	started time.Time
	ended   chan struct{}
	err     error // of Wait, once ended is closed
}

// Start starts the program in a process group of its own, which Close ends.
func Start(cmd *exec.Cmd) (*Server, error) {
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	cmd.SysProcAttr.Setpgid = true
	s := &Server{cmd: cmd, started: time.Now(), ended: make(chan struct{})}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", cmd.Path, err)
	}
	go func() {
		defer close(s.ended)
		s.err = cmd.Wait()
	}()
	return s, nil
}

// Pid is that of the program's first process.
func (s *Server) Pid() int { return s.cmd.Process.Pid }

// Close kills the program and all processes of its group, and waits for the first.
func (s *Server) Close() {
	if s == nil {
		return
	}
	_ = syscall.Kill(-s.Pid(), syscall.SIGKILL)
	<-s.ended
}

// Await asks until the program answers, and returns the time from its start. It fails if the program ends before, or if a
// minute passes.
func (s *Server) Await(ctx context.Context, pause time.Duration, ask func(context.Context) error) (time.Duration, error) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	tick := time.NewTicker(pause)
	defer tick.Stop()
	for {
		err := ask(ctx)
		if err == nil {
			return time.Since(s.started), nil
		}
		select {
		case <-s.ended:
			return 0, fmt.Errorf("the program ended before it answered: %w", errors.Join(s.err, err))
		case <-ctx.Done():
			return 0, fmt.Errorf("it does not answer: %w", errors.Join(ctx.Err(), err))
		case <-tick.C:
		}
	}
}

// FreeAddress returns an address of loopback that nobody listens on.
func FreeAddress(ctx context.Context) (string, error) {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", fmt.Errorf("find a free port: %w", err)
	}
	defer func() { _ = l.Close() }()
	return l.Addr().String(), nil
}
