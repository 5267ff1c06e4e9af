//go:build unix

package local

import (
	"os"
	"os/signal"
	"slices"

	"golang.org/x/sys/unix"
)

// forwarded are the signals that a command should get although they were sent
// to this process alone. An interrupt from the terminal reaches both anyway.
var forwarded = []os.Signal{unix.SIGTERM, unix.SIGHUP, unix.SIGUSR1, unix.SIGUSR2}

// passSignals sends signals on to process until stop is called; an interrupt
// is the command's to answer, so this process outlives it.
func passSignals(process *os.Process) (stop func()) {
	signals := make(chan os.Signal, 8)
	signal.Notify(signals, append(slices.Clone(forwarded), unix.SIGINT, unix.SIGQUIT)...)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for s := range signals {
			if slices.Contains(forwarded, s) {
				_ = process.Signal(s)
			}
		}
	}()
	return func() {
		signal.Stop(signals)
		close(signals)
		<-done
	}
}
