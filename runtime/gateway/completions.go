package gateway

import (
	"context"
	"time"

	"github.com/llmservice/llmservice/runtime/flow"
	"github.com/llmservice/llmservice/runtime/format"
	"github.com/llmservice/llmservice/runtime/problem"
	"github.com/llmservice/llmservice/runtime/protocol/openai"
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

// completions serves the OpenAI-compatible endpoint.
type completions struct {
	env    *flow.Environment
	models map[string]*model
	// explain makes of an upstream's refusal what the client may be told.
	explain func(body []byte) *problem.Said
}

func (c *completions) decide(_ context.Context, req *relay.Request) relay.Verdict {
	if !req.IsJSON() {
		return relay.Verdict{Reply: relay.Problem(problem.OpenAI, problem.WrongMediaType("application/json"))}
	}
	chat, wrong := openai.ParseChatRequest(req.Body)
	if wrong != nil {
		return relay.Verdict{Reply: relay.Problem(problem.OpenAI, wrong)}
	}
	m, ok := c.models[chat.Model]
	if !ok {
		return relay.Verdict{Reply: relay.Problem(problem.OpenAI, problem.NoModel(chat.Model))}
	}
	plan := &upstream.Plan{
		Upstreams: m.upstreams,
		Path:      openai.ChatPath,
		Accept:    "application/json",
		Memory:    req.Memory,
		Body:      func(u *upstream.Upstream) ([]byte, error) { return chat.WithModel(u.Model), nil },
		Explain:   c.explain,
	}
	if !chat.Stream {
		return relay.Verdict{Produce: func(ctx context.Context) *relay.Reply { return c.whole(ctx, plan, m) }}
	}
	plan.Accept = "text/event-stream"
	return relay.Verdict{Relay: c.stream(plan, m)}
}

func (c *completions) whole(ctx context.Context, plan *upstream.Plan, m *model) *relay.Reply {
	var renamed []byte
	check := func(body []byte) (err error) {
		renamed, err = openai.WithAlias(body, m.name)
		return err
	}
	_, failure := upstream.Whole(ctx, c.env.Client, plan.Attempts(), check, c.env.Observe)
	if failure.Kind != relay.NoFailure {
		return refuseOpenAI(failure)
	}
	return relay.JSON(renamed)
}

func (c *completions) stream(plan *upstream.Plan, m *model) *relay.Relay {
	return &relay.Relay{
		Next:        plan.Attempts(),
		Observe:     c.env.Observe,
		Tap:         func() relay.Tap { return openai.NewTap(m.name) },
		Refuse:      refuseOpenAI,
		Abort:       abort,
		Timeout:     m.untilContent(),
		MaxDuration: c.env.MaxStreamDuration,
	}
}

func abort(f relay.Failure) []byte { return format.OpenAIError(nil, upstream.Problem(f)) }

func refuseOpenAI(f relay.Failure) *relay.Reply {
	return relay.Problem(problem.OpenAI, upstream.Told(f))
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
