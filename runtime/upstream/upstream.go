package upstream

import (
	"cmp"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/llmservice/llmservice/runtime/problem"
	"github.com/llmservice/llmservice/runtime/relay"
)

// Upstream is a configured upstream, ready to be called.
type Upstream struct {
	Name string
	// Model is the upstream's own name for the model.
	Model    string
	Timeouts Timeouts
	// SecretPath is the bearer token's file below the secrets directory; empty for none.
	SecretPath  string
	credentials *Credentials
	balancer    balancer
}

// Timeouts bound one call.
type Timeouts struct{ Connect, FirstToken, Idle, Total time.Duration }

// Options are what an upstream is made of.
type Options struct {
	Name, Model string
	Timeouts    Timeouts
	// Endpoints are asked with the fewest open calls first, and while they fail last. At least one.
	Endpoints []*Endpoint
	// SecretPath names a file of Credentials whose content is sent as bearer token; empty for none.
	SecretPath  string
	Credentials *Credentials
}

// New returns an upstream.
func New(o Options) *Upstream {
	return &Upstream{
		Name: o.Name, Model: o.Model, Timeouts: o.Timeouts, SecretPath: o.SecretPath,
		credentials: o.Credentials, balancer: balancer{endpoints: o.Endpoints},
	}
}

// Plan says what to ask of which upstreams.
type Plan struct {
	// Upstreams are tried in order, each endpoint of each once.
	Upstreams []*Upstream
	// Method is POST where it is empty.
	Method string
	// Path is appended to an endpoint's URL, with a query or without.
	Path string
	// Header has further fields of the request; one without a value is left out, also where the gateway would set it.
	Header http.Header
	// Accept is the media type asked for.
	Accept string
	// Body makes the request's body for an upstream.
	Body func(u *Upstream) ([]byte, error)
	// Memory admits what is kept of answers; nil is relay.Unlimited.
	Memory relay.Memory
	// Once keeps a request that is not idempotent from arriving twice.
	Once bool
	// Explain is the attempts'.
	Explain func(body []byte) *problem.Said
}

// Attempts returns the chooser of a request's attempts. It serves one request and is not for concurrent use.
func (p *Plan) Attempts() relay.Next {
	rest := slices.Clone(p.Upstreams)
	tried := map[*Endpoint]bool{}
	return func(after relay.Failure) (*relay.Attempt, relay.Failure) {
		if after.Kind != relay.NoFailure && (p.Once && !after.Unsent || !Retryable(after)) {
			return nil, after
		}
		if unauthorized(after) && len(rest) > 0 {
			rest = rest[1:] // the other endpoints get the same key
		}
		for len(rest) > 0 {
			endpoint := rest[0].balancer.pick(tried, time.Now())
			if endpoint == nil {
				rest = rest[1:]
				continue
			}
			tried[endpoint] = true
			attempt, failure := p.attempt(rest[0], endpoint)
			if attempt != nil {
				return attempt, relay.Failure{}
			}
			after, rest = failure, rest[1:] // the other endpoints need the same credential and body
		}
		return nil, after
	}
}

// Retryable says whether another endpoint or upstream may succeed where this failure happened. What an upstream
// finds wrong with the request itself, another would find too.
func Retryable(f relay.Failure) bool {
	switch f.Kind {
	case relay.FailedConnect, relay.FailedFirstToken, relay.FailedIdle, relay.FailedTotal, relay.FailedTruncated,
		relay.FailedMalformed, relay.FailedEvent, relay.FailedCredential:
		return true
	case relay.FailedStatus:
		return f.Status == http.StatusTooManyRequests || f.Status >= 500 || unauthorized(f)
	default:
		return false
	}
}

func (p *Plan) attempt(u *Upstream, e *Endpoint) (*relay.Attempt, relay.Failure) {
	header := http.Header{
		"Content-Type":    {"application/json"},
		"Accept":          {p.Accept},
		"Accept-Encoding": {uncoded},
		"User-Agent":      {"llmservice-gateway"},
	}
	body, err := p.Body(u)
	if err != nil {
		return nil, relay.Failure{Kind: relay.FailedMalformed, Err: err}
	}
	if len(body) == 0 {
		delete(header, "Content-Type") // some servers then refuse the empty body as broken JSON
	}
	maps.Copy(header, p.Header)
	settle := func(f relay.Failure) { e.health.settle(f, time.Now()) }
	if u.SecretPath != "" {
		token, err := u.credentials.Read(u.SecretPath)
		if err != nil {
			return nil, relay.Failure{Kind: relay.FailedCredential, Err: err}
		}
		header["Authorization"] = []string{"Bearer " + token}
		settle = func(f relay.Failure) {
			now := time.Now()
			e.health.settle(f, now)
			u.credentials.settle(keyed{u.Name, u.SecretPath}, token, f, now)
		}
	}
	e.inFlight.Add(1)
	return &relay.Attempt{
		Upstream: u.Name,
		Call: &relay.Call{
			Method: cmp.Or(p.Method, http.MethodPost), URL: strings.TrimSuffix(e.URL, "/") + p.Path,
			Header: header, Body: body, Connect: u.Timeouts.Connect, Once: p.Once,
		},
		FirstToken: u.Timeouts.FirstToken, Idle: u.Timeouts.Idle, Total: u.Timeouts.Total, Explain: p.Explain,
		Memory:  p.Memory,
		Release: func() { e.inFlight.Add(-1) },
		Settle:  settle,
	}, relay.Failure{}
}

// settled tells those who want to know how an attempt ended.
func settled(a *relay.Attempt, f relay.Failure, observe func(upstream string, f relay.Failure)) {
	if a.Settle != nil {
		a.Settle(f)
	}
	if observe != nil {
		observe(a.Upstream, f)
	}
}

// Endpoints is how many endpoints the upstream has.
func (u *Upstream) Endpoints() int { return len(u.balancer.endpoints) }
