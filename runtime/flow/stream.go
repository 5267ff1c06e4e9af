package flow

import (
	"context"
	"strings"
	"sync"

	"github.com/llmservice/llmservice/runtime/llm"
	"github.com/llmservice/llmservice/runtime/relay"
)

// stream is the stream that answers a request.
type stream struct {
	sender relay.Sender
	// writers make the writers of the steps whose tokens are sent, by their names in events. They make nil if an upstream's
	// chunks pass byte for byte.
	writers map[string]func() llm.Writer
	// own makes the writer of tokens that are not the whole stream of one upstream.
	own func() llm.Writer
	// front is the dialect of upstreams whose chunks may pass, and chunks makes the writer for those of others; nil in formats
	// in which none pass.
	front  llm.Front
	chunks func() llm.StreamWriter
	// values are the names of the steps whose values are sent.
	values []string
	// progress writes the state of a step or tool; nil if progress is not sent.
	progress func(data []byte) []byte
	// steps means that progress includes steps, and not only tools.
	steps bool

	// unread is the step whose text is not read after it has been sent, so that it is not kept; empty for none.
	unread string

	mu     sync.Mutex
	begun  bool
	writer llm.Writer       // of the first tokens
	said   *strings.Builder // the text that was sent; nil if nothing needs it
}

// note keeps the text that was sent, of all steps, in addition to what each step keeps.
func (s *stream) note(ctx context.Context, q *request, text string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.said == nil {
		return nil
	}
	if err := q.reserve(ctx, relay.Copies*len(text)); err != nil {
		return err
	}
	s.said.WriteString(text)
	return nil
}

// began remembers the writer of the stream's tokens, which has to end them, too.
func (s *stream) began(w llm.Writer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.begun {
		s.begun, s.writer = true, w
	}
}

// hasBegun reports whether any tokens were sent.
func (s *stream) hasBegun() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.begun
}

// outlet takes the tokens of one step.
type outlet struct {
	stream *stream
	sender relay.Sender
	make   func() llm.Writer
	// writer is nil if an upstream's chunks pass byte for byte.
	writer llm.Writer
	// rest, if set, writes everything other than text.
	rest func(dst []byte, d *llm.Delta) []byte
	// unread means that what was sent is not read afterwards.
	unread bool
}

// outletOf is where the tokens of a step go; nil if they go nowhere.
func (f *frame) outletOf(name string) *outlet {
	if f.stream == nil {
		return nil
	}
	writer, wanted := f.stream.writers[name]
	if !wanted {
		return nil
	}
	return &outlet{stream: f.stream, sender: f.stream.sender, make: writer, writer: writer(), unread: name == f.stream.unread}
}

// Send implements relay.Sender for upstream.Stream: the end of an upstream's stream does not end the answer.
func (o *outlet) Send(events []byte, kind relay.EventKind) error {
	if kind == relay.Done {
		kind = relay.Content
	}
	if len(events) == 0 {
		return nil
	}
	if err := o.sender.Send(events, kind); err != nil {
		return err //nolint:wrapcheck // it is a Failure already
	}
	if kind == relay.Content {
		o.stream.began(o.writer)
	}
	return nil
}

// text sends a text at once.
func (o *outlet) text(ctx context.Context, q *request, text string) error {
	if text == "" {
		return nil
	}
	own := o.written()
	if err := o.stream.note(ctx, q, text); err != nil {
		return err
	}
	return own.Send(own.writer.Delta(nil, []byte(text)), relay.Content)
}

// speaking is the outlet for an upstream that speaks a dialect: with a writer if its chunks cannot pass.
func (o *outlet) speaking(d llm.Dialect) *outlet {
	if o == nil || o.writer != nil || d == o.stream.front {
		return o
	}
	translated, writer := *o, o.stream.chunks()
	translated.writer, translated.rest = writer, writer.Rest
	return &translated
}

// written is the outlet with a writer, for tokens that are not the whole stream of one upstream.
func (o *outlet) written() *outlet {
	if o == nil || o.writer != nil {
		return o
	}
	own := *o
	own.writer = o.stream.own()
	return &own
}

// contested is the outlet of one of several branches, of which the first to send content wins.
func (o *outlet) contested(commit func() bool) *outlet {
	if o == nil {
		return nil
	}
	return &outlet{
		stream: o.stream, sender: &contestedSender{Sender: o.sender, commit: commit}, make: o.make, writer: o.make(),
	}
}

type contestedSender struct {
	relay.Sender

	commit func() bool
	won    bool
}

// Send implements relay.Sender.
func (c *contestedSender) Send(events []byte, kind relay.EventKind) error {
	if kind == relay.Content && !c.won {
		if c.won = c.commit(); !c.won {
			return relay.Failure{Kind: relay.FailedSuperseded}
		}
	}
	return c.Sender.Send(events, kind) //nolint:wrapcheck // it is a Failure already
}

// ofStep is the frame of one of the frame's steps.
func (f *frame) ofStep(step string) *frame {
	inner := *f
	switch {
	case !f.inFunction:
		inner.name, inner.tokens = step, f.outletOf(step)
	case step == f.streamed:
		inner.tokens = f.through
	}
	return &inner
}

// ofBranch is the frame of one of a gather's branches.
func (f *frame) ofBranch(name string) *frame {
	inner := *f
	inner.tokens = nil
	if !f.inFunction {
		inner.name = f.name + "." + name
		inner.tokens = f.outletOf(inner.name)
	}
	return &inner
}
