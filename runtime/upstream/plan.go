package upstream

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/llmservice/llmservice/runtime/relay"
	"github.com/llmservice/llmservice/runtime/requestlog"
)

// Plan is what to ask of which upstreams.
type Plan struct {
	// Upstreams are tried in order, each endpoint once unless the upstream's retries say otherwise.
	Upstreams []*Upstream
	// Ask returns the question for one of them. Its error is a relay.Failure, or means that this upstream cannot be asked.
	Ask func(u *Upstream) (*Question, error)
	// Key returns the request's key at an upstream. It is called once for each upstream that spreads calls by keys. Nil means
	// that there is no key.
	Key func(ctx context.Context, u *Upstream) Key
	// Memory admits what is kept of answers; nil is relay.Unlimited.
	Memory relay.Memory
	// Spend, if set, is called with the usage of each call of a model, including those that failed or were cancelled.
	Spend func(s Spent)
	// Once keeps a request that is not idempotent from arriving twice.
	Once bool
}

// Attempts returns the function that chooses a request's attempts. It serves one request and is not for concurrent use.
func (p *Plan) Attempts() Next { return (&attempts{plan: p, rest: p.Upstreams}).next }

// attempts are those of a request.
type attempts struct {
	plan  *Plan
	rest  []*Upstream // those that may still be asked
	tried visits
	asked sent
	at    course // at the first of the rest
}

func (s *attempts) next(ctx context.Context, after relay.Failure) (*Attempt, relay.Failure) {
	p := s.plan
	s.at.failed(after, time.Now())
	again := s.asked.again(p, after)
	switch {
	case again:
		s.tried.forget(s.asked.endpoint)
		s.at.made--
	case after.Kind == relay.NoFailure:
	case !Retryable(after):
		return nil, after
	case len(s.rest) > 0 && !s.rest[0].retries.follow(after, p.Once):
		if p.Once && !after.Unsent {
			return nil, after
		}
		s.rest, s.at = s.rest[1:], course{}
	}
	retries := !again && after.Kind != relay.NoFailure && !after.Unsent
	for ; len(s.rest) > 0; s.rest, s.at = s.rest[1:], (course{}) { // the other endpoints would need the same credential, body and time
		if !s.at.goesOn(ctx, s.rest[0], &s.tried) {
			continue
		}
		s.at.retries = retries && s.at.made > 0
		attempt, failure := s.attempt(ctx, s.rest[0])
		if attempt != nil || ctx.Err() != nil {
			s.at.made++
			return attempt, failure
		}
		after = telling(after, failure)
	}
	if after.Kind == relay.NoFailure {
		after = relay.Failure{Kind: relay.FailedConnect, Unsent: true, Err: errNoEndpoint}
	}
	return nil, after
}

// telling returns the failure that says more: how an attempt failed, or why the next upstream was not asked. An upstream that
// was asked says more than one that refuses what it might be asked, or has no room for it.
func telling(asked, unasked relay.Failure) relay.Failure {
	if asked.Kind != relay.NoFailure && (unasked.Kind == relay.FailedStatus || unasked.Kind == relay.FailedBusy) {
		return asked
	}
	return unasked
}

var errNoEndpoint = errors.New("the upstream has no endpoint now")

// Retryable reports whether another endpoint or upstream may succeed after this failure. If an upstream finds a mistake in the
// request itself, another would find it, too.
func Retryable(f relay.Failure) bool {
	switch f.Kind {
	case relay.FailedConnect, relay.FailedDial, relay.FailedAddress, relay.FailedHeader, relay.FailedFirstToken, relay.FailedIdle,
		relay.FailedTotal, relay.FailedTruncated, relay.FailedMalformed, relay.FailedEvent, relay.FailedCredential, relay.FailedBusy:
		return true
	case relay.FailedStatus:
		return f.Status == http.StatusTooManyRequests || f.Status >= 500 || unauthorized(f)
	default:
		return false
	}
}

// ask is the question for an upstream, in a form that it accepts.
func (p *Plan) ask(u *Upstream) (*Question, error) {
	q, err := p.Ask(u)
	if err != nil || u.edit == nil {
		return q, err
	}
	if q.Body, err = u.edit(q.Path, q.Body); err != nil {
		return nil, err
	}
	return q, nil
}

// unasked is the failure of an attempt that was not made: its upstream cannot be asked this, but another may be.
func unasked(err error) relay.Failure {
	if f, ok := errors.AsType[relay.Failure](err); ok {
		return f
	}
	return relay.Failure{Kind: relay.FailedMalformed, Err: err}
}

