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
func receive(fd uintptr, into []byte) (int, error) { return unwaited(sysmon.Read(int(fd), into)) }

// transmit writes what there is room for, or returns errNothing.
func transmit(fd uintptr, from []byte) (int, error) { return unwaited(sysmon.Write(int(fd), from)) }

// unwaited is the result of a call that does not wait.
func unwaited(n int, err error) (int, error) {
	if errors.Is(err, syscall.EAGAIN) {
		return 0, errNothing
	}
	return max(n, 0), err
}
