//go:build unix && (!linux || race)

package sysmon

import "syscall"

// Read is syscall.Read, which tells the race detector what happens before what.
func Read(fd int, p []byte) (int, error) { return syscall.Read(fd, p) }

// Write is syscall.Write.
func Write(fd int, p []byte) (int, error) { return syscall.Write(fd, p) }

// Wake does nothing: each call wakes the monitor.
func Wake() {}
