package flow

import (
	"context"
	"sync"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/llmservice/llmservice/runtime/llm"
	"github.com/llmservice/llmservice/runtime/rawjson"
	"github.com/llmservice/llmservice/runtime/relay"
)

// textual is a value as a model's whole answer: a string is the text, and other JSON is written as text.
func textual(encoded []byte) *llm.Completion {
	if jsontext.Value(encoded).Kind() == '"' {
		if text, err := rawjson.Text(encoded); err == nil {
			return &llm.Completion{Text: text, FinishReason: llm.FinishStop}
		}
	}
	return &llm.Completion{Text: string(encoded), FinishReason: llm.FinishStop}
}

// verbatim writes text as it is, for a speech. It implements llm.Writer.
type verbatim struct{}

// Delta implements llm.Writer.
func (verbatim) Delta(dst, text []byte) []byte { return append(dst, text...) }

// Done implements llm.Writer. The speech writes the end.
func (verbatim) Done(dst []byte, _ string, _ jsontext.Value) []byte { return dst }

// speech writes text as one answer of a model: clients expect one identity for an answer, no matter from which steps its text
// comes. It implements relay.Sender.
type speech struct {
	out relay.Sender

	mu     sync.Mutex
	writer llm.StreamWriter
	said   *llm.Collector // for a writer whose end repeats the answer; nil for others
	sent   bool
}

// speechCopies is how often a streamed answer is in memory if its end repeats it: in the collector, and in the events of the
// end.
const speechCopies = 4

func (a *modelAnswer) speech(ctx context.Context, f *frame, out relay.Sender) *speech {
	s := &speech{out: out, writer: a.As.NewStream(a.Model, time.Now())}
	if recalls, ok := s.writer.(llm.Recaller); ok {
		s.said = llm.NewCollector(func(bytes int) error {
			if err := f.budget.keep(bytes); err != nil {
				return err
			}
			return f.reserve(ctx, speechCopies*bytes)
		})
		recalls.Recall(s.said)
	}
	return s
}

// Send implements relay.Sender for text.
func (s *speech) Send(text []byte, kind relay.EventKind) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.said != nil {
		if err := s.said.Add(&llm.Delta{Text: text}); err != nil {
			return err //nolint:wrapcheck // it is a Failure already
		}
	}
	s.sent = true
	return s.out.Send(s.writer.Delta(nil, text), kind) //nolint:wrapcheck // it is a Failure already
}

// begun reports whether any text was sent.
func (s *speech) begun() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.sent
}

func (s *speech) end(finishReason string, usage jsontext.Value) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.out.Send(s.writer.Done(nil, finishReason, usage), relay.Done) //nolint:wrapcheck // it is a Failure already
}
