//go:build linux && !race

package sysmon

import (
	"syscall"
	"unsafe"
)

// Read reads from a descriptor that does not block, as syscall.Read does. A call that a signal has interrupted is made again.
func Read(fd int, p []byte) (int, error) {
	n, err := call(syscall.SYS_READ, fd, p)
	if n >= much {
		Wake()
	}
	return n, err
}

// Write writes to a descriptor that does not block, as syscall.Write does, and in the same way.
func Write(fd int, p []byte) (int, error) { return call(syscall.SYS_WRITE, fd, p) }

func call(number uintptr, fd int, p []byte) (int, error) {
	at := unsafe.Pointer(unsafe.SliceData(p)) //nolint:gosec // the kernel fills or reads p, and no more of it
	for {
		n, _, failed := syscall.RawSyscall(number, uintptr(fd), uintptr(at), uintptr(len(p)))
		switch failed {
		case 0:
			return int(n), nil
		case syscall.EINTR:
		default:
			return -1, failed
		}
	}
}

// Wake wakes the monitor, if it sleeps.
func Wake() { syscall.Syscall(syscall.SYS_GETPID, 0, 0, 0) } //nolint:errcheck // it cannot fail
