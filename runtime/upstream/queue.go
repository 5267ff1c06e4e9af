package upstream

import (
	"container/list"
	"context"
	"errors"
	"time"

	"github.com/llmservice/llmservice/runtime/relay"
)

// Limit bounds the calls of an upstream. The bound of each endpoint is in Member.
type Limit struct {
	// MaxInFlight is how many calls may be open; 0 means any number.
	MaxInFlight int
	// Queue is how many calls may wait until one ends, and Wait for how long each.
	Queue int
	Wait  time.Duration
}

var (
	errFull  = errors.New("the upstream has as many calls as it may have, and none ended in time")
	errTried = errors.New("the upstream has no endpoint that was not tried")
)

// busy is the failure of a call that was not made.
func busy(because error) relay.Failure {
	return relay.Failure{Kind: relay.FailedBusy, Unsent: true, Err: because}
}

// failure returns why nothing was chosen and waiting would not help.
func (c choice) failure() relay.Failure {
	if c.endpoint == nil {
		return busy(errTried)
	}
	return relay.Failure{}
}

// waiter is a call that waits until it may choose an endpoint.
type waiter struct {
	balancer *balancer
	tried    *visits
	key      Key
	given    chan *Endpoint // has room for one
}

// acquire chooses an endpoint that was not tried, and counts a call on it; the caller has to release it. If all endpoints that
// may be chosen have as many calls as they may have, it waits for its turn. It returns nil with a failure.
func (b *balancer) acquire(ctx context.Context, tried *visits, key Key) (*Endpoint, relay.Failure) {
	now := time.Now()
	b.pool.mu.Lock()
	b.pool.serveWaiting(now) // calls that have waited longer go first
	v := b.choose(tried, key, now)
	if v.endpoint != nil {
		b.pool.take(v.endpoint)
	}
	if v.endpoint != nil || !v.full {
		b.pool.mu.Unlock()
		return v.endpoint, v.failure()
	}
	if b.pool.waiting.Len() >= b.limit.Queue {
		b.pool.refusals++
		b.pool.mu.Unlock()
		return nil, busy(errFull)
	}
	w := &waiter{balancer: b, tried: tried, key: key, given: make(chan *Endpoint, 1)}
	place := b.pool.waiting.PushBack(w)
	b.pool.mu.Unlock()
	return w.wait(ctx, place, v.until)
}

// wait waits until a call ends, or until an endpoint that is left out may be asked again.
func (w *waiter) wait(ctx context.Context, place *list.Element, until time.Time) (*Endpoint, relay.Failure) {
	pool := w.balancer.pool
	patience := time.NewTimer(w.balancer.limit.Wait)
	defer patience.Stop()
	var again <-chan time.Time
	if !until.IsZero() {
		timer := time.NewTicker(max(time.Until(until), time.Millisecond))
		defer timer.Stop()
		again = timer.C
	}
	for {
		select {
		case e := <-w.given:
			return e, relay.Failure{}
		case <-again:
			pool.mu.Lock()
			pool.serveWaiting(time.Now())
			pool.mu.Unlock()
		case <-patience.C:
			return pool.leave(w, place, busy(errFull))
		case <-ctx.Done():
			return pool.leave(w, place, relay.FailureOf(ctx, ctx.Err(), relay.FailedBusy))
		}
	}
}

// leave ends a wait with a failure, unless the waiter has just been served.
func (p *Pool) leave(w *waiter, place *list.Element, f relay.Failure) (*Endpoint, relay.Failure) {
	p.mu.Lock()
	defer p.mu.Unlock()
	select {
	case e := <-w.given:
		return e, relay.Failure{}
	default:
		p.waiting.Remove(place)
		if f.Kind == relay.FailedBusy {
			p.refusals++
		}
		return nil, f
	}
}

// serveWaiting lets waiting calls choose, in the order of their arrival. The lock is held.
func (p *Pool) serveWaiting(now time.Time) {
	for place := p.waiting.Front(); place != nil; {
		w, next := place.Value.(*waiter), place.Next() //nolint:forcetypeassert // the list holds nothing else
		v := w.balancer.choose(w.tried, w.key, now)
		if v.endpoint == nil && w.tried.none() {
			return // there is no room for any of them
		}
		if v.endpoint != nil {
			p.take(v.endpoint)
			p.waiting.Remove(place)
			w.given <- v.endpoint
		}
		place = next
	}
}
