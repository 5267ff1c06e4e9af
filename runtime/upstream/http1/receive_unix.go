//go:build unix

package http1

import (
	"errors"
	"syscall"
)

// receive reads what has come, or returns errNothing. Go's sockets do not block.
func receive(fd uintptr, into []byte) (int, error) {
	for {
		n, err := syscall.Read(int(fd), into)
		switch {
		case errors.Is(err, syscall.EINTR):
		case errors.Is(err, syscall.EAGAIN):
			return 0, errNothing
		default:
			return max(n, 0), err
		}
	}
}
