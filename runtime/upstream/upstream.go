package upstream

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/llmservice/llmservice/runtime/llm"
	"github.com/llmservice/llmservice/runtime/problem"
	"github.com/llmservice/llmservice/runtime/relay"
	"github.com/llmservice/llmservice/runtime/requestlog"
)

// Upstream is a configured upstream, ready to be called.
type Upstream struct {
	Name string
	// Model is the upstream's own name for the model.
	Model    string
	Timeouts Timeouts
	// Dialect is the one that its models speak; nil for a service without models.
	Dialect llm.Dialect
	// passes are the endpoints of clients that the upstream has, too: bytes pass from one to the other.
	passes []llm.Endpoint
	// edit makes the upstream accept a question; nil if it accepts all.
	edit   func(path string, body []byte) ([]byte, error)
	prices *Prices // may be nil
	// Auth is how the gateway authenticates to the upstream.
	Auth           Auth
	headers, query []Value
	credentials    *Credentials
	secured        *security // nil if the upstream has no settings of its own
	maxAge         time.Duration
	balancer       balancer
	retries        Retries
}

// Timeouts bound one call.
type Timeouts struct {
	Connect time.Duration
	// Header is 0 if only FirstToken and Total bound the wait for the head.
	Header, FirstToken, Idle, Total time.Duration
}

// patience is how long an attempt may wait for its turn: at most the given time, and at most half of its own.
func (t *Timeouts) patience(most time.Duration) time.Duration {
	for _, bound := range []time.Duration{t.FirstToken, t.Total} {
		if bound > 0 {
			most = min(most, bound/2)
		}
	}
	return most
}

// Options describe an upstream.
type Options struct {
	Name, Model string
	Dialect     llm.Dialect
	// Passes are the endpoints of clients that the upstream has, too.
	Passes []llm.Endpoint
	// Edit, if set, changes a question at a path so that the upstream accepts it.
	Edit     func(path string, body []byte) ([]byte, error)
	Timeouts Timeouts
	// Endpoints are those that calls are spread over, at least one. Pool is their state; upstreams that share an endpoint share
	// its pool. A nil one is new.
	Endpoints Set
	Pool      *Pool
	// LoadBalancing is one of package config, by which each call gets an endpoint that Ejection has not left out. Zero values are
	// defaults.
	LoadBalancing string
	// HashLoadPercent bounds the open calls of an endpoint under ConsistentHash, in percent of its share; from 100.
	HashLoadPercent int
	Ejection        Ejection
	// SlowStart is how long an endpoint that was left out takes to come back to its share; with 0 it has it at once.
	SlowStart time.Duration
	// Limit bounds the open calls; the zero value does not.
	Limit Limit
	// Retries decide when a call that failed is made again.
	Retries Retries
	// Prices are those of the model's tokens; may be nil.
	Prices *Prices
	// Auth is how the gateway authenticates to the upstream.
	Auth Auth
	// Headers are sent with every request, unless the question has a field of that name. Query is added to every URL without
	// such a parameter.
	Headers, Query []Value
	// TLS is how the gateway and the upstream authenticate each other.
	TLS TLS
	// MaxConnectionAge is how long a connection is used for further requests; 0 means for ever.
	MaxConnectionAge time.Duration
	// Credentials have the contents of the files that the other options name.
	Credentials *Credentials
}

// New returns an upstream.
func New(o Options) *Upstream {
	u := &Upstream{
		Name: o.Name, Model: o.Model, Dialect: o.Dialect, passes: o.Passes, edit: o.Edit, Timeouts: o.Timeouts, prices: o.Prices,
		Auth:    o.Auth,
		headers: o.Headers, query: o.Query, credentials: o.Credentials, maxAge: o.MaxConnectionAge,
		balancer: newBalancer(&o), retries: o.Retries.orDefaults(),
	}
	if o.TLS != (TLS{}) {
		u.secured = o.Credentials.securityOf(o.TLS)
	}
	return u
}

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

