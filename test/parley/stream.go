package parley

import (
	"errors"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/llmservice/llmservice/runtime/llm"
	"github.com/llmservice/llmservice/runtime/problem"
	"github.com/llmservice/llmservice/runtime/rawjson"
	"github.com/llmservice/llmservice/runtime/relay"
	"github.com/llmservice/llmservice/runtime/wire"
)

// The types of events. A stream has hello, then any of those that follow, then bye or oops.
const (
	hello    = "hello"
	say      = "say"
	declines = "declines"
	ask      = "ask"
	bye      = "bye"
	oops     = "oops"
)

// event is the data of all of them.
type event struct {
	Brain string `json:"brain,omitzero"`
	At    *int   `json:"at,omitzero"`
	Ref   string `json:"ref,omitzero"`
	Gear  string `json:"gear,omitzero"`
	Bit   string `json:"bit,omitzero"`
	Ended string `json:"ended,omitzero"`
	Spent *Spent `json:"spent,omitzero"`
}

// NewReader implements llm.Dialect.
func (Dialect) NewReader(o llm.ReaderOptions) llm.Reader { return &reader{alias: o.Alias} }

type reader struct {
	alias string
	delta llm.Delta
}

// Read implements llm.Reader.
func (r *reader) Read(f *wire.Frame) *llm.Delta {
	r.delta = llm.Delta{}
	var e event
	if !f.HasData {
		return &r.delta
	}
	if json.Unmarshal(f.Data, &e) != nil || string(f.Event) == oops {
		r.delta.Kind = relay.Broken
		r.delta.Failure = relay.Failure{Kind: relay.FailedEvent, Err: errors.New("the upstream said oops")}
		return &r.delta
	}
	r.read(string(f.Event), &e)
	return &r.delta
}

func (r *reader) read(kind string, e *event) {
	d := &r.delta
	d.Kind = relay.Content
	switch kind {
	case say:
		d.Text = []byte(e.Bit)
	case declines:
		d.Refusal = []byte(e.Bit)
	case ask:
		part := llm.ToolCallDelta{Index: -1, ID: e.Ref, Name: e.Gear, Arguments: []byte(e.Bit)}
		if e.At != nil {
			part.Index = *e.At
		}
		d.ToolCalls = []llm.ToolCallDelta{part}
	case bye:
		d.Kind, d.FinishReason, d.Usage = relay.Done, reasons[e.Ended], llm.UsageOf(tokensOf(e.Spent))
	default:
		d.Kind = relay.Preamble
	}
}

// Pass implements llm.Reader.
func (r *reader) Pass(dst []byte, f *wire.Frame) []byte {
	if string(f.Event) == hello && r.alias != "" {
		return appendEvent(dst, hello, &event{Brain: r.alias})
	}
	return append(dst, f.Raw...)
}

func appendEvent(dst []byte, kind string, e *event) []byte {
	data, _ := json.Marshal(e)
	return wire.AppendEvent(dst, kind, data)
}

// NewStream implements llm.Front.
func (Dialect) NewStream(model string, _ time.Time) llm.StreamWriter { return &stream{model: model} }

type stream struct {
	model string
	begun bool
}

func (s *stream) append(dst []byte, kind string, e *event) []byte {
	if !s.begun {
		s.begun = true
		dst = appendEvent(dst, hello, &event{Brain: s.model})
	}
	return appendEvent(dst, kind, e)
}

// Delta implements llm.Writer.
func (s *stream) Delta(dst, text []byte) []byte { return s.append(dst, say, &event{Bit: string(text)}) }

// Rest implements llm.StreamWriter.
func (s *stream) Rest(dst []byte, d *llm.Delta) []byte {
	if len(d.Refusal) > 0 {
		dst = s.append(dst, declines, &event{Bit: string(d.Refusal)})
	}
	for _, c := range d.ToolCalls {
		arguments := rawjson.Settle(append([]byte{}, c.Arguments...))
		dst = s.append(dst, ask, &event{At: &c.Index, Ref: c.ID, Gear: c.Name, Bit: string(arguments)})
	}
	return dst
}

// Done implements llm.Writer.
func (s *stream) Done(dst []byte, finishReason string, usage jsontext.Value) []byte {
	return s.append(dst, bye, &event{Ended: ended[finishReason], Spent: spentOf(usage)})
}

// AppendDone implements llm.Front.
func (Dialect) AppendDone(dst []byte, finishReason string, usage jsontext.Value) []byte {
	return appendEvent(dst, bye, &event{Ended: ended[finishReason], Spent: spentOf(usage)})
}

// AppendError implements llm.Front.
func (Dialect) AppendError(dst []byte, e *problem.Error) []byte {
	return wire.AppendEvent(dst, oops, format{}.Event(e))
}