// attempt asks an endpoint of an upstream that was not tried. A retry waits for the upstream's budget, within the attempt's
// time.
func (s *attempts) attempt(ctx context.Context, u *Upstream) (*Attempt, relay.Failure) {
	key := s.at.keyOf(ctx, s.plan, u)
	if !s.at.retries {
		t, failure := s.unbudgeted(ctx, u, key)
		return t.attempt(), failure
	}
	pool, began := u.balancer.pool, time.Now()
	if !pool.retry(ctx, &u.retries, u.Timeouts.patience(u.retries.Max)) {
		return nil, relay.FailureOf(ctx, busy(errNoBudget), relay.FailedBusy)
	}
	t, failure := s.unbudgeted(ctx, u, key)
	if t == nil {
		pool.retryEnded()
		return nil, failure
	}
	pool.retryMade()
	waited := time.Since(began)
	t.FirstToken, t.Total = max(t.FirstToken-waited, t.FirstToken/2), max(t.Total-waited, t.Total/2)
	t.retry = true
	return t.attempt(), failure
}

func (s *attempts) unbudgeted(ctx context.Context, u *Upstream, key Key) (*turn, relay.Failure) {
	q, err := s.plan.ask(u)
	if err != nil {
		return nil, unasked(err)
	}
	e, failure := u.balancer.acquire(ctx, &s.tried, key)
	if e == nil {
		return nil, failure
	}
	began := time.Now()
	s.tried.add(e)
	if q.Chosen != nil {
		q.Chosen(u.place(e))
	}
	t := &turn{plan: s.plan, upstream: u, question: q, endpoint: e}
	if err := t.sign(); err != nil {
		u.balancer.pool.release(e)
		return nil, relay.Failure{Kind: relay.FailedCredential, Err: err}
	}
	requestlog.IdentityIn(ctx).Send(t.call.Header)
	s.asked.with(u, e, t.keys)
	t.Attempt = Attempt{
		Upstream: u.Name, Number: s.asked.made, Began: began, Call: &t.call, Turn: t,
		Header: u.Timeouts.Header, FirstToken: u.Timeouts.FirstToken, Idle: u.Timeouts.Idle, Total: u.Timeouts.Total,
		Tap: q.Tap, Read: q.Read, Explain: q.Explain, Memory: s.plan.Memory,
	}
	return t, relay.Failure{}
}

// turn is an attempt at an endpoint. It implements Turn.
type turn struct {
	Attempt

	call     Call
	plan     *Plan
	upstream *Upstream
	question *Question
	endpoint *Endpoint
	keys     []key
	retry    bool // it counts in the budget of retries
}

// attempt is nil for no turn.
func (t *turn) attempt() *Attempt {
	if t == nil {
		return nil
	}
	return &t.Attempt
}

// sign makes the request for the endpoint, with the keys that go with it. The error names the file that cannot be read.
func (t *turn) sign() error {
	u := t.upstream
	var s signed
	if err := u.sign(t.question, &s); err != nil {
		return err
	}
	secure, err := u.secure()
	if err != nil {
		return err
	}
	t.keys = s.keys
	t.call = Call{
		Method: cmp.Or(t.question.Method, http.MethodPost), URL: strings.TrimSuffix(t.endpoint.URL, "/") + s.path,
		Header: s.header, Body: t.question.Body, Connect: u.Timeouts.Connect, Secure: secure, Address: t.endpoint.Address,
		MaxAge: u.maxAge, Once: t.plan.Once && !u.retries.repeats(),
	}
	return nil
}

// Release implements Turn.
func (t *turn) Release() {
	pool := t.upstream.balancer.pool
	pool.release(t.endpoint)
	if t.retry {
		pool.retryEnded()
	}
}

// Settle implements Turn.
func (t *turn) Settle(ctx context.Context, f relay.Failure) {
	u, now := t.upstream, time.Now()
	u.balancer.settle(t.endpoint, rate(f), t.Began, now)
	u.credentials.judged(u.Name, t.keys, f, now)
	t.plan.account(ctx, u, t.question, f)
}

// Answered implements Turn.
func (t *turn) Answered() { t.upstream.balancer.answered(t.endpoint, t.Began, time.Now()) }

// settled calls those who want to know how an attempt ended.
func settled(ctx context.Context, a *Attempt, f relay.Failure, observe func(upstream string, f relay.Failure)) {
	requestlog.Attempted(ctx, requestlog.Attempt{Upstream: a.Upstream, URL: a.Call.URL, Number: a.Number, Began: a.Began, Failure: f})
	if a.Turn != nil {
		a.Turn.Settle(ctx, f)
	}
	if observe != nil {
		observe(a.Upstream, f)
	}
}
