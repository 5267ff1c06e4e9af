package flow

import (
	"context"

	"github.com/llmservice/llmservice/runtime/config/program"
	"github.com/llmservice/llmservice/runtime/format"
	"github.com/llmservice/llmservice/runtime/llm"
	"github.com/llmservice/llmservice/runtime/relay"
)

// eventStream answers with named events: several steps' tokens, progress, and a result.
type eventStream struct {
	*program.Response

	promise promise
}

func (n *eventStream) verdict(_ context.Context, q *request, vars map[string]any) relay.Verdict {
	return relay.Verdict{Stream: q.bounded(&relay.Stream{
		Run: func(ctx context.Context, out relay.Sink) error {
			f := &frame{request: q, vars: vars}
			return finished(ctx, out, n.sendEvents(ctx, f, out), func(a *answeredError) error { return n.end(f, a.body, out) })
		},
		Refuse: q.refuse, KeepAlive: n.KeepAlive.Std(),
		Abort: func(err error) []byte { return format.Events{}.Error(nil, q.problem(err)) },
	})}
}

func (n *eventStream) sendEvents(ctx context.Context, f *frame, out relay.Sink) error {
	f.stream = n.stream(out)
	if err := runSteps(ctx, f.steps, f); err != nil {
		return err
	}
	var result []byte
	if n.Body != nil {
		var err error
		if result, err = body(ctx, f, n.Body, &n.promise); err != nil {
			return err
		}
	}
	return n.end(f, result, out)
}

// end sends the result, if there is one, and the end.
func (n *eventStream) end(f *frame, result []byte, out relay.Sender) error {
	if len(result) > 0 {
		if err := out.Send(format.Events{}.Result(nil, result), relay.Content); err != nil {
			return err //nolint:wrapcheck // it is a Failure already
		}
	}
	usage := f.account.usage()
	return out.Send(format.Events{}.Done(nil, usage), relay.Done) //nolint:wrapcheck // it is a Failure already
}

func (n *eventStream) stream(out relay.Sender) *stream {
	st := &stream{sender: out, writers: map[string]func() llm.Writer{}, steps: n.Events.Progress}
	if n.Events.Progress {
		st.progress = func(data []byte) []byte { return format.Events{}.Progress(nil, data) }
	}
	for _, name := range n.Sources {
		st.writers[name] = func() llm.Writer { return format.NewStep(name) }
	}
	return st
}