// Question is a request to an upstream in its dialect, and how its answer is read.
type Question struct {
	// Method is POST if it is empty.
	Method string
	// Path is appended to an endpoint's URL. It may have a query.
	Path string
	// Header has further fields of the request. One without a value is left out, even if the gateway would set it.
	Header http.Header
	Body   []byte
	// Tap, if set, asks for a stream. Tap, Read and Explain are those of the attempt.
	Tap     FrameTap
	Read    func(a *Fetched) error
	Explain func(body []byte) *problem.Said
	// Chosen, if set, is called with the chosen endpoint, before anything but the path, method and body of the question is
	// read.
	Chosen func(at llm.Place)
	// Used, if set, counts the answer's tokens as Tap and Read see them; nil if the answer has none.
	Used *llm.Used
}

// NewQuestion makes a question of a dialect's request.
func NewQuestion(r *llm.Request) *Question {
	return &Question{Path: r.Path, Header: r.Header, Body: r.Body, Used: &llm.Used{}}
}

// accept is the media type that is asked for.
func (q *Question) accept() []string {
	if q.Tap != nil {
		return acceptEvents
	}
	return acceptJSON
}

// Attempts returns the function that chooses a request's attempts. It serves one request and is not for concurrent use.
func (p *Plan) Attempts() Next {
	rest := slices.Clone(p.Upstreams)
	tried := map[*Endpoint]bool{}
	var asked sent
	var at course
	return func(ctx context.Context, after relay.Failure) (*Attempt, relay.Failure) {
		at.failed(after, time.Now())
		again := asked.again(p, after)
		switch {
		case again:
			delete(tried, asked.endpoint)
			at.made--
		case after.Kind == relay.NoFailure:
		case !Retryable(after):
			return nil, after
		case len(rest) > 0 && !rest[0].retries.follow(after, p.Once):
			if p.Once && !after.Unsent {
				return nil, after
			}
			rest, at = rest[1:], course{}
		}
		retries := !again && after.Kind != relay.NoFailure && !after.Unsent
		for ; len(rest) > 0; rest, at = rest[1:], (course{}) { // the other endpoints would need the same credential, body and time
			if !at.goesOn(ctx, rest[0], tried) {
				continue
			}
			at.retries = retries && at.made > 0
			attempt, failure := p.attempt(ctx, rest[0], &at, tried, &asked)
			if attempt != nil || ctx.Err() != nil {
				at.made++
				return attempt, failure
			}
			after = telling(after, failure)
		}
		if after.Kind == relay.NoFailure {
			after = relay.Failure{Kind: relay.FailedConnect, Unsent: true, Err: errNoEndpoint}
		}
		return nil, after
	}
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

// attempt asks an endpoint of an upstream that was not tried. A retry waits for the upstream's budget, within the attempt's
// time.
func (p *Plan) attempt(
	ctx context.Context, u *Upstream, at *course, tried map[*Endpoint]bool, asked *sent,
) (*Attempt, relay.Failure) {
	key := at.keyOf(ctx, p, u)
	if !at.retries {
		return p.unbudgeted(ctx, u, key, tried, asked)
	}
	pool, began := u.balancer.pool, time.Now()
	if !pool.retry(ctx, &u.retries, u.Timeouts.patience(u.retries.Max)) {
		return nil, relay.FailureOf(ctx, busy(errNoBudget), relay.FailedBusy)
	}
	a, failure := p.unbudgeted(ctx, u, key, tried, asked)
	if a == nil {
		pool.retryEnded()
		return nil, failure
	}
	pool.retryMade()
	waited := time.Since(began)
	a.FirstToken, a.Total = max(a.FirstToken-waited, a.FirstToken/2), max(a.Total-waited, a.Total/2)
	release := a.Release
	a.Release = func() { release(); pool.retryEnded() }
	return a, failure
}

func (p *Plan) unbudgeted(
	ctx context.Context, u *Upstream, key Key, tried map[*Endpoint]bool, asked *sent,
) (*Attempt, relay.Failure) {
	q, err := p.ask(u)
	if err != nil {
		return nil, unasked(err)
	}
	b := &u.balancer
	e, failure := b.acquire(ctx, tried, key)
	if e == nil {
		return nil, failure
	}
	began := time.Now()
	tried[e] = true
	if q.Chosen != nil {
		q.Chosen(u.place(e))
	}
	call, keys, err := u.call(q, e)
	if err != nil {
		b.pool.release(e)
		return nil, relay.Failure{Kind: relay.FailedCredential, Err: err}
	}
	call.Once = p.Once && !u.retries.repeats()
	requestlog.IdentityIn(ctx).Send(call.Header)
	asked.with(u, e, keys)
	settle := func(f relay.Failure) {
		now := time.Now()
		b.settle(e, rate(f), began, now)
		u.credentials.judged(u.Name, keys, f, now)
		p.account(ctx, u, q, f)
	}
	return &Attempt{
		Upstream: u.Name, Number: asked.made, Began: began, Call: call,
		Header: u.Timeouts.Header, FirstToken: u.Timeouts.FirstToken, Idle: u.Timeouts.Idle, Total: u.Timeouts.Total,
		Tap: q.Tap, Read: q.Read, Explain: q.Explain,
		Memory:   p.Memory,
		Release:  func() { b.pool.release(e) },
		Settle:   settle,
		Answered: func() { b.answered(e, began, time.Now()) },
	}, relay.Failure{}
}

// call is the request for an endpoint, and the keys that go with it. The error names the file that cannot be read.
func (u *Upstream) call(q *Question, e *Endpoint) (*Call, []key, error) {
	signed, err := u.sign(q)
	if err != nil {
		return nil, nil, err
	}
	secure, err := u.secure()
	if err != nil {
		return nil, nil, err
	}
	return &Call{
		Method: cmp.Or(q.Method, http.MethodPost), URL: strings.TrimSuffix(e.URL, "/") + signed.path,
		Header: signed.header, Body: q.Body, Connect: u.Timeouts.Connect,
		Secure: secure, Address: e.Address, MaxAge: u.maxAge,
	}, signed.keys, nil
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

// The values of the fields that most requests have. They are never changed, only replaced.
var (
	acceptJSON   = []string{"application/json"}
	acceptEvents = []string{eventStream}
	acceptPlain  = []string{uncoded}
	agent        = []string{"llmservice-gateway"}
)

// header has the fields of any request to an upstream.
func (q *Question) header() http.Header {
	header := http.Header{"Accept": q.accept(), "Accept-Encoding": acceptPlain, "User-Agent": agent}
	if len(q.Body) > 0 { // otherwise some servers refuse the empty body as broken JSON
		header["Content-Type"] = acceptJSON
	}
	return header
}

// settled calls those who want to know how an attempt ended.
func settled(ctx context.Context, a *Attempt, f relay.Failure, observe func(upstream string, f relay.Failure)) {
	requestlog.Attempted(ctx, requestlog.Attempt{Upstream: a.Upstream, URL: a.Call.URL, Number: a.Number, Began: a.Began, Failure: f})
	if a.Settle != nil {
		a.Settle(f)
	}
	if observe != nil {
		observe(a.Upstream, f)
	}
}

// Passes reports whether the upstream has an endpoint of clients, too, so that bytes pass from one to the other as they are.
func (u *Upstream) Passes(e llm.Endpoint) bool { return slices.Contains(u.passes, e) }

// Converses reports whether a request of clients for an endpoint that the upstream lacks can be put to it in its dialect.
func (u *Upstream) Converses() bool {
	return slices.ContainsFunc(u.passes, func(e llm.Endpoint) bool {
		_, converses := e.(llm.Translated)
		return converses
	})
}

// UntilContent bounds the time until the first content of an answer, over all attempts.
func (u *Upstream) UntilContent() time.Duration {
	endpoints := len(u.balancer.members())
	attempts := cmp.Or(u.retries.most(), endpoints)
	each := u.balancer.limit.Wait + u.Timeouts.FirstToken + u.Timeouts.Connect
	return each*time.Duration(attempts) + u.retries.Max*time.Duration(max(u.retries.Attempts-endpoints, 0))
}
