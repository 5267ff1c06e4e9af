package openai

import (
	"slices"
	"strconv"
	"time"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/uuid"

	"github.com/llmservice/llmservice/runtime/llm"
	"github.com/llmservice/llmservice/runtime/problem"
	"github.com/llmservice/llmservice/runtime/rawjson"
	"github.com/llmservice/llmservice/runtime/wire"
)

// ChunkWriter writes the gateway's own chunks, for a stream that does not come from a single upstream, or comes from one of
// another dialect: its first delta names the role, as the API's does, and the finish reason and the usage have chunks of their
// own. It implements llm.StreamWriter.
type ChunkWriter struct {
	head  []byte // of every chunk, up to its choices
	delta []byte // of a delta, up to its members
	begun bool
}

// NewStream implements llm.StreamFormat.
func (Dialect) NewStream(model string, began time.Time) llm.StreamWriter {
	return newStream(newID(), model, began)
}

func newID() string { return "chatcmpl-" + uuid.NewString() }

func newStream(id, model string, created time.Time) *ChunkWriter {
	head := rawjson.AppendQuote([]byte(`data: {"id":`), id)
	head = append(head, `,"object":"chat.completion.chunk","created":`...)
	head = append(strconv.AppendInt(head, created.Unix(), 10), `,"model":`...)
	head = append(rawjson.AppendQuote(head, model), `,"choices":[`...)
	return &ChunkWriter{head: head, delta: append(slices.Clip(head), `{"index":0,"delta":{`...)}
}

const chunkTail = `},"finish_reason":null}]}` + "\n\n"

// Delta implements llm.Writer.
func (o *ChunkWriter) Delta(dst, text []byte) []byte {
	if len(text) == 0 {
		return dst
	}
	return o.member(dst, `"content":`, text)
}

// member writes a chunk whose delta has one member with a text.
func (o *ChunkWriter) member(dst []byte, name string, text []byte) []byte {
	dst = append(append(o.role(dst), o.delta...), name...)
	return append(rawjson.AppendQuote(dst, text), chunkTail...)
}

// Rest implements llm.StreamWriter.
func (o *ChunkWriter) Rest(dst []byte, d *llm.Delta) []byte {
	if len(d.Refusal) > 0 {
		dst = o.member(dst, `"refusal":`, d.Refusal)
	}
	if len(d.ToolCalls) == 0 {
		return dst
	}
	dst = append(append(o.role(dst), o.delta...), `"tool_calls":`...)
	return append(append(dst, rawjson.List(d.ToolCalls, callDelta)...), chunkTail...)
}

// callDelta writes a part of a call: the first has its id and its name.
func callDelta(part llm.ToolCallDelta) []byte {
	call := rawjson.Object{}.With("index", strconv.AppendInt(nil, int64(max(part.Index, 0)), 10))
	if part.ID != "" {
		call = call.With("id", rawjson.Quote(part.ID)).With("type", rawjson.Quote("function"))
	}
	function := rawjson.Object{}
	if part.Name != "" {
		function = function.With("name", rawjson.Quote(part.Name))
	}
	function = function.With("arguments", rawjson.AppendQuote(nil, part.Arguments))
	return call.With("function", function.Done()).Done()
}

func (o *ChunkWriter) role(dst []byte) []byte {
	if o.begun {
		return dst
	}
	o.begun = true
	dst = append(append(dst, o.head...), `{"index":0,"delta":{"role":"assistant","content":""`...)
	return append(dst, chunkTail...)
}

// Done implements llm.Writer. Unknown values are left out: a finish reason is never invented.
func (o *ChunkWriter) Done(dst []byte, finishReason string, usage jsontext.Value) []byte {
	if finishReason != "" {
		dst = append(append(o.role(dst), o.head...), `{"index":0,"delta":{},"finish_reason":`...)
		dst = append(rawjson.AppendQuote(dst, finishReason), "}]}\n\n"...)
	}
	if len(usage) > 0 {
		// The data may contain the upstream's line ends, so it cannot follow the head as it is.
		data := append(append([]byte{}, o.head[len("data: "):]...), `],"usage":`...)
		dst = wire.AppendEvent(dst, "", append(append(data, usage...), '}'))
	}
	return append(dst, doneEvent...)
}

const doneEvent = "data: [DONE]\n\n"

// AppendDone implements llm.StreamFormat: reason and usage have chunks of their own, which have passed.
func (Dialect) AppendDone(dst []byte, _ string, _ jsontext.Value) []byte {
	return append(dst, doneEvent...)
}

// AppendError implements llm.Endpoint with an unnamed event, which is what OpenAI's clients raise.
func (Dialect) AppendError(dst []byte, e *problem.Error) []byte {
	return wire.AppendEvent(dst, "", problem.OpenAI.Event(e))
}
