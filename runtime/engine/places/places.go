// Package places bounds the connections of clients that are open at once, those of one engine or of several together.
package places

import (
	"net"
	"sync"
	"time"
)

// unhurried is how long a connection may wait for a request before it can lose its place: one that was just accepted
// has had no time to send any.
const unhurried = time.Second

// Client is a connection that has a place.
type Client interface {
	// Waits returns the time since which the connection has had no request, if it has none.
	Waits() (since time.Time, ok bool)
	// Hurry bounds the arrival of the body that the connection may be reading. The zero time means unlimited.
	Hurry(by time.Time)
	// Close closes the connection. Its owner then calls Leave.
	Close() error
}

// Places are no more than a limit. Where all are taken, the connection that has waited the longest for a request gives
// up its own; if none waits, a new connection does.
type Places struct {
	limit func() int

	mu     sync.Mutex
	left   *sync.Cond // a connection has left, or there are no more places
	open   map[Client]struct{}
	readBy time.Time // bounds the arrival of bodies while draining; zero for none
	closed bool
}

// New returns places, all of which are free. The limit may change.
func New(limit func() int) *Places {
	p := &Places{limit: limit, open: map[Client]struct{}{}}
	p.left = sync.NewCond(&p.mu)
	return p
}

// Enter waits for a place. The error is net.ErrClosed.
func (p *Places) Enter(c Client) error {
	for {
		p.mu.Lock()
		if p.closed {
			p.mu.Unlock()
			return net.ErrClosed
		}
		if len(p.open) < p.limit() {
			p.take(c)
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

func (p *Places) take(c Client) {
	p.open[c] = struct{}{}
	c.Hurry(p.readBy)
}

// Succeed gives a connection the place of another, which is the same connection in other hands.
func (p *Places) Succeed(from, c Client) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.open, from)
	p.take(c)
}

func (p *Places) longestWaiting() Client {
	var longest Client
	since := time.Now().Add(-unhurried)
	for c := range p.open {
		if began, ok := c.Waits(); ok && !began.After(since) {
			longest, since = c, began
		}
	}
	return longest
}

// Leave gives a place back. A connection that has none may leave, too.
func (p *Places) Leave(c Client) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.open, c)
	p.left.Signal()
}

// Hurry bounds the arrival of all bodies that are being read, and of those that come later.
func (p *Places) Hurry(by time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.readBy = by
	for c := range p.open {
		c.Hurry(by)
	}
}

// Close has Enter fail.
func (p *Places) Close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	p.left.Broadcast()
}
