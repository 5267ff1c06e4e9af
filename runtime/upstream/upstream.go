package upstream

import (
	"cmp"
	"net/http"
	"slices"
	"time"

	"github.com/llmservice/llmservice/runtime/llm"
	"github.com/llmservice/llmservice/runtime/pieces"
	"github.com/llmservice/llmservice/runtime/problem"
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
	edit   func(path string, body pieces.Text) (pieces.Text, error)
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
	Edit     func(path string, body pieces.Text) (pieces.Text, error)
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

// Question is a request to an upstream in its dialect, and how its answer is read.
type Question struct {
	// Method is POST if it is empty.
	Method string
	// Path is appended to an endpoint's URL. It may have a query.
	Path string
	// Header has further fields of the request. One without a value is left out, even if the gateway would set it.
	Header http.Header
	Body   pieces.Text
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
	return &Question{Path: r.Path, Header: r.Header, Body: pieces.Text{r.Body}, Used: &llm.Used{}}
}

// accept is the media type that is asked for.
func (q *Question) accept() []string {
	if q.Tap != nil {
		return acceptEvents
	}
	return acceptJSON
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
	if q.Body.Len() > 0 { // otherwise some servers refuse the empty body as broken JSON
		header["Content-Type"] = acceptJSON
	}
	return header
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
