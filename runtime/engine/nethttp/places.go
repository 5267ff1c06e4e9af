package nethttp

import (
	"net"
	"sync"
	"time"
)

// sendBuffer is the kernel's for one connection, in bytes: what a client does not read takes no more memory than this,
// and one that reads slowly is seen to.
const sendBuffer = 128 << 10

// unhurried is how long a connection may wait for a request before it can lose its place: one that was just accepted
// has had no time to send any.
const unhurried = time.Second

// places is a listener that keeps no more connections open than there are places. Where all are taken, the one that
// has waited the longest for a request gives up its own; if none waits, a new connection does.
type places struct {
	net.Listener

	limit func() int
	stall time.Duration

	mu     sync.Mutex
	left   *sync.Cond // a connection has left, or the listener was closed
	open   map[*conn]struct{}
	readBy time.Time // bounds the arrival of bodies while draining; zero for none
	closed bool
}

func newPlaces(l net.Listener, o *Options) *places {
	p := &places{Listener: l, limit: o.Connections, stall: o.WriteTimeout, open: map[*conn]struct{}{}}
	p.left = sync.NewCond(&p.mu)
	return p
}

// Accept implements net.Listener.
func (p *places) Accept() (net.Conn, error) {
	accepted, err := p.Listener.Accept()
	if err != nil {
		return nil, err
	}
	if tcp, ok := accepted.(*net.TCPConn); ok {
		_ = tcp.SetWriteBuffer(sendBuffer) // the kernel's own choice serves too
	}
	c := newConn(accepted, p.stall)
	c.leave = func() { p.leave(c) }
	if err := p.enter(c); err != nil {
		_ = accepted.Close()
		return nil, err
	}
	return c, nil
}

// enter waits for a place.
func (p *places) enter(c *conn) error {
	for {
		p.mu.Lock()
		if p.closed {
			p.mu.Unlock()
			return net.ErrClosed
		}
		if len(p.open) < p.limit() {
			p.open[c] = struct{}{}
			c.hurry(p.readBy)
			p.mu.Unlock()
			return nil
		}
		longest := p.longestWaiting()
		if longest == nil {
			again := time.AfterFunc(unhurried, p.left.Broadcast)
			p.left.Wait()
			again.Stop()
		}
		p.mu.Unlock()
		if longest != nil {
			_ = longest.Close()
		}
	}
}

func (p *places) longestWaiting() *conn {
	var longest *conn
	since := time.Now().Add(-unhurried)
	for c := range p.open {
		if began, ok := c.waits(); ok && !began.After(since) {
			longest, since = c, began
		}
	}
	return longest
}

func (p *places) leave(c *conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.open, c)
	p.left.Signal()
}

// hurry bounds the arrival of all bodies that are being read.
func (p *places) hurry(by time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.readBy = by
	for c := range p.open {
		c.hurry(by)
	}
}

// Close implements net.Listener.
func (p *places) Close() error {
	p.mu.Lock()
	p.closed = true
	p.left.Broadcast()
	p.mu.Unlock()
	return p.Listener.Close()
}
