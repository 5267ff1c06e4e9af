package http1

import (
	"net"
	"sync"
	"time"
)

// phase is what a connection is doing.
type phase int

const (
	// idle is from the connection's start, or a request's end, until the next request's head has been read.
	idle phase = iota
	// reading is the arrival of a request's body.
	reading
	// handling is the time in which an answer is made and sent.
	handling
)

// deadline bounds the reading of a connection. It is set often and passes seldom, so the connection's own deadline, which
// is a timer, stays as it is while it is not too late: when it passes too early, it is set again.
type deadline struct {
	conn net.Conn

	mu     sync.Mutex
	phase  phase
	since  time.Time // of the last idle phase
	by     time.Time // as it was set
	readBy time.Time // bounds the arrival of a body while draining; zero for none
	armed  time.Time // the connection's own; zero for none
}

func newDeadline(c net.Conn) *deadline { return &deadline{conn: c, since: time.Now()} }

// enter begins a phase.
func (d *deadline) enter(p phase) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.phase = p; p == idle {
		d.since = time.Now()
	}
}

// set bounds the reads to come.
func (d *deadline) set(by time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.by = by
}

// limit is the bound of the moment.
func (d *deadline) limit() time.Time {
	if d.phase == reading && !d.readBy.IsZero() && d.readBy.Before(d.by) {
		return d.readBy
	}
	return d.by
}

// early reports whether the connection's own deadline is early enough for a read that waits.
func (d *deadline) early() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return !d.armed.IsZero() && !d.armed.After(d.limit())
}

// arm sets the connection's own deadline, if it is too late.
func (d *deadline) arm() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if limit := d.limit(); d.armed.IsZero() || d.armed.After(limit) {
		d.wake(limit)
	}
}

// passed reports, after the connection's own deadline has passed, whether that was the limit. If it was not, the read
// may go on.
func (d *deadline) passed() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	limit := d.limit()
	if !time.Now().Before(limit) {
		return true
	}
	d.wake(limit)
	return false
}

// wake sets the connection's own deadline. It fails only if the connection is closed, as the read will.
func (d *deadline) wake(at time.Time) {
	_ = d.conn.SetReadDeadline(at)
	d.armed = at
}

// suspend has reads wait without a bound, and interrupt ends them.
func (d *deadline) suspend() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.wake(time.Time{})
}

func (d *deadline) interrupt() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.wake(time.Now())
}

// Hurry implements places.Client.
func (d *deadline) Hurry(by time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.readBy = by
	if limit := d.limit(); d.phase == reading && (d.armed.IsZero() || d.armed.After(limit)) {
		d.wake(limit)
	}
}

// Waits implements places.Client.
func (d *deadline) Waits() (since time.Time, ok bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.since, d.phase == idle
}
