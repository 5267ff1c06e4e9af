package http1

import (
	"bufio"
	"io"
	"net"
	"testing"
	"time"
)

func idling(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return l.Addr().String()
}

func closed(c *Conn) bool {
	_, err := c.socket.Write([]byte("x"))
	return err != nil
}

// The connection that was used last is used next, and those that nobody needs grow old.
func TestIdleConnections(t *testing.T) {
	address := idling(t)
	p := newPool()
	now := time.Now()
	var conns []*Conn
	for i := range 3 {
		c := dial(t, p, address)
		c.home(c)
		c.since = now.Add(time.Duration(i) * time.Second)
		conns = append(conns, c)
	}
	if got := p.Get(""); got != conns[2] {
		t.Error("another one than the last")
	}
	p.Close() // it ends the timer; what follows is as if it had gone off
	p.closed = false
	for _, c := range conns[:2] {
		if !closed(c) {
			t.Error("an idle connection is open")
		}
	}
	conns = conns[:0]
	for i := range 3 {
		c := dial(t, p, address)
		c.home(c)
		c.since = now.Add(time.Duration(i) * time.Second)
		conns = append(conns, c)
	}
	defer p.Close()
	if old := p.expired(now.Add(p.Idle + time.Second)); len(old) != 2 || old[0] != conns[0] || old[1] != conns[1] {
		t.Errorf("%d are old, want the first two", len(old))
	}
	if len(p.idle[""].conns) != 1 || p.sweep == nil {
		t.Error("the third is not kept, or will not grow old")
	}
	if old := p.expired(now.Add(p.Idle + 2*time.Second)); len(old) != 1 || len(p.idle) != 0 || p.sweep != nil {
		t.Errorf("%d are old, want the last; %d keys are kept", len(old), len(p.idle))
	}
}

func TestAnOldConnectionIsNotUsed(t *testing.T) {
	p := newPool()
	c := dial(t, p, idling(t))
	defer p.Close()
	c.home(c)
	c.since = c.since.Add(-p.Idle)
	if p.Get("") != nil || !closed(c) {
		t.Error("it is used, or open")
	}
}

func TestTheSweepClosesThem(t *testing.T) {
	gone := make(chan struct{})
	p := &Pool[string]{Idle: time.Millisecond, Most: 1}
	c := dial(t, p, server(t, func(_ net.Conn, requests *bufio.Reader) {
		_, _ = io.Copy(io.Discard, requests)
		close(gone)
	}))
	c.home(c)
	select {
	case <-gone:
	case <-time.After(patience):
		t.Error("nobody has closed it")
	}
}

func TestThePoolIsBounded(t *testing.T) {
	address := idling(t)
	p := newPool()
	p.Most = 1
	first, second := dial(t, p, address), dial(t, p, address)
	first.home(first)
	second.home(second)
	if closed(first) || !closed(second) {
		t.Error("more than one is kept, or none")
	}
	p.Close()
	third := dial(t, p, address)
	third.home(third)
	if !closed(first) || !closed(third) {
		t.Error("a pool that is closed keeps connections")
	}
}
