package http1

import (
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"syscall"
	"time"

	"github.com/llmservice/llmservice/runtime/relay"
	"github.com/llmservice/llmservice/runtime/sysmon"
)

// socket is the way of a TCP connection. It makes the system calls itself: it reads into a buffer that it takes only when there
// is something to read, writes without a timer as long as the kernel takes what is written, and learns from a watcher,
// which all connections share, that the client has left.
type socket struct {
	*deadline

	raw    syscall.RawConn
	writes *relay.Progress // for what the kernel does not take at once

	readable, writable func(fd uintptr) bool // made once

	// The read of the moment. One without a buffer takes one.
	into  []byte
	taken *buffer
	waits bool // the connection's own deadline ends it
	n     int
	err   error
	// The write of the moment.
	out   []byte
	wrote error

	mu   sync.Mutex
	gone bool
	left func() // is called when the client leaves; nil for nobody
}

func newSocket(c *net.TCPConn, d *deadline, stall time.Duration) (*socket, error) {
	raw, err := c.SyscallConn()
	if err != nil {
		return nil, err
	}
	s := &socket{deadline: d, raw: raw, writes: relay.NewProgress(c, stall)}
	s.readable, s.writable = s.tryRead, s.tryWrite
	return s, nil
}

// Read implements way.
func (s *socket) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	s.into = p
	err := s.read()
	s.into = nil
	return s.n, err
}

// ReadNew implements way.
func (s *socket) ReadNew() (*buffer, int, error) {
	s.into = nil
	err := s.read()
	b := s.taken
	s.taken = nil
	return b, s.n, err
}

func (s *socket) read() error {
	s.waits = s.early()
	for {
		s.n = 0
		err := s.raw.Read(s.readable)
		switch {
		case errors.Is(err, os.ErrDeadlineExceeded):
			if s.passed() {
				return err
			}
			s.waits = true
		case err != nil:
			return err
		case errors.Is(s.err, syscall.EAGAIN):
			s.arm()
			s.waits = true
		case s.err != nil:
			return os.NewSyscallError("read", s.err)
		case s.n == 0:
			return io.EOF
		default:
			return nil
		}
	}
}

// tryRead reports whether the read is over; otherwise there is nothing to read yet.
func (s *socket) tryRead(fd uintptr) bool {
	p := s.into
	if p == nil {
		s.taken = takeBuffer()
		p = s.taken[:]
	}
	s.n, s.err = sysmon.Read(int(fd), p)
	s.n = max(s.n, 0)
	if s.n == 0 && s.into == nil {
		buffers.Put(s.taken)
		s.taken = nil
	}
	return !s.waits || !errors.Is(s.err, syscall.EAGAIN)
}

// atOnce is how much is offered to the kernel before anything else, in bytes.
const atOnce = 256 << 10

// Write implements way.
func (s *socket) Write(p []byte, until time.Time) error {
	if !until.IsZero() && time.Until(until) <= 0 {
		return os.ErrDeadlineExceeded
	}
	s.out = p
	err := s.raw.Write(s.writable)
	rest := s.out
	s.out = nil
	switch {
	case err != nil:
		return err
	case s.wrote != nil && !errors.Is(s.wrote, syscall.EAGAIN):
		return os.NewSyscallError("write", s.wrote)
	case len(rest) == 0:
		return nil
	}
	return s.writeSlowly(rest, until)
}

// tryWrite never waits.
func (s *socket) tryWrite(fd uintptr) bool {
	var n int
	n, s.wrote = sysmon.Write(int(fd), s.out[:min(len(s.out), atOnce)])
	s.out = s.out[max(n, 0):]
	return true
}

// writeSlowly writes what the client takes only little by little.
func (s *socket) writeSlowly(p []byte, until time.Time) error {
	_ = s.writes.Until(until) // it fails only if the connection is closed, as the write will
	if _, err := s.writes.Write(p); err != nil {
		return err
	}
	return s.writes.Until(time.Time{}) // the next write is tried without a deadline
}

// Watch implements way.
func (s *socket) Watch(left func()) {
	s.mu.Lock()
	gone := s.gone
	s.left = left
	s.mu.Unlock()
	if gone {
		left()
	}
}

// Unwatch implements way.
func (s *socket) Unwatch() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.left = nil
}

// leave notes that the client has left.
func (s *socket) leave() {
	s.mu.Lock()
	left := s.left
	s.gone = true
	s.mu.Unlock()
	if left != nil {
		left()
	}
}
