package flow

import (
	"context"
	"fmt"
	"time"

	"github.com/llmservice/llmservice/runtime/config/program"
	"github.com/llmservice/llmservice/runtime/llm"
	"github.com/llmservice/llmservice/runtime/relay"
	"github.com/llmservice/llmservice/runtime/requestlog"
	"github.com/llmservice/llmservice/runtime/upstream"
)

// relayedStream passes on the chunks of a route's only step as they come, because nothing else needs them.
type relayedStream struct {
	*program.Response

	chat  *chat
	front llm.Front
}

// relayedChat returns the chat whose stream is the whole answer, with nothing before, around or after it; nil if there is none.
func (r *Route) relayedChat() *chat {
	if len(r.steps) != 1 || r.Response.Satisfies != nil {
		return nil
	}
	only := r.steps[0]
	c, ok := only.action.(*chat)
	if !ok || c.output != nil || only.Timeout > 0 || only.OnError != nil {
		return nil
	}
	return c
}

// plan is what to ask of the upstream.
func (a *relayedStream) plan(ctx context.Context, f *frame) (*upstream.Plan, error) {
	target, err := a.chat.target.of(ctx, f)
	if err != nil {
		return nil, fmt.Errorf("chat.%w", err)
	}
	request, err := a.chat.prompt.request(ctx, f)
	if err != nil {
		return nil, err
	}
	only, err := f.charge(ctx, 0) // no other call needs what it leaves
	if err != nil {
		return nil, err
	}
	if err := f.reserve(ctx, relay.Copies*request.Size()); err != nil {
		return nil, err
	}
	request.Stream, request.MaxTokens, request.IncludeUsage, request.CountUsage = true, only.reserved, only.reserved > 0, true
	return only.chatPlan(target, request, func(q *upstream.Question, hide bool) { q.Tap = a.tap(target.Dialect, hide, q.Used) }), nil
}

// tap lets chunks pass as they are if the client knows their dialect.
func (a *relayedStream) tap(spoken llm.Dialect, hideUsage bool, used *llm.Used) upstream.FrameTap {
	options := llm.TapOptions{HideUsage: hideUsage, Used: used}
	if spoken != a.front {
		writer := a.front.NewStream(a.Stream, time.Now())
		options.Writer, options.Rest = writer, writer.Rest
	}
	return llm.NewTap(spoken, options)
}

func (a *relayedStream) verdict(ctx context.Context, q *request, vars map[string]any) relay.Verdict {
	vars["steps"] = map[string]any{}
	plan, err := a.plan(ctx, q.frame(vars))
	if err != nil {
		return relay.Verdict{Reply: q.refuse(err)}
	}
	next := q.budget.counted(plan.Attempts())
	return relay.Verdict{Stream: q.bounded(&relay.Stream{
		Run: func(ctx context.Context, out relay.Sink) error {
			ctx = requestlog.At(ctx, "steps", a.Stream)
			return requestlog.Placed(ctx, upstream.Stream(ctx, q.env.Client, next, out, q.env.Observe))
		},
		Refuse: q.refuse, KeepAlive: a.KeepAlive.Std(),
		Abort: func(err error) []byte { return a.front.AppendError(nil, q.problem(err)) },
	})}
}
