// Package front serves the endpoints that clients of a protocol of models know, such as those of OpenAI's API under /v1.
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
	// Prefix is what they are below.
	Prefix string
	Client upstream.Doer
	// Observe is told how each call of an upstream ended.
	Observe func(upstream string, f relay.Failure)
	// MaxStreamDuration bounds every stream.
	MaxStreamDuration time.Duration
	// Secrets are all values that this gateway could send to anyone. Nothing that an upstream says has one of them.
	Secrets func() []string
	// Models are in the order in which they are listed.
	Models []Model
}

// Model is a name that clients ask for, and what it stands for, in order of preference.
type Model struct {
	Name      string
	Upstreams []*upstream.Upstream
}

// Routes are those of the endpoints.
func (e *Endpoints) Routes() ([]*exchange.Route, error) {
	models := make(map[string]*Model, len(e.Models))
	names := make([]string, len(e.Models))
	for i := range e.Models {
		m := &e.Models[i]
		models[m.Name], names[i] = m, m.Name
	}
	list, err := e.Front.WriteModels(names)
	if err != nil {
		return nil, err //nolint:wrapcheck // it says what cannot be written
	}
	chat := &completions{Endpoints: e, models: models}
	format := e.Front.Errors()
	return []*exchange.Route{
		{Method: http.MethodPost, Path: e.Prefix + e.Front.ChatPath(), Format: format, Decide: chat.decide},
		{Method: http.MethodGet, Path: e.Prefix + e.Front.ModelsPath(), Format: format, Decide: exchange.Always(relay.JSON(list))},
	}, nil
}

// completions serves the endpoint of completions.
type completions struct {
	*Endpoints

	models map[string]*Model
}

func (c *completions) decide(_ context.Context, req *relay.Request) relay.Verdict {
	if !req.IsJSON() {
		return c.refused(problem.WrongMediaType("application/json"))
	}
	request, wrong := c.Front.ReadRequest(req.Body)
	if wrong != nil {
		return c.refused(wrong)
	}
	name, streamed := request.Wants()
	m, ok := c.models[name]
	if !ok {
		return c.refused(problem.NoModel(name))
	}
	a := &asking{completions: c, request: request, model: m}
	plan := &upstream.Plan{Upstreams: m.Upstreams, Memory: req.Memory, Ask: a.whole}
	if !streamed {
		return relay.Verdict{Produce: func(ctx context.Context) *relay.Reply { return a.answer(ctx, plan) }}
	}
	plan.Ask = a.stream
	return relay.Verdict{Stream: c.stream(plan, m)}
}

func (c *completions) refused(e *problem.Error) relay.Verdict {
	return relay.Verdict{Reply: relay.Problem(c.Front.Errors(), e)}
}

func (c *completions) stream(plan *upstream.Plan, m *Model) *relay.Stream {
	return &relay.Stream{
		Run: func(ctx context.Context, out relay.Sink) error {
			return upstream.Stream(ctx, c.Client, plan.Attempts(), out, c.Observe)
		},
		Refuse:      c.refuse,
		Abort:       func(err error) []byte { return c.Front.AppendError(nil, upstream.Problem(err)) },
		Timeout:     m.untilContent(),
		MaxDuration: c.MaxStreamDuration,
	}
}

func (c *completions) refuse(err error) *relay.Reply {
	return relay.Problem(c.Front.Errors(), upstream.Told(err))
}

// untilContent bounds the wait over all attempts: a model has no timeout of its own, so each upstream may use up
// the one that it has. The connect timeout on top lets the upstream's own timeout be the one that is reported.
func (m *Model) untilContent() time.Duration {
	var sum time.Duration
	for _, u := range m.Upstreams {
		sum += (u.Timeouts.FirstToken + u.Timeouts.Connect) * time.Duration(u.Endpoints())
	}
	return sum
}
