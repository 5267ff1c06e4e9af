package upstream

import (
	"cmp"
	"context"
	"errors"
	"math/rand/v2"
	"net/http"
	"slices"
	"time"

	"github.com/llmservice/llmservice/runtime/config"
	"github.com/llmservice/llmservice/runtime/relay"
)

// conditionOf is the condition that a failure meets; empty if it meets none.
func conditionOf(f relay.Failure) string {
	switch f.Kind {
	case relay.FailedConnect, relay.FailedDial, relay.FailedAddress:
		if f.Unsent {
			return config.RetryConnect
		}
		return config.RetryReset
	case relay.FailedTruncated:
		return config.RetryReset
	case relay.FailedMalformed, relay.FailedEvent:
		return config.RetryServerError
	case relay.FailedHeader, relay.FailedFirstToken, relay.FailedIdle, relay.FailedTotal:
		if f.Unsent {
			return config.RetryConnect // the time ran out during dialling
		}
		return config.RetryTimeout
	case relay.FailedStatus:
		switch {
		case f.Status == http.StatusTooManyRequests:
			return config.RetryTooManyRequests
		case f.Status >= http.StatusInternalServerError:
			return config.RetryServerError
		}
		return ""
	default:
		return ""
	}
}

// Retries decide when a call that failed is made again at the same upstream. A zero value stands for a default.
type Retries struct {
	// On are conditions of package config. If there are none, all apply, or only Connect if a request must not arrive twice.
	On []string
	// Attempts is how often the upstream is asked for one request; 0 means once at each endpoint.
	Attempts int
	// Endpoints is how many endpoints a request asks if Attempts is 0; 0 means all of them. A host may have many addresses.
	Endpoints int
	// First is the pause before an endpoint is asked again; it doubles with each round over the endpoints, up to Max. A random
	// part of up to a half is subtracted. Max also bounds the time that an upstream may ask for with Retry-After, and the wait
	// for the budget.
	First, Max time.Duration
	// BudgetPercent is the share of the open calls that may be retries of calls that were sent.
	BudgetPercent int
}

// The other defaults of Retries.
const (
	budgetShare  = 20
	drawnOfRetry = 0.5
	// leastRetries may be open even if the share is less, as it is if there are few calls.
	leastRetries = 3
)

func (r *Retries) orDefaults() Retries {
	d := *r
	d.First = cmp.Or(d.First, config.DefaultRetry.Initial.Std())
	d.Max = cmp.Or(d.Max, config.DefaultRetry.Max.Std())
	d.BudgetPercent = cmp.Or(d.BudgetPercent, budgetShare)
	return d
}

// follow reports whether another attempt may follow a failure. Once means that the request must not arrive twice, unless the
// upstream's conditions allow it.
func (r *Retries) follow(after relay.Failure, once bool) bool {
	c := conditionOf(after)
	switch {
	case len(r.On) > 0:
		return slices.Contains(r.On, c)
	case once:
		return c == config.RetryConnect
	}
	return c != ""
}

// most is how often the upstream is asked for one request; 0 means once at each endpoint.
func (r *Retries) most() int { return cmp.Or(r.Attempts, r.Endpoints) }

// repeats reports whether a request that must not arrive twice may be sent again after a connection broke.
func (r *Retries) repeats() bool { return slices.Contains(r.On, config.RetryReset) }

// pause is how long to wait before the endpoints are asked again, the given time in a row. Random is from 0 up to 1.
func (r *Retries) pause(round int, random float64) time.Duration {
	pause := r.First
	for ; round > 1 && pause < r.Max; round-- {
		pause *= 2
	}
	pause = min(pause, r.Max)
	return pause - time.Duration(drawnOfRetry*random*float64(pause))
}

// course is how far a request has come at one upstream.
type course struct {
	made, rounds int
	retries      bool // the next attempt follows one that was sent
	// key is the request's key at the upstream, once it is known.
	key   Key
	keyed bool
	// notBefore is the latest time for which an endpoint asked to be left alone.
	notBefore time.Time
}

// keyOf is the request's key at the upstream, which is the same for all attempts.
func (c *course) keyOf(ctx context.Context, p *Plan, u *Upstream) Key {
	if _, byKeys := u.balancer.strategy.(consistentHash); !byKeys || u.balancer.only != nil || c.keyed {
		return c.key
	}
	if c.keyed = true; p.Key != nil {
		c.key = p.Key(ctx, u)
	}
	if c.key == 0 {
		u.balancer.pool.noKey()
	}
	return c.key
}

// failed records how the last attempt ended.
func (c *course) failed(f relay.Failure, now time.Time) {
	if until := now.Add(f.RetryAfter); f.RetryAfter > 0 && until.After(c.notBefore) {
		c.notBefore = until
	}
}

// goesOn reports whether the upstream may be asked once more, and waits if each endpoint was tried. It gives up at once if the
// wait would be longer than allowed.
func (c *course) goesOn(ctx context.Context, u *Upstream, tried *visits) bool {
	switch left := u.balancer.left(tried); {
	case u.retries.most() > 0 && c.made >= u.retries.most():
		return false
	case left:
		return true
	case u.retries.Attempts == 0 || c.made == 0:
		return false
	}
	c.rounds++
	pause := max(u.retries.pause(c.rounds, rand.Float64()), time.Until(c.notBefore)) //nolint:gosec // not a secret
	deadline, bounded := ctx.Deadline()
	if pause > u.retries.Max || bounded && time.Until(deadline) <= pause || !slept(ctx, pause) {
		return false
	}
	for _, m := range u.balancer.members() {
		tried.forget(m.Endpoint)
	}
	return true
}

// slept waits for a time; false if ctx ended first.
func slept(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

var errNoBudget = errors.New("the upstream has as many retries open as it may have")

// budgeted reports whether one more retry may be open. The lock is held.
func (p *Pool) budgeted(percent int) bool {
	return p.retries < max(leastRetries, percent*p.inFlight/100)
}

// retrying is a retry that waits until the budget allows it.
type retrying struct {
	percent int
	given   chan struct{} // has room for one
}

// retry counts a retry, which the caller has to end, and waits until the budget allows it; false if the budget did not allow it
// in time.
func (p *Pool) retry(ctx context.Context, r *Retries, within time.Duration) bool {
	w := retrying{r.BudgetPercent, make(chan struct{}, 1)}
	p.mu.Lock()
	place := p.retrying.PushBack(w)
	p.serveRetrying()
	p.mu.Unlock()
	timer := time.NewTimer(within)
	defer timer.Stop()
	select {
	case <-w.given:
		return true
	case <-timer.C:
	case <-ctx.Done():
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	select {
	case <-w.given:
		return true
	default:
		p.retrying.Remove(place)
		p.retriesRefused++
		return false
	}
}

// retryMade counts a retry that was allowed and has an endpoint.
func (p *Pool) retryMade() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.retriesMade++
}

// retryEnded counts the end of a retry, and lets waiting ones go on.
func (p *Pool) retryEnded() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.retries--
	p.serveRetrying()
}

// serveRetrying lets waiting retries go on, in the order of their arrival, as far as the budget allows. The lock is held.
func (p *Pool) serveRetrying() {
	for place := p.retrying.Front(); place != nil; place = p.retrying.Front() {
		w := place.Value.(retrying) //nolint:forcetypeassert // the list holds nothing else
		if !p.budgeted(w.percent) {
			return
		}
		p.retries++
		p.retrying.Remove(place)
		w.given <- struct{}{}
	}
}
