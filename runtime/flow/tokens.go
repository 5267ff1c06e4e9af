package flow

import (
	"bytes"
	"context"
	"strings"
	"sync"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/llmservice/llmservice/runtime/config"
	"github.com/llmservice/llmservice/runtime/config/program"
	"github.com/llmservice/llmservice/runtime/format"
	"github.com/llmservice/llmservice/runtime/llm"
	"github.com/llmservice/llmservice/runtime/problem"
	"github.com/llmservice/llmservice/runtime/relay"
)

// tokenStream answers with the tokens of one step.
type tokenStream struct {
	*program.Response

	front   llm.Front // of chunks; nil in the other formats
	promise promise
}

func (s *tokenStream) verdict(_ context.Context, q *request, vars map[string]any) relay.Verdict {
	return relay.Verdict{Stream: q.bounded(&relay.Stream{
		Run: func(ctx context.Context, out relay.Sink) error {
			f := q.frame(vars)
			return finished(ctx, out, s.sendTokens(ctx, f, out), func(a *answeredError) error { return s.instead(f, a, out) })
		},
		Refuse: q.refuse, KeepAlive: s.KeepAlive.Std(),
		Abort: func(err error) []byte { return s.fail(q.problem(err)) },
	})}
}

// instead sends a step's answer as the stream's text, if none was sent. After some, a failure that it replaces stands.
func (s *tokenStream) instead(f *frame, a *answeredError, out relay.Sender) error {
	if f.stream.hasBegun() {
		return a.instead
	}
	writer, events := f.stream.own(), []byte(nil)
	done := &llm.Completion{FinishReason: llm.FinishStop}
	if len(a.body) > 0 {
		done = textual(a.body)
		events = writer.Delta(nil, []byte(done.Text))
	}
	return out.Send(writer.Done(events, done.FinishReason, f.account.usage()), relay.Done) //nolint:wrapcheck // it is a Failure
}

func (s *tokenStream) sendTokens(ctx context.Context, f *frame, out relay.Sink) error {
	done, err := s.run(ctx, f, s.stream(out))
	if err != nil {
		return err
	}
	done.Usage = f.account.on(done.Usage)
	return out.Send(s.done(f.stream, done), relay.Done) //nolint:wrapcheck // it is a Failure already
}

// run runs the steps, and sends their tokens in the stream's format, without the end.
func (s *tokenStream) run(ctx context.Context, f *frame, into *stream) (*llm.Completion, error) {
	out := into.sender
	held := hold{budget: &f.budget, admit: func(bytes int) error { return f.reserve(ctx, bytes) }}
	f.stream = into
	if s.Commit == config.CommitAfterValidation {
		f.stream.sender = &held
	}
	if s.promise.schema != nil {
		f.stream.said = &strings.Builder{}
	} else if last, ok := f.steps[len(f.steps)-1].action.(*chat); ok && last.output == nil {
		f.stream.unread = s.Stream // it is the last one
	}
	if err := runSteps(ctx, f.steps, f); err != nil {
		return nil, err
	}
	if err := s.keep(ctx, f); err != nil {
		return nil, err
	}
	done := f.completion(s.Stream)
	if held.events.Len() > 0 {
		if err := out.Send(held.events.Bytes(), relay.Content); err != nil {
			return nil, err //nolint:wrapcheck // it is a Failure already
		}
	}
	return done, nil
}

// keep checks what was sent against its promise: for an agent, that is the text of all its turns.
func (s *tokenStream) keep(ctx context.Context, f *frame) error {
	if s.promise.schema == nil {
		return nil
	}
	return s.promise.kept(ctx, f, f.stream.said.String())
}

func (s *tokenStream) stream(out relay.Sender) *stream {
	st := &stream{sender: out, writers: map[string]func() llm.Writer{}}
	if own, ok := format.Named(s.Format); ok {
		st.own = func() llm.Writer { return own.New() }
		st.writers[s.Stream] = st.own
		if own.Progress != nil {
			st.progress = func(data []byte) []byte { return own.Progress(nil, data) }
		}
		return st
	}
	began := time.Now()
	st.front, st.chunks = s.front, func() llm.StreamWriter { return s.front.NewStream(s.Stream, began) }
	st.own = func() llm.Writer { return st.chunks() }
	st.writers[s.Stream] = func() llm.Writer { return nil }
	return st
}

func (s *tokenStream) done(st *stream, done *llm.Completion) []byte {
	switch {
	case !st.begun:
		return st.own().Done(nil, done.FinishReason, done.Usage)
	case st.writer == nil:
		return st.front.AppendDone(nil, done.FinishReason, done.Usage)
	}
	return st.writer.Done(nil, done.FinishReason, done.Usage)
}

func (s *tokenStream) fail(e *problem.Error) []byte {
	if own, ok := format.Named(s.Format); ok {
		return own.New().Error(nil, e)
	}
	return s.front.AppendError(nil, e)
}

// hold keeps a stream back. Tools that an agent calls at once report at once.
type hold struct {
	budget *budget
	admit  func(bytes int) error

	mu     sync.Mutex
	events bytes.Buffer
}

// Send implements relay.Sender.
func (h *hold) Send(events []byte, _ relay.EventKind) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if err := h.budget.keep(len(events)); err != nil {
		return err
	}
	if err := h.admit(relay.Copies * len(events)); err != nil {
		return err
	}
	h.events.Write(events)
	return nil
}

// completion is the value of a step that asks a model, or of a race of such steps.
func (f *frame) completion(step string) *llm.Completion {
	values, _ := f.vars["steps"].(map[string]any)
	value, _ := values[step].(map[string]any)
	done := &llm.Completion{}
	done.Text, _ = value["text"].(string)
	done.FinishReason, _ = value["finishReason"].(string)
	if usage, ok := value["usage"].(map[string]any); ok {
		done.Usage, _ = json.Marshal(usage, json.Deterministic(true)) // it was JSON
	}
	return done
}
