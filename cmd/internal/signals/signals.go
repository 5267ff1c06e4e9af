// Package signals ends a process in order, or at once.
package signals

import (
	"context"
	"os"
	"os/signal"
	"sync"
	"syscall"
)

// Context returns a context that the first SIGINT or SIGTERM ends, so that work comes to its end in order. The second
// one does not wait for that: it ends the process, with the status that a shell gives to what a signal ended. stop gives
// both signals back their usual effect.
func Context(parent context.Context) (ctx context.Context, stop context.CancelFunc) {
	ctx, cancel := context.WithCancel(parent)
	received := make(chan os.Signal, 2) // neither is lost, however soon the second follows
	signal.Notify(received, syscall.SIGINT, syscall.SIGTERM)
	stopped := make(chan struct{})
	go func() {
		select {
		case <-received:
			cancel()
		case <-stopped:
			return
		}
		select {
		case second := <-received:
			os.Exit(exitStatus(second))
		case <-stopped:
		}
	}()
	return ctx, sync.OnceFunc(func() {
		signal.Stop(received)
		cancel()
		close(stopped)
	})
}

func exitStatus(s os.Signal) int {
	number, _ := s.(syscall.Signal)
	return 128 + int(number)
}
