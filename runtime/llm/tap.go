package llm

import (
	"errors"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/llmservice/llmservice/runtime/relay"
	"github.com/llmservice/llmservice/runtime/wire"
)

// Writer writes what a model says into a stream for clients. All methods append whole events.
type Writer interface {
	// Delta appends the next piece of text, which is never empty.
	Delta(dst, text []byte) []byte
	// Done ends the stream; values that the upstream did not report are empty.
	Done(dst []byte, finishReason string, usage jsontext.Value) []byte
}

// StreamWriter is a Writer whose format has refusals and tool calls, too.
type StreamWriter interface {
	Writer
	// Rest appends the parts of a delta other than its text.
	Rest(dst []byte, d *Delta) []byte
}

// Recaller is a StreamWriter whose end repeats the whole answer.
type Recaller interface {
	StreamWriter
	// Recall gets the collector of the answer before anything is written.
	Recall(c *Collector)
}

// TapOptions are what a tap does in addition to separating the events of a stream.
type TapOptions struct {
	// Alias is that of ReaderOptions.
	Alias string
	// Writer, if set, replaces the upstream's events. Reasoning, refusals and tool calls then still count as content, although
	// only Rest writes any of them.
	Writer Writer
	// Rest, if set, is that of a StreamWriter.
	Rest func(dst []byte, d *Delta) []byte
	// HideUsage hides the usage from a client that has not asked for it: the writer's end has none, and what was added to
	// passing events because of it is removed: the event that contains only the usage, and null in the others.
	HideUsage bool
	// Used, if set, counts the usage of the answer.
	Used *Used
	// Collector, if set, assembles the whole answer. It must be new for each attempt.
	Collector *Collector
	// HoldDone leaves out the end of the stream, for a caller that has something to check or to send before it.
	HoldDone bool
}

// Tap implements upstream.FrameTap for the frames of one stream. Without a writer they pass byte for byte, except for the
// alias.
type Tap struct {
	options TapOptions
	reader  Reader
	finish  string
	usage   jsontext.Value
	failure relay.Failure
}

// NewTap returns the tap of one attempt, whose upstream speaks the dialect, or has the endpoint.
func NewTap(d Streamer, o TapOptions) *Tap {
	if recalls, ok := o.Writer.(Recaller); ok {
		recalls.Recall(o.Collector)
	}
	deep := o.Writer != nil || o.Collector != nil
	return &Tap{options: o, reader: d.NewReader(ReaderOptions{Deep: deep, Alias: o.Alias, HideUsage: o.HideUsage})}
}

// Frame implements upstream.FrameTap. An answer that exceeds its collector's bounds is relay.Broken, too.
func (t *Tap) Frame(dst []byte, f *wire.Frame) ([]byte, relay.EventKind) {
	d := t.reader.Read(f)
	t.count(d, f)
	if d.Kind == relay.Broken {
		t.failure = d.Failure
		return dst, relay.Broken
	}
	if !t.collect(d) {
		return dst, relay.Broken
	}
	switch {
	case d.Kind == relay.Done && t.options.HoldDone:
		return t.written(dst, d), relay.Done
	case t.options.Writer != nil:
		return t.write(dst, d), d.Kind
	case d.OnlyUsage && t.options.HideUsage:
		return dst, relay.Preamble // nothing is sent
	}
	return t.reader.Pass(dst, f), d.Kind
}

// Failure implements upstream.FrameTap.
func (t *Tap) Failure() relay.Failure { return t.failure }

func (t *Tap) count(d *Delta, f *wire.Frame) {
	used := t.options.Used
	if used == nil {
		return
	}
	if d.Kind == relay.Content && !d.OnlyUsage {
		used.Event(len(f.Data))
	}
	if d.Usage != nil {
		used.Report(d.Usage)
	}
}

func (t *Tap) collect(d *Delta) bool {
	if t.options.Collector == nil {
		return true
	}
	err := t.options.Collector.Add(d)
	if f, ok := errors.AsType[relay.Failure](err); ok {
		t.failure = f
	} else if err != nil {
		t.failure = relay.Failure{Kind: relay.FailedMalformed, Err: err}
	}
	return err == nil
}

func (t *Tap) write(dst []byte, d *Delta) []byte {
	if d.FinishReason != "" {
		t.finish = d.FinishReason
	}
	if d.Usage != nil && !t.options.HideUsage {
		t.usage = d.Usage
	}
	dst = t.written(dst, d)
	if d.Kind == relay.Done {
		dst = t.options.Writer.Done(dst, t.finish, t.usage)
	}
	return dst
}

// written appends the writer's events for an event; the last event may have content, too.
func (t *Tap) written(dst []byte, d *Delta) []byte {
	if t.options.Writer == nil {
		return dst
	}
	if len(d.Text) > 0 {
		dst = t.options.Writer.Delta(dst, d.Text)
	}
	if t.options.Rest != nil {
		dst = t.options.Rest(dst, d)
	}
	return dst
}
