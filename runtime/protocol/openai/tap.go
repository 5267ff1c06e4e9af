package openai

import (
	"bytes"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/llmservice/llmservice/runtime/relay"
	"github.com/llmservice/llmservice/runtime/wire"
)

// Writer puts what a model says into another format than OpenAI's chunks. Both methods append whole events.
type Writer interface {
	// Delta is the next piece of text, which is never empty.
	Delta(dst, text []byte) []byte
	// Done ends the stream; what the upstream did not say is empty.
	Done(dst []byte, finishReason string, usage jsontext.Value) []byte
}

// TapOptions say what a tap does besides telling the events of a stream apart.
type TapOptions struct {
	// Alias takes the place of the upstream's name for the model; empty leaves that alone.
	Alias string
	// Writer, where set, is sent in place of the upstream's events. Reasoning, refusals and tool calls then count as
	// content, as always, although nothing is written for them.
	Writer Writer
	// Collector, where set, gets the whole answer together. It must be new for each attempt.
	Collector *Collector
	// HoldDone leaves out what ends the stream, for a caller that has something to check, or to send, before it.
	HoldDone bool
}

// Tap reads the chunks of one stream. Without a writer they pass byte for byte, but for the alias.
type Tap struct {
	options TapOptions
	alias   []byte // quoted; nil for none
	reader  reader
	finish  string
	usage   jsontext.Value
}

// NewTap returns a tap that passes all events on; an empty alias leaves the model's name alone.
func NewTap(alias string) *Tap { return NewTapWith(TapOptions{Alias: alias}) }

// NewTapWith returns a tap with options.
func NewTapWith(o TapOptions) *Tap {
	t := &Tap{options: o, reader: reader{deep: o.Writer != nil || o.Collector != nil}}
	if o.Alias != "" {
		t.alias = quote(o.Alias)
	}
	return t
}

// Frame implements relay.Tap. An answer that exceeds its collector's bounds is relay.Broken, too.
func (t *Tap) Frame(dst []byte, f *wire.Frame) ([]byte, relay.Kind) {
	d := t.reader.read(f)
	if d.kind == relay.Broken || !t.collect(d) {
		return dst, relay.Broken
	}
	switch {
	case d.kind == relay.Done && t.options.HoldDone:
		return dst, relay.Done
	case t.options.Writer != nil:
		return t.write(dst, d), d.kind
	case t.alias == nil || !d.model.found():
		return append(dst, f.Raw...), d.kind
	}
	return t.edit(dst, f, d.model), d.kind
}

func (t *Tap) collect(d *delta) bool {
	return t.options.Collector == nil || t.options.Collector.add(d) == nil
}

func (t *Tap) write(dst []byte, d *delta) []byte {
	if d.finishReason != "" {
		t.finish = d.finishReason
	}
	if d.usage != nil {
		t.usage = d.usage
	}
	if len(d.text) > 0 {
		dst = t.options.Writer.Delta(dst, d.text)
	}
	if d.kind == relay.Done {
		dst = t.options.Writer.Done(dst, t.finish, t.usage)
	}
	return dst
}

func (t *Tap) edit(dst []byte, f *wire.Frame, model span) []byte {
	if at := bytes.Index(f.Raw, f.Data); at >= 0 {
		return splice(dst, f.Raw, span{start: at + model.start, end: at + model.end}, t.alias)
	}
	// Data over several lines does not stand in the frame as it reads.
	return wire.AppendEvent(dst, string(f.Event), splice(nil, f.Data, model, t.alias))
}
