package openai

import (
	"bytes"
	"errors"

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
	failure relay.Failure
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
	if d.kind == relay.Broken {
		t.failure = d.failure
		return dst, relay.Broken
	}
	if !t.collect(d) {
		return dst, relay.Broken
	}
	switch {
	case d.kind == relay.Done && t.options.HoldDone:
		return t.written(dst, d), relay.Done
	case t.options.Writer != nil:
		return t.write(dst, d), d.kind
	case t.alias == nil || !d.edits || len(t.reader.envelope.models) == 0:
		return append(dst, f.Raw...), d.kind
	}
	return t.edit(dst, f), d.kind
}

// Failure implements relay.Explainer: it says why a frame was Broken, in words of which none is the upstream's.
func (t *Tap) Failure() relay.Failure { return t.failure }

func (t *Tap) collect(d *delta) bool {
	if t.options.Collector == nil {
		return true
	}
	err := t.options.Collector.add(d)
	if f, ok := errors.AsType[relay.Failure](err); ok {
		t.failure = f
	} else if err != nil {
		t.failure = relay.Failure{Kind: relay.FailedMalformed, Err: err}
	}
	return err == nil
}

func (t *Tap) write(dst []byte, d *delta) []byte {
	if d.finishReason != "" {
		t.finish = d.finishReason
	}
	if d.usage != nil {
		t.usage = d.usage
	}
	dst = t.written(dst, d)
	if d.kind == relay.Done {
		dst = t.options.Writer.Done(dst, t.finish, t.usage)
	}
	return dst
}

// written appends the text of an event, of which the last may have some, too.
func (t *Tap) written(dst []byte, d *delta) []byte {
	if t.options.Writer == nil || len(d.text) == 0 {
		return dst
	}
	return t.options.Writer.Delta(dst, d.text)
}

// edit replaces the names of the model where they stand. Data over several lines does not stand in the frame as it reads,
// so each name is looked up there.
func (t *Tap) edit(dst []byte, f *wire.Frame) []byte {
	at := 0
	for _, model := range t.reader.envelope.models {
		begin := f.InRaw(model.start)
		end := begin + model.end - model.start
		if bytes.IndexByte(f.Data[model.start:model.end], '\n') >= 0 { // it is over several lines, which a text is not
			end = f.InRaw(model.end-1) + 1
		}
		dst = append(append(dst, f.Raw[at:begin]...), t.alias...)
		at = end
	}
	return append(dst, f.Raw[at:]...)
}
