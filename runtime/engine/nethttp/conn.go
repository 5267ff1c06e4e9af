package nethttp

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"sync"
	"time"

	"github.com/llmservice/llmservice/runtime/relay"
)

// phase is what a connection is doing, as far as its deadlines go.
type phase int

const (
	// idle is from the connection's start, or a request's end, until the next request's head has been read.
	idle phase = iota
	// reading is the arrival of a request's body.
	reading
	// handling is the time in which an answer is made and sent. Reads do nothing but notice that the client leaves,
	// so they alone may last.
	handling
	// ending is what net/http does after the handler; everything that it reads then is discarded.
	ending
)

// conn is a client's connection on which nothing lasts for ever. net/http clears deadlines between the phases of a
// request, and reads and writes in places that a handler does not see; here a missing deadline is replaced.
type conn struct {
	net.Conn

	writes *relay.Progress
	leave  func() // gives back the connection's place
	once   sync.Once

	ahead  []byte // was read before anybody asked for it
	failed error  // of the read after it; nil for none

	mu     sync.Mutex
	phase  phase
	since  time.Time // of the phase
	readBy time.Time // bounds the arrival of a body while draining; zero for none
}

type connKey struct{}

// connOf is the connection of a request's context.
func connOf(ctx context.Context) *conn {
	c, _ := ctx.Value(connKey{}).(*conn)
	return c
}

func newConn(c net.Conn, stall time.Duration) *conn {
	return &conn{Conn: c, writes: relay.NewProgress(c, stall), since: time.Now(), leave: func() {}}
}

// Write implements net.Conn.
func (c *conn) Write(p []byte) (int, error) { return c.writes.Write(p) }

// SetWriteDeadline implements net.Conn: the deadline is that of a whole answer.
func (c *conn) SetWriteDeadline(t time.Time) error { return c.writes.Until(t) }

// Read implements net.Conn.
func (c *conn) Read(p []byte) (int, error) {
	switch {
	case len(c.ahead) > 0:
		n := copy(p, c.ahead)
		c.ahead = c.ahead[n:]
		return n, nil
	case c.failed != nil:
		return 0, c.failed
	}
	return c.Conn.Read(p)
}

// watch calls left when the client leaves while the connection is not read. It sees no further than the first byte that the client
// sends, which the next Read returns. stop ends it.
func (c *conn) watch(left func()) (stop func()) {
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		var one [1]byte
		n, err := c.Conn.Read(one[:])
		c.ahead = append(c.ahead, one[:n]...)
		if err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
			left()
		}
	}()
	return func() {
		_ = c.Conn.SetReadDeadline(time.Now()) // each read of a body has its own deadline
		<-ended
	}
}

// SetReadDeadline implements net.Conn.
func (c *conn) SetReadDeadline(t time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.readUntil(t)
}

// SetDeadline implements net.Conn.
func (c *conn) SetDeadline(t time.Time) error {
	return errors.Join(c.SetReadDeadline(t), c.SetWriteDeadline(t))
}

func (c *conn) readUntil(t time.Time) error {
	switch {
	case c.phase == reading && !c.readBy.IsZero() && (t.IsZero() || c.readBy.Before(t)):
		t = c.readBy
	case t.IsZero() && c.phase == idle:
		t = time.Now().Add(ReadHeaderTimeout)
	case t.IsZero() && c.phase == ending:
		t = time.Now()
	}
	return c.Conn.SetReadDeadline(t)
}

// enter begins a phase.
func (c *conn) enter(p phase) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.phase, c.since = p, time.Now()
	if p == reading || p == handling {
		// In the phase handling a read is waiting already for the client to leave.
		_ = c.readUntil(time.Time{})
	}
}

// Expect implements arrival.Conn.
func (c *conn) Expect() { c.enter(reading) }

// Hurry implements places.Client.
func (c *conn) Hurry(by time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.readBy = by
	if c.phase == reading {
		_ = c.readUntil(by)
	}
}

// Waits implements places.Client.
func (c *conn) Waits() (since time.Time, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.since, c.phase == idle
}

// CloseWrite ends the connection's sending side, as net/http does before it closes one whose client still sends.
func (c *conn) CloseWrite() error {
	half, ok := c.Conn.(interface{ CloseWrite() error })
	if !ok {
		return fmt.Errorf("close the sending side: %w", errors.ErrUnsupported)
	}
	return half.CloseWrite()
}

// Close implements net.Conn.
func (c *conn) Close() error {
	defer c.once.Do(c.leave)
	return c.Conn.Close()
}
