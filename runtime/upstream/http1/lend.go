package http1

// Lender lends the buffer of reads, so that none is held while there is nothing to read.
type Lender interface {
	// Lend returns the buffer that is lent, and lends one if none is.
	Lend() []byte
	// Return takes it back, if one is lent.
	Return()
}

// ReadLent is Read into the buffer that l lends. It has none lent while it waits, unless the connection is TLS or is not the
// system's. Afterwards it has, if anything was read.
func (a *Answer) ReadLent(l Lender) (int, error) {
	for a.err == nil {
		n, err := a.receiveLent(l)
		if data := a.settle(l.Lend()[:n], err); data > 0 {
			return data, a.err
		}
	}
	a.forget()
	return 0, a.err
}

// receiveLent is receive with a buffer that is lent.
func (a *Answer) receiveLent(l Lender) (int, error) {
	if a.buffer != nil {
		if n := len(a.buffer.rest()); n > 0 {
			return a.receive(l.Lend())
		}
		a.forget()
	}
	if a.conn.plain {
		return a.conn.socket.readLent(l)
	}
	return a.conn.conn.Read(l.Lend())
}

// readLent reads once there is something to read.
func (s *Socket) readLent(l Lender) (int, error) {
	if s.raw == nil {
		return s.Conn.Read(l.Lend())
	}
	s.lender = l
	n, err := s.read(s.lending)
	s.lender = nil
	return n, err
}

// tryLent is tryRead with a buffer that is lent.
func (s *Socket) tryLent(fd uintptr) bool {
	s.n, s.err = receive(fd, s.lender.Lend())
	if s.err == errNothing { //nolint:errorlint // never wrapped
		s.lender.Return()
		return false
	}
	return true
}
