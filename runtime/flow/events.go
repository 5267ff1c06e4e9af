package flow

import (
	"context"
	"fmt"
	"slices"

	"github.com/go-json-experiment/json"

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
	marks := &marks{fields: format.Fields{IDs: n.Events.IDs, Retry: n.Events.Retry.Std()}}
	return relay.Verdict{Stream: q.bounded(&relay.Stream{
		Run: func(ctx context.Context, out relay.Sink) error {
			f, out := q.frame(vars), marks.on(out)
			return finished(ctx, out, n.sendEvents(ctx, f, out), func(a *answeredError) error { return n.end(f, a.body, out) })
		},
		Refuse: q.refuse, KeepAlive: n.KeepAlive.Std(),
		Abort: func(err error) []byte { return marks.last(format.Events{}.Error(nil, q.problem(err))) },
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
	st := &stream{sender: out, writers: map[string]func() llm.Writer{}, steps: n.Events.Progress, values: n.Values}
	if n.Events.Progress {
		st.progress = func(data []byte) []byte { return format.Events{}.Progress(nil, data) }
	}
	for _, name := range n.Sources {
		st.writers[name] = func() llm.Writer { return format.NewStep(name) }
	}
	return st
}

// sendValue sends the value of a step whose name is an event's.
func (f *frame) sendValue(ctx context.Context, value any) error {
	if f.stream == nil || !slices.Contains(f.stream.values, f.name) {
		return nil
	}
	encoded, err := admitted(ctx, f.env, f.weight(), func() ([]byte, error) { return json.Marshal(value, json.Deterministic(true)) })
	if err != nil {
		return fmt.Errorf("write the value of %s: %w", f.name, err)
	}
	held := relay.Copies * cap(encoded)
	if err := f.reserve(ctx, held); err != nil {
		return err
	}
	defer f.memory.Return(held)
	event := format.Events{}.Value(nil, f.name, encoded)
	return f.stream.sender.Send(event, relay.Content) //nolint:wrapcheck // it is a Failure already
}
