package upstream

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/llmservice/llmservice/runtime/config"
	"github.com/llmservice/llmservice/runtime/relay"
)

// Calls above the limit wait in turn: no more are ever open, and each gets an endpoint when one ends.
func TestCallsWaitForTheirTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := pooled(Options{Limit: Limit{MaxInFlight: 3, Queue: 100, Wait: time.Minute}}, 1, 1)
		var served []int
		var mu sync.Mutex
		var calls sync.WaitGroup
		for i := range 12 {
			calls.Go(func() {
				time.Sleep(time.Duration(i)) // the order in which they come
				e, f := b.acquire(t.Context(), nil, 0)
				if e == nil {
					t.Errorf("call %d: %v", i, f)
					return
				}
				mu.Lock()
				served = append(served, i)
				mu.Unlock()
				if n := b.pool.open(); n > 3 {
					t.Errorf("%d calls are open", n)
				}
				time.Sleep(time.Second)
				b.pool.release(e)
			})
		}
		began := time.Now()
		calls.Wait()
		if took := time.Since(began).Truncate(time.Second); took != 4*time.Second {
			t.Errorf("12 calls of 1s took %s, want 4s", took)
		}
		if diff := cmp.Diff([]int{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11}, served); diff != "" {
			t.Error(diff)
		}
		b.atRest(t)
	})
}

func (p *Pool) open() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.inFlight
}

func (b *balancer) atRest(t *testing.T) {
	t.Helper()
	if b.pool.inFlight != 0 || b.pool.waiting.Len() != 0 {
		t.Errorf("at the end %d are open, %d wait", b.pool.inFlight, b.pool.waiting.Len())
	}
	for _, m := range b.set.Members() {
		if m.inFlight != 0 {
			t.Errorf("at the end %d are open at %s", m.inFlight, m.URL)
		}
	}
}

// A wait ends when its time is up or its caller leaves, and at once if too many wait already.
func TestWaitsAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := pooled(Options{Limit: Limit{MaxInFlight: 1, Queue: 2, Wait: 5 * time.Second}}, 1)
		held, _ := b.acquire(t.Context(), nil, 0)
		left, leave := context.WithCancel(t.Context())
		defer leave()
		timed, cancel := context.WithTimeoutCause(t.Context(), 2*time.Second, relay.Failure{Kind: relay.FailedTimeout})
		defer cancel()
		for name, tt := range map[string]struct {
			ctx  context.Context
			want relay.FailureKind
			wait time.Duration
		}{
			"its time is over":      {t.Context(), relay.FailedBusy, 5 * time.Second},
			"the route's time is":   {timed, relay.FailedTimeout, 2 * time.Second},
			"its client has gone":   {left, relay.FailedClient, time.Second},
			"its client has gone 2": {left, relay.FailedClient, 0},
		} {
			time.AfterFunc(time.Second, leave)
			began := time.Now()
			e, f := b.acquire(tt.ctx, nil, 0)
			if waited := time.Since(began); e != nil || f.Kind != tt.want || waited > max(tt.wait, 2*time.Second) && waited != tt.wait {
				t.Errorf("%s: %v, %v after %s", name, e, f, waited)
			}
		}
		var waiting sync.WaitGroup
		for range 2 {
			waiting.Go(func() { _, _ = b.acquire(t.Context(), nil, 0) })
		}
		synctest.Wait()
		began := time.Now()
		if e, f := b.acquire(t.Context(), nil, 0); e != nil || f.Kind != relay.FailedBusy || !f.Unsent || time.Since(began) > 0 {
			t.Errorf("beyond the queue: %v, %v after %s", e, f, time.Since(began))
		}
		waiting.Wait()
		b.pool.release(held)
		b.atRest(t)
	})
}

// An endpoint's limit makes calls wait as the upstream's does; a call that cannot use the free endpoint lets others pass.
func TestCallsWaitForAnEndpoint(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := pooled(Options{Limit: Limit{Queue: 10, Wait: time.Minute}}, 1, 1)
		for i := range b.set.(Members) {
			b.set.(Members)[i].MaxInFlight = 1
		}
		first, _ := b.acquire(t.Context(), nil, 0)
		second, _ := b.acquire(t.Context(), nil, 0)
		var calls sync.WaitGroup
		var order []string
		for i, tried := range []*visits{{first: first}, nil} {
			calls.Go(func() {
				time.Sleep(time.Duration(i))
				e, f := b.acquire(t.Context(), tried, 0)
				if e == nil || tried.has(e) {
					t.Errorf("call %d: %v, %v", i, e, f)
					return
				}
				order = append(order, e.URL)
				b.pool.release(e)
			})
		}
		time.Sleep(time.Second)
		b.pool.release(first)
		synctest.Wait()
		if diff := cmp.Diff([]string{first.URL}, order); diff != "" {
			t.Error(diff)
		}
		b.pool.release(second)
		calls.Wait()
		if diff := cmp.Diff([]string{first.URL, second.URL}, order); diff != "" {
			t.Error(diff)
		}
		b.atRest(t)
	})
}

// A call that waits because the healthy endpoints have as many calls as they may have gets the endpoint whose pause ends.
func TestTheEndOfAPauseEndsAWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := pooled(Options{Limit: Limit{Queue: 10, Wait: time.Minute}}, 1, 1)
		b.random = func() float64 { return 0 }
		b.set.(Members)[0].MaxInFlight = 1
		b.ends(b.member("b"), refused, time.Now())
		held, _ := b.acquire(t.Context(), nil, 0)
		began := time.Now()
		e, f := b.acquire(t.Context(), nil, 0)
		if e == nil || e.URL != "b" || time.Since(began) != config.FirstPause {
			t.Fatalf("%v, %v after %s", e, f, time.Since(began))
		}
		b.pool.release(e)
		b.pool.release(held)
		b.atRest(t)
	})
}

// A full upstream hands over to the next one of its model, and if none has room, the request gets an error that says so.
func TestAFullUpstreamHandsOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := two(t, nil, "")
		p.Upstreams[0].balancer.limit = Limit{MaxInFlight: 1, Queue: 1, Wait: time.Second}
		held, _ := p.Attempts()(t.Context(), relay.Failure{})
		next := p.Attempts()
		second, _ := next(t.Context(), relay.Failure{})
		if second == nil || second.Upstream != "second" {
			t.Fatalf("asked %+v", second)
		}
		second.Release()
		if third, final := next(t.Context(), broken500); third != nil || final.Status != 500 {
			t.Errorf("asked %+v, and failed with %v", third, final)
		}
		p.Upstreams = p.Upstreams[:1]
		if a, final := p.Attempts()(t.Context(), relay.Failure{}); a != nil || final.Kind != relay.FailedBusy || describe(final).Status != 429 {
			t.Errorf("asked %+v, and failed with %v", a, final)
		}
		held.Release()
		p.Upstreams[0].balancer.atRest(t)
	})
}
