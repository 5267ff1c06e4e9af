package http1

import (
	"io"
	"net"
	"os"
	"syscall"
)

// Socket is a connection of the network. It makes the system calls itself, and can be asked whether anything has come, without
// waiting for it.
type Socket struct {
	net.Conn

	raw syscall.RawConn // nil if it cannot make the calls
	now bool            // reads do not wait

	reading, lending, writing func(fd uintptr) bool // made once

	// The read of the moment.
	lender Lender
	into   []byte
	n      int
	err    error
	// The write of the moment.
	out   []byte
	wrote error
}

// NewSocket wraps a connection. One that is not the system's is never used again.
func NewSocket(c net.Conn) *Socket {
	s := &Socket{Conn: c}
	if system, ok := c.(syscall.Conn); ok && ownCalls {
		if raw, err := system.SyscallConn(); err == nil {
			s.raw = raw
		}
	}
	s.reading, s.lending, s.writing = s.tryRead, s.tryLent, s.tryWrite
	return s
}

// Read implements io.Reader.
func (s *Socket) Read(p []byte) (int, error) {
	switch {
	case s.raw != nil && len(p) > 0:
		s.into = p
		n, err := s.read(s.reading)
		s.into = nil
		return n, err
	case s.now:
		return 0, io.EOF
	}
	return s.Conn.Read(p)
}

// errNothing says that nothing has come. It is temporary, so that TLS goes on after it.
var errNothing net.Error = nothing{os.ErrDeadlineExceeded}

type nothing struct{ error }

func (nothing) Timeout() bool   { return true }
func (nothing) Temporary() bool { return true }

// read is a read that try makes once there is something to read.
func (s *Socket) read(try func(fd uintptr) bool) (int, error) {
	s.n, s.err = 0, nil
	err := s.raw.Read(try)
	switch {
	case err != nil:
		return 0, err
	case s.err == errNothing: //nolint:errorlint // never wrapped
		return 0, errNothing
	case s.err != nil:
		return 0, os.NewSyscallError("read", s.err)
	case s.n == 0:
		return 0, io.EOF
	}
	return s.n, nil
}

// tryRead is called with the descriptor, and reports whether the read is over; otherwise there is nothing to read yet.
func (s *Socket) tryRead(fd uintptr) bool {
	s.n, s.err = receive(fd, s.into)
	return s.now || s.err != errNothing //nolint:errorlint // never wrapped
}

// Write implements io.Writer.
func (s *Socket) Write(p []byte) (int, error) {
	if s.raw == nil {
		return s.Conn.Write(p)
	}
	s.out, s.wrote = p, nil
	err := s.raw.Write(s.writing)
	n := len(p) - len(s.out)
	s.out = nil
	if err == nil && s.wrote != nil {
		err = os.NewSyscallError("write", s.wrote)
	}
	return n, err
}

// tryWrite is called with the descriptor, and reports whether the write is over; otherwise the kernel has no room yet.
func (s *Socket) tryWrite(fd uintptr) bool {
	for len(s.out) > 0 {
		n, err := transmit(fd, s.out[:min(len(s.out), atOnce)])
		s.out = s.out[n:]
		if err != nil {
			s.wrote = err
			return err != errNothing //nolint:errorlint // never wrapped
		}
	}
	s.wrote = nil
	return true
}

// atOnce is how much is offered to the kernel at once, in bytes.
const atOnce = 256 << 10
