package format

import (
	"slices"
	"strconv"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/llmservice/llmservice/runtime/problem"
	"github.com/llmservice/llmservice/runtime/wire"
)

// OpenAI writes chunks of its own, for text that comes from no single upstream's stream: its first delta names the
// role, as the API's does, and the finish reason and the usage have chunks to themselves.
type OpenAI struct {
	head  []byte // of every chunk, up to its choices
	delta []byte // of a delta, up to its text
	begun bool
}

// NewOpenAI returns the writer of one stream, which is known by id, model and the time when it began.
func NewOpenAI(id, model string, created time.Time) *OpenAI {
	head := appendQuoted([]byte(`data: {"id":`), []byte(id))
	head = append(head, `,"object":"chat.completion.chunk","created":`...)
	head = append(strconv.AppendInt(head, created.Unix(), 10), `,"model":`...)
	head = append(appendQuoted(head, []byte(model)), `,"choices":[`...)
	return &OpenAI{head: head, delta: append(slices.Clip(head), `{"index":0,"delta":{"content":`...)}
}

const openAITail = `},"finish_reason":null}]}` + "\n\n"

// Delta implements Writer.
func (o *OpenAI) Delta(dst, text []byte) []byte {
	if len(text) == 0 {
		return dst
	}
	return delta(o.role(dst), o.delta, text, openAITail)
}

func (o *OpenAI) role(dst []byte) []byte {
	if o.begun {
		return dst
	}
	o.begun = true
	dst = append(append(dst, o.head...), `{"index":0,"delta":{"role":"assistant","content":""`...)
	return append(dst, openAITail...)
}

// Done implements Writer. What is not known is left out: a finish reason is never invented.
func (o *OpenAI) Done(dst []byte, finishReason string, usage jsontext.Value) []byte {
	if finishReason != "" {
		dst = append(append(o.role(dst), o.head...), `{"index":0,"delta":{},"finish_reason":`...)
		dst = append(appendQuoted(dst, []byte(finishReason)), "}]}\n\n"...)
	}
	if len(usage) > 0 {
		// The data may have line ends of the upstream's, so it does not follow the head as it is.
		data := append(append([]byte{}, o.head[len("data: "):]...), `],"usage":`...)
		dst = wire.AppendEvent(dst, "", append(append(data, usage...), '}'))
	}
	return OpenAIDone(dst)
}

// Error implements Writer.
func (o *OpenAI) Error(dst []byte, e *problem.Error) []byte { return OpenAIError(dst, e) }

// OpenAIDone ends a stream of chunks that were passed on byte for byte.
func OpenAIDone(dst []byte) []byte { return append(dst, "data: [DONE]\n\n"...) }

// OpenAIError ends a stream of chunks with an error: an unnamed event, which is what OpenAI's clients raise.
func OpenAIError(dst []byte, e *problem.Error) []byte {
	return wire.AppendEvent(dst, "", problem.OpenAI.Event(e))
}
