// Package front serves the endpoints for clients of a protocol of models, such as those of OpenAI's API under /v1.
package front

import (
	"context"
	"net/http"
	"time"

	"github.com/llmservice/llmservice/runtime/exchange"
	"github.com/llmservice/llmservice/runtime/llm"
	"github.com/llmservice/llmservice/runtime/problem"
	"github.com/llmservice/llmservice/runtime/relay"
	"github.com/llmservice/llmservice/runtime/upstream"
)

// Endpoints are those of one protocol.
type Endpoints struct {
	Front llm.Front
	// Prefix is the path below which they are.
	Prefix string
	Client upstream.Doer
	// Observe is called at the end of each call of an upstream.
	Observe func(upstream string, f relay.Failure)
	// Spent, if set, is called with the usage of each call, by the endpoint and the requested model.
	Spent func(route, model string, s upstream.Spent)
	// MaxStreamDuration bounds every stream.
	MaxStreamDuration time.Duration
	// Secrets returns all values that this gateway could send to anyone. No text of an upstream may contain one.
	Secrets func() []string
	// Key returns the key by which an upstream chooses an endpoint for a request.
	Key func(ctx context.Context, req *relay.Request, u *upstream.Upstream) upstream.Key
	// Models are in the order in which they are listed.
	Models []Model
}

// Model is a name that clients use, and the upstreams behind it, in order of preference.
type Model struct {
	Name      string
	Upstreams []*upstream.Upstream
	// Weights are those of the upstreams, in the same order; nil asks them in order.
	Weights []int
	// Route answers in place of upstreams; nil if there are upstreams.
	Route Answerer
	// KeepAlive is that of relay.Stream.
	KeepAlive time.Duration
}

// Answerer answers in the place of a model.
type Answerer interface {
	// Answer may use ctx until it returns; what it returns has a context of its own.
	Answer(ctx context.Context, req *relay.Request, d *llm.Dialogue) relay.Verdict
}

// Routes are those of the endpoints.
func (e *Endpoints) Routes() ([]*exchange.Route, error) {
	models := make(map[string]*Model, len(e.Models))
	for i := range e.Models {
		models[e.Models[i].Name] = &e.Models[i]
	}
	var routes []*exchange.Route
	for _, at := range e.Front.Endpoints() {
		asked := &endpoint{Endpoints: e, Endpoint: at, models: models, path: e.Prefix + at.Path()}
		routes = append(routes, e.route(http.MethodPost, at.Path(), asked.decide))
	}
	described, err := e.listed()
	return append(routes, described...), err
}

func (e *Endpoints) route(method, path string, decide func(context.Context, *relay.Request) relay.Verdict) *exchange.Route {
	return &exchange.Route{Method: method, Path: e.Prefix + path, Format: e.Front.Errors(), Decide: decide}
}

// endpoint serves one of them.
type endpoint struct {
	*Endpoints
	llm.Endpoint

	models map[string]*Model
	path   string // with the prefix
}

func (c *endpoint) decide(ctx context.Context, req *relay.Request) relay.Verdict {
	if !req.IsJSON() {
		return c.refused(problem.WrongMediaType("application/json"))
	}
	request, wrong := c.ReadRequest(req.Body)
	if wrong != nil {
		return c.refused(wrong)
	}
	name, streamed := request.Wants()
	m, ok := c.models[name]
	if !ok {
		return c.refused(problem.NoModel(name))
	}
	if m.Route != nil {
		return c.byRoute(ctx, req, request, m)
	}
	upstreams, wrong := c.asked(request, m)
	if wrong != nil {
		return c.refused(wrong)
	}
	a := &asking{endpoint: c, request: request, model: m, streams: streamed, once: req.Header.Values(idempotencyKey)}
	a.plan = upstream.Plan{Upstreams: upstreams, Memory: req.Memory, Ask: a.whole, Spend: a.spend()}
	a.plan.Key = func(ctx context.Context, u *upstream.Upstream) upstream.Key { return c.Key(ctx, req, u) }
	if !streamed {
		return relay.Verdict{Produce: a.answer}
	}
	return relay.Verdict{Stream: a.streamed()}
}

func (c *endpoint) refused(e *problem.Error) relay.Verdict {
	return relay.Verdict{Reply: relay.Problem(c.Front.Errors(), e)}
}

func (a *asking) streamed() *relay.Stream {
	return &relay.Stream{
		Run: func(ctx context.Context, out relay.Sink) error {
			a.kept = relay.Meter{Memory: a.plan.Memory}
			a.plan.Ask = func(u *upstream.Upstream) (*upstream.Question, error) { return a.stream(ctx, u) }
			return upstream.Stream(ctx, a.Client, a.plan.Attempts(), out, a.Observe)
		},
		Refuse:      a.refuse,
		Abort:       func(err error) []byte { return a.AppendError(nil, upstream.Problem(err)) },
		Timeout:     a.model.untilContent(),
		MaxDuration: a.MaxStreamDuration,
		KeepAlive:   a.model.KeepAlive,
	}
}

func (c *endpoint) refuse(err error) *relay.Reply {
	return relay.Problem(c.Front.Errors(), upstream.Told(err))
}

// untilContent bounds the wait over all attempts: a model has no timeout of its own, so each upstream may use up its own. The
// connect timeout is added so that the upstream's own timeout is the one that is reported.
func (m *Model) untilContent() time.Duration {
	var sum time.Duration
	for _, u := range m.Upstreams {
		sum += u.UntilContent()
	}
	return sum
}
