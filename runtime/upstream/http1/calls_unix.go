//go:build unix

package http1

import (
	"errors"
	"syscall"

	"github.com/llmservice/llmservice/runtime/sysmon"
)

// ownCalls says that a Socket makes the system calls itself.
const ownCalls = true

// receive reads what has come, or returns errNothing. Go's sockets do not block.
func receive(fd uintptr, into []byte) (int, error) {
	for {
		n, err := sysmon.Read(int(fd), into)
		switch {
		case errors.Is(err, syscall.EINTR):
		case errors.Is(err, syscall.EAGAIN):
			return 0, errNothing
		default:
			return max(n, 0), err
		}
	}
}

// transmit writes what there is room for, or returns errNothing.
func transmit(fd uintptr, from []byte) (int, error) {
	for {
		n, err := sysmon.Write(int(fd), from)
		switch {
		case errors.Is(err, syscall.EINTR):
		case errors.Is(err, syscall.EAGAIN):
			return 0, errNothing
		default:
			return max(n, 0), err
		}
	}
}
