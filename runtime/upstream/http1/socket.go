package http1

import (
	"io"
	"net"
	"os"
	"syscall"
)

// Socket is a connection of the network that can be asked whether anything has come, without waiting for it.
type Socket struct {
	net.Conn

	raw syscall.RawConn // nil if it cannot be asked
	now bool            // reads do not wait
	try func(fd uintptr) bool

	tryLent func(fd uintptr) bool
	lender  Lender // of the read of the moment

	// These are those of a read that the socket makes itself.
	into []byte
	n    int
	err  error
}

// NewSocket wraps a connection. One that is not the system's is never used again.
func NewSocket(c net.Conn) *Socket {
	s := &Socket{Conn: c}
	if system, ok := c.(syscall.Conn); ok {
		if raw, err := system.SyscallConn(); err == nil {
			s.raw = raw
		}
	}
	s.try, s.tryLent = s.attempt, s.attemptLent
	return s
}

// Read implements io.Reader.
func (s *Socket) Read(p []byte) (int, error) {
	if s.now {
		return s.readNow(p)
	}
	return s.Conn.Read(p)
}

// errNothing says that nothing has come. It is temporary, so that TLS goes on after it.
var errNothing net.Error = nothing{os.ErrDeadlineExceeded}

type nothing struct{ error }

func (nothing) Timeout() bool   { return true }
func (nothing) Temporary() bool { return true }

func (s *Socket) readNow(p []byte) (int, error) {
	if s.raw == nil {
		return 0, io.EOF
	}
	s.into, s.n, s.err = p, 0, io.EOF
	err := s.raw.Read(s.try)
	s.into = nil
	switch {
	case err != nil:
		return 0, err
	case s.err != nil:
		return 0, s.err
	case s.n == 0:
		return 0, io.EOF
	}
	return s.n, nil
}

// attempt is called with the descriptor. It never waits, so that it always returns true.
func (s *Socket) attempt(fd uintptr) bool {
	s.n, s.err = receive(fd, s.into)
	return true
}
