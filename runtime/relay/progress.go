package relay

import (
	"errors"
	"net"
	"os"
	goruntime "runtime"
	"sync"
	"time"
)

// Progress writes to a connection whose client has to take something now and then: it is left when it takes nothing for
// as long as a stall may last. One that reads slowly is written to until the answer's own bound.
type Progress struct {
	conn  net.Conn
	stall time.Duration

	mu    sync.Mutex
	until time.Time // bounds all writes of an answer; zero for none
}

// NewProgress returns a writer to a connection. The stall is how long a write may make no progress.
func NewProgress(c net.Conn, stall time.Duration) *Progress { return &Progress{conn: c, stall: stall} }

// written is how much is written at a time, in bytes, of what is much: the worker is left to others in between.
const written = 256 << 10

// Write implements io.Writer.
func (p *Progress) Write(bytes []byte) (n int, err error) {
	for len(bytes)-n > written && err == nil {
		var some int
		some, err = p.write(bytes[n : n+written])
		n += some
		goruntime.Gosched()
	}
	if err != nil {
		return n, err
	}
	rest, err := p.write(bytes[n:])
	return n + rest, err
}

func (p *Progress) write(bytes []byte) (int, error) {
	done := 0
	for {
		last := p.next()
		n, err := p.conn.Write(bytes[done:])
		done += n
		if err == nil || n == 0 || last || !errors.Is(err, os.ErrDeadlineExceeded) {
			return done, err
		}
	}
}

// next sets the deadline of the next write, and reports whether it is the answer's own.
func (p *Progress) next() (last bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	by := time.Now().Add(p.stall)
	if !p.until.IsZero() && p.until.Before(by) {
		by, last = p.until, true
	}
	_ = p.conn.SetWriteDeadline(by) // it fails only if the connection is closed, as the write will
	return last
}

// Until bounds all writes of an answer, also one that waits now. The zero time means unlimited.
func (p *Progress) Until(t time.Time) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.until = t
	return p.conn.SetWriteDeadline(t)
}
