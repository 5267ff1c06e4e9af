package openai

import (
	"slices"
	"strconv"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/llmservice/llmservice/runtime/llm"
	"github.com/llmservice/llmservice/runtime/rawjson"
	"github.com/llmservice/llmservice/runtime/wire"
)

// responseStream writes the events of a response that the gateway makes of another upstream's stream. Its last events repeat
// the whole answer, so it needs a collector. It implements llm.Recaller.
type responseStream struct {
	ownResponse

	said     *llm.Collector
	sequence int
	items    []string // their ids, in the order in which they began
	message  int      // which of them is the message; -1 if there is none yet
	parts    []string // types of the message's parts, in the order in which they began
	calls    []int    // which items are the calls, in the order in which they began
}

var _ llm.Recaller = (*responseStream)(nil)

// NewStream implements llm.StreamFormat.
func (Responses) NewStream(model string, began time.Time) llm.StreamWriter {
	return &responseStream{ownResponse: newOwnResponse(model, began), message: -1}
}

// AppendDone implements llm.StreamFormat: the upstream's own last event has passed.
func (Responses) AppendDone(dst []byte, _ string, _ jsontext.Value) []byte { return dst }

// Recall implements llm.Recaller.
func (o *responseStream) Recall(c *llm.Collector) { o.said = c }

// event appends an event; its place in the output follows if it has one.
func (o *responseStream) event(dst []byte, name string, members rawjson.Object) []byte {
	data := rawjson.Object{}.With("type", rawjson.Quote(name)).With("sequence_number", strconv.AppendInt(nil, int64(o.sequence), 10))
	o.sequence++
	if len(members) > 0 {
		data = append(append(data, ','), members[1:]...)
	}
	return wire.AppendEvent(dst, name, data.Done())
}

// at is the place of an item's event.
func (o *responseStream) at(index int) rawjson.Object {
	return rawjson.Object{}.With("item_id", rawjson.Quote(o.items[index])).With("output_index", number(index))
}

func number(n int) []byte { return strconv.AppendInt(nil, int64(n), 10) }

func (o *responseStream) begin(dst []byte) []byte {
	if o.sequence > 0 {
		return dst
	}
	nothing := o.response("in_progress", []byte("null"), []byte("[]"), nil)
	dst = o.event(dst, "response.created", rawjson.Object{}.With("response", nothing))
	return o.event(dst, "response.in_progress", rawjson.Object{}.With("response", nothing))
}

func (o *responseStream) add(dst []byte, id string, item []byte) []byte {
	o.items = append(o.items, id)
	added := rawjson.Object{}.With("output_index", number(len(o.items)-1)).With("item", item)
	return o.event(o.begin(dst), "response.output_item.added", added)
}

// part begins the message, and its part of a type, if they have not begun.
func (o *responseStream) part(dst []byte, kind string, empty []byte) ([]byte, rawjson.Object) {
	if o.message < 0 {
		id := newItem("msg_")
		dst = o.add(dst, id, messageItem(id, "in_progress", []byte("[]")))
		o.message = len(o.items) - 1
	}
	at := slices.Index(o.parts, kind)
	if at < 0 {
		at = len(o.parts)
		o.parts = append(o.parts, kind)
		dst = o.event(dst, "response.content_part.added", o.at(o.message).With("content_index", number(at)).With("part", empty))
	}
	return dst, o.at(o.message).With("content_index", number(at))
}

// Delta implements llm.Writer.
func (o *responseStream) Delta(dst, text []byte) []byte {
	dst, at := o.part(dst, "output_text", textPart(""))
	return o.event(dst, "response.output_text.delta", at.With("delta", rawjson.AppendQuote(nil, text)).With("logprobs", []byte("[]")))
}

// Rest implements llm.StreamWriter.
func (o *responseStream) Rest(dst []byte, d *llm.Delta) []byte {
	if len(d.Refusal) > 0 {
		var at rawjson.Object
		dst, at = o.part(dst, "refusal", refusalPart(""))
		dst = o.event(dst, "response.refusal.delta", at.With("delta", rawjson.AppendQuote(nil, d.Refusal)))
	}
	for i := range d.ToolCalls {
		dst = o.call(dst, &d.ToolCalls[i])
	}
	return dst
}

func (o *responseStream) call(dst []byte, part *llm.ToolCallDelta) []byte {
	which := o.said.CallOf(part)
	for which >= len(o.calls) {
		id := newItem("fc_")
		dst = o.add(dst, id, callItem(id, "in_progress", llm.ToolCall{ID: part.ID, Name: part.Name}))
		o.calls = append(o.calls, len(o.items)-1)
	}
	if len(part.Arguments) == 0 {
		return dst
	}
	delta := o.at(o.calls[which]).With("delta", rawjson.AppendQuote(nil, part.Arguments))
	return o.event(dst, "response.function_call_arguments.delta", delta)
}

// Done implements llm.Writer.
func (o *responseStream) Done(dst []byte, finishReason string, usage jsontext.Value) []byte {
	dst = o.begin(dst)
	status, details := statusOf(finishReason)
	done := o.said.Completion()
	output := make([][]byte, len(o.items))
	if o.message >= 0 {
		dst, output[o.message] = o.endMessage(dst, status, done)
	}
	for i, call := range o.said.Calls() {
		at := o.calls[i]
		dst = o.event(dst, "response.function_call_arguments.done",
			o.at(at).With("name", rawjson.Quote(call.Name)).With("arguments", rawjson.Quote(call.Arguments)))
		output[at] = callItem(o.items[at], status, call)
		dst = o.ended(dst, at, output[at])
	}
	return o.event(dst, "response."+status, rawjson.Object{}.With("response", o.response(status, details, listed(output), usage)))
}

func (o *responseStream) ended(dst []byte, at int, item []byte) []byte {
	return o.event(dst, "response.output_item.done", rawjson.Object{}.With("output_index", number(at)).With("item", item))
}

func (o *responseStream) endMessage(dst []byte, status string, done *llm.Completion) (events, item []byte) {
	var parts [][]byte
	for i, kind := range o.parts {
		at := func() rawjson.Object { return o.at(o.message).With("content_index", number(i)) }
		part := textPart(done.Text)
		if kind == "refusal" {
			part = refusalPart(done.Refusal)
			dst = o.event(dst, "response.refusal.done", at().With("refusal", rawjson.Quote(done.Refusal)))
		} else {
			dst = o.event(dst, "response.output_text.done", at().With("text", rawjson.Quote(done.Text)).With("logprobs", []byte("[]")))
		}
		dst = o.event(dst, "response.content_part.done", at().With("part", part))
		parts = append(parts, part)
	}
	item = messageItem(o.items[o.message], status, listed(parts))
	return o.ended(dst, o.message, item), item
}
