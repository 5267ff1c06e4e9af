package format

import (
	"github.com/go-json-experiment/json/jsontext"

	"github.com/llmservice/llmservice/runtime/problem"
)

var jsonFormat = Format{
	Name: "JSON", New: func() Writer { return JSON{} }, Progress: Events{}.Progress,
	Schema:      "JSONStream",
	Description: "Server-sent events. Each `delta` has a piece of the text as it comes, as {\"text\"}. " + ending,
	Example:     "event: delta\ndata: {\"text\":\"Hello\"}\n\n" + exampleEnd,
	Events:      append([]Event{{Name: "delta", Data: DataText}, EventProgress}, namedEnd...),
}

// JSON writes an event delta for each piece of text, with an object as data.
type JSON struct{}

var jsonHead = []byte("event: delta\ndata: {\"text\":")

const jsonTail = "}\n\n"

// Delta implements Writer.
func (JSON) Delta(dst, text []byte) []byte { return delta(dst, jsonHead, text, jsonTail) }

// Done implements Writer.
func (JSON) Done(dst []byte, finishReason string, usage jsontext.Value) []byte {
	return namedDone(dst, finishReason, usage)
}

// Error implements Writer.
func (JSON) Error(dst []byte, e *problem.Error) []byte { return namedError(dst, e) }
