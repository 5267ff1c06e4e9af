package gateway

import (
	"context"
	"time"

	"github.com/llmservice/llmservice/runtime/flow"
	"github.com/llmservice/llmservice/runtime/llm"
	"github.com/llmservice/llmservice/runtime/problem"
	"github.com/llmservice/llmservice/runtime/relay"
	"github.com/llmservice/llmservice/runtime/upstream"
)

// The gateway's own paths.
const (
	completionsPath = "/v1/chat/completions"
	modelsPath      = "/v1/models"
)

// decider says how a request is answered.
type decider func(ctx context.Context, r *relay.Request) relay.Verdict

func always(reply *relay.Reply) decider {
	return func(context.Context, *relay.Request) relay.Verdict { return relay.Verdict{Reply: reply} }
}

// model is one name under /v1, and what it stands for, in order of preference.
type model struct {
	name      string
	upstreams []*upstream.Upstream
}

// completions serves the endpoint of a protocol's completions.
type completions struct {
	front  llm.Front
	env    *flow.Environment
	models map[string]*model
	// explain makes of an upstream's refusal what the client may be told.
	explain func(r llm.Rejection) *problem.Said
}

func (c *completions) decide(_ context.Context, req *relay.Request) relay.Verdict {
	if !req.IsJSON() {
		return c.refused(problem.WrongMediaType("application/json"))
	}
	request, wrong := c.front.ReadRequest(req.Body)
	if wrong != nil {
		return c.refused(wrong)
	}
	name, streamed := request.Wants()
	m, ok := c.models[name]
	if !ok {
		return c.refused(problem.NoModel(name))
	}
	a := &asking{completions: c, request: request, model: m}
	plan := &upstream.Plan{Upstreams: m.upstreams, Memory: req.Memory, Ask: a.whole}
	if !streamed {
		return relay.Verdict{Produce: func(ctx context.Context) *relay.Reply { return a.answer(ctx, plan) }}
	}
	plan.Ask = a.stream
	return relay.Verdict{Relay: c.stream(plan, m)}
}

func (c *completions) refused(e *problem.Error) relay.Verdict {
	return relay.Verdict{Reply: relay.Problem(c.front.Errors(), e)}
}

func (c *completions) stream(plan *upstream.Plan, m *model) *relay.Relay {
	return &relay.Relay{
		Next:        plan.Attempts(),
		Observe:     c.env.Observe,
		Refuse:      c.refuse,
		Abort:       func(f relay.Failure) []byte { return c.front.AppendError(nil, upstream.Problem(f)) },
		Timeout:     m.untilContent(),
		MaxDuration: c.env.MaxStreamDuration,
	}
}

func (c *completions) refuse(f relay.Failure) *relay.Reply {
	return relay.Problem(c.front.Errors(), upstream.Told(f))
}

// untilContent bounds the wait over all attempts: a model has no timeout of its own, so each upstream may use up
// the one that it has. The connect timeout on top lets the upstream's own timeout be the one that is reported.
func (m *model) untilContent() time.Duration {
	var sum time.Duration
	for _, u := range m.upstreams {
		sum += (u.Timeouts.FirstToken + u.Timeouts.Connect) * time.Duration(u.Endpoints())
	}
	return sum
}
