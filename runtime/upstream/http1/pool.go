package http1

import (
	"sync"
	"time"
)

// Pool keeps connections that are not in use, by what they may be used for. Idle and Most are set before the first call.
type Pool[K comparable] struct {
	// Idle is how long a connection may be without use, and Most how many of a key may be.
	Idle time.Duration
	Most int

	mu     sync.Mutex
	idle   map[K]*stack
	sweep  *time.Timer // nil while there is nothing to sweep
	closed bool
}

// stack has the connection that was used last at its end, so that those that are not needed grow old.
type stack struct{ conns []*Conn }

// Adopt makes the pool take the connection back after each call.
func (p *Pool[K]) Adopt(key K, c *Conn) {
	c.home = func(c *Conn) { p.put(key, c) }
}

// Get returns a connection that can be used, or nil. It closes those that cannot.
func (p *Pool[K]) Get(key K) *Conn {
	for {
		c := p.pop(key)
		if c == nil || time.Since(c.since) < p.Idle && c.alive() {
			return c
		}
		c.Close()
	}
}

func (p *Pool[K]) pop(key K) *Conn {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := p.idle[key]
	if s == nil || len(s.conns) == 0 {
		return nil
	}
	end := len(s.conns) - 1
	c := s.conns[end]
	s.conns[end] = nil
	s.conns = s.conns[:end]
	return c
}

func (p *Pool[K]) put(key K, c *Conn) {
	c.since = time.Now()
	if !p.push(key, c) {
		c.Close()
	}
}

func (p *Pool[K]) push(key K, c *Conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := p.idle[key]
	switch {
	case p.closed, s != nil && len(s.conns) >= p.Most:
		return false
	case p.idle == nil:
		p.idle = map[K]*stack{}
	}
	if s == nil {
		s = &stack{}
		p.idle[key] = s
	}
	s.conns = append(s.conns, c)
	if p.sweep == nil {
		p.sweep = time.AfterFunc(p.Idle, p.expire)
	}
	return true
}

// expire closes what has been idle for long enough, and comes again when more will have been.
func (p *Pool[K]) expire() {
	old := p.expired(time.Now())
	for _, c := range old {
		c.Close()
	}
}

func (p *Pool[K]) expired(now time.Time) (old []*Conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	next := time.Duration(-1)
	for key, s := range p.idle {
		n := 0
		for n < len(s.conns) && now.Sub(s.conns[n].since) >= p.Idle {
			n++
		}
		old = append(old, s.conns[:n]...)
		s.conns = append([]*Conn(nil), s.conns[n:]...) // nothing is kept of a crowd that is gone
		if len(s.conns) == 0 {
			delete(p.idle, key)
			continue
		}
		if left := p.Idle - now.Sub(s.conns[0].since); next < 0 || left < next {
			next = left
		}
	}
	if p.sweep = nil; next >= 0 && !p.closed {
		p.sweep = time.AfterFunc(next, p.expire)
	}
	return old
}

// Close closes the idle connections, and each other one after its call.
func (p *Pool[K]) Close() {
	for _, c := range p.empty() {
		c.Close()
	}
}

func (p *Pool[K]) empty() (all []*Conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	if p.sweep != nil {
		p.sweep.Stop()
	}
	for _, s := range p.idle {
		all = append(all, s.conns...)
	}
	p.idle = nil
	return all
}
