//go:build unix && (!linux || race)

package sysmon

import "syscall"

// Read is syscall.Read, which tells the race detector what happens before what.
func Read(fd int, p []byte) (int, error) { return whole(syscall.Read, fd, p) }

// Write is syscall.Write.
func Write(fd int, p []byte) (int, error) { return whole(syscall.Write, fd, p) }

// whole makes a call again that a signal has interrupted.
func whole(call func(int, []byte) (int, error), fd int, p []byte) (int, error) {
	for {
		if n, err := call(fd, p); err != syscall.EINTR { //nolint:errorlint // never wrapped
			return n, err
		}
	}
}

// Wake does nothing: each call wakes the monitor.
func Wake() {}
