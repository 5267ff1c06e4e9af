//go:build linux && !race

package sysmon

import (
	"syscall"
	"unsafe"
)

// Read reads once from a descriptor that does not block, as syscall.Read does.
func Read(fd int, p []byte) (int, error) {
	n, err := call(syscall.SYS_READ, fd, p)
	if n >= much {
		Wake()
	}
	return n, err
}

// Write writes once to a descriptor that does not block, as syscall.Write does.
func Write(fd int, p []byte) (int, error) { return call(syscall.SYS_WRITE, fd, p) }

func call(number uintptr, fd int, p []byte) (int, error) {
	at := unsafe.Pointer(unsafe.SliceData(p)) //nolint:gosec // the kernel fills or reads p, and no more of it
	n, _, failed := syscall.RawSyscall(number, uintptr(fd), uintptr(at), uintptr(len(p)))
	if failed != 0 {
		return -1, failed
	}
	return int(n), nil
}

// Wake wakes the monitor, if it sleeps.
func Wake() { syscall.Syscall(syscall.SYS_GETPID, 0, 0, 0) } //nolint:errcheck // it cannot fail
