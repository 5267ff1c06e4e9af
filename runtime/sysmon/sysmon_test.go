//go:build unix

package sysmon

import (
	"errors"
	"strings"
	"syscall"
	"testing"
)

// The calls do what those of package syscall do, whatever comes of them.
func TestCallsAreThoseOfPackageSyscall(t *testing.T) {
	ours, theirs := pair(t), pair(t)
	long := []byte(strings.Repeat("x", 2*much))
	for _, step := range []struct {
		name string
		do   func(fds [2]int, read, write func(int, []byte) (int, error)) (int, error)
	}{
		{"nothing to read", func(fds [2]int, read, _ func(int, []byte) (int, error)) (int, error) {
			return read(fds[0], make([]byte, 4))
		}},
		{"a short write", func(fds [2]int, _, write func(int, []byte) (int, error)) (int, error) {
			return write(fds[1], []byte("abc"))
		}},
		{"into nothing", func(fds [2]int, read, _ func(int, []byte) (int, error)) (int, error) { return read(fds[0], nil) }},
		{"a short read", func(fds [2]int, read, _ func(int, []byte) (int, error)) (int, error) {
			return read(fds[0], make([]byte, 8))
		}},
		{"a long write", func(fds [2]int, _, write func(int, []byte) (int, error)) (int, error) { return write(fds[1], long) }},
		{"a long read", func(fds [2]int, read, _ func(int, []byte) (int, error)) (int, error) {
			return read(fds[0], make([]byte, 2*much))
		}},
		{"the end", func(fds [2]int, read, _ func(int, []byte) (int, error)) (int, error) {
			if err := syscall.Shutdown(fds[1], syscall.SHUT_WR); err != nil {
				t.Fatal(err)
			}
			return read(fds[0], make([]byte, 8))
		}},
		{"no such descriptor", func(_ [2]int, read, _ func(int, []byte) (int, error)) (int, error) { return read(-1, make([]byte, 8)) }},
		{"a write to none", func(_ [2]int, _, write func(int, []byte) (int, error)) (int, error) { return write(-1, []byte("x")) }},
	} {
		n, err := step.do(ours, Read, Write)
		want, wantErr := step.do(theirs, syscall.Read, syscall.Write)
		if n != want || !errors.Is(err, wantErr) {
			t.Errorf("%s: %d, %v; syscall's: %d, %v", step.name, n, err, want, wantErr)
		}
	}
	Wake()
}

// What is read is what was written.
func TestBytes(t *testing.T) {
	fds, into := pair(t), make([]byte, 16)
	if _, err := Write(fds[1], []byte("hello")); err != nil {
		t.Fatal(err)
	}
	if n, err := Read(fds[0], into); err != nil || string(into[:n]) != "hello" {
		t.Errorf("%q, %v", into[:max(n, 0)], err)
	}
}

// A call costs no memory.
func TestCallsAllocateNothing(t *testing.T) {
	fds, p := pair(t), []byte("hello")
	if n := testing.AllocsPerRun(100, func() {
		_, _ = Write(fds[1], p)
		_, _ = Read(fds[0], p)
		_, _ = Read(fds[0], p) // there is nothing
	}); n > 0 {
		t.Errorf("%v allocations", n)
	}
}

// pair are two connected sockets that do not block.
func pair(t *testing.T) [2]int {
	t.Helper()
	fds, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	for _, fd := range fds {
		t.Cleanup(func() { _ = syscall.Close(fd) })
		if err := syscall.SetNonblock(fd, true); err != nil {
			t.Fatal(err)
		}
	}
	return fds
}
