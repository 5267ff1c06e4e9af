// Package format writes what a service streams to its clients: text, progress, results, the end and errors, as
// server-sent events (WHATWG HTML, section 9.2) in one of several formats. docs/streams.md has the bytes of each.
//
// Every function appends whole events to dst and returns the extended slice. JSON that is handed in stands as it is.
package format

import (
	"slices"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/llmservice/llmservice/runtime/problem"
	"github.com/llmservice/llmservice/runtime/rawjson"
	"github.com/llmservice/llmservice/runtime/wire"
)

// Writer writes one stream. It may remember what it has written: it belongs to that stream, and to one goroutine.
type Writer interface {
	// Delta is the next piece of text. It has to be UTF-8; an empty one writes nothing.
	Delta(dst, text []byte) []byte
	// Done ends the stream. Empty values stand for what is not known.
	Done(dst []byte, finishReason string, usage jsontext.Value) []byte
	// Error ends the stream, too.
	Error(dst []byte, e *problem.Error) []byte
}

// Format is a way to write the stream of one text. All that the gateway has to know of it stands in one row.
type Format struct {
	// Name is a manifest's.
	Name string
	// New returns the writer of one stream.
	New func() Writer
	// Progress appends the state of an agent's tool; nil if the format does not report it.
	Progress func(dst []byte, data jsontext.Value) []byte
	// Schema is the stream's name in OpenAPI, Description its description there, and Example a short stream.
	Schema, Description, Example string
	// Events are the kinds of its events.
	Events []Event
}

// All are the formats. Protocols have theirs besides: the chunks of a model (llm.StreamFormat).
var All = []Format{textFormat, jsonFormat}

// Named returns the format of a name.
func Named(name string) (Format, bool) {
	i := slices.IndexFunc(All, func(f Format) bool { return f.Name == name })
	if i < 0 {
		return Format{}, false
	}
	return All[i], true
}

// delta appends an event of JSON: its head, the text as a string, and what closes both.
func delta(dst, head, text []byte, tail string) []byte {
	if len(text) == 0 {
		return dst
	}
	dst = rawjson.AppendQuote(append(dst, head...), text)
	return append(dst, tail...)
}

func orNull(value []byte) []byte {
	if len(value) == 0 {
		return []byte("null")
	}
	return value
}

// The description in OpenAPI of the end of a format whose events have names, and an example of it.
const (
	ending = "The last one is `done`, with the data {\"finishReason\", \"usage\"}; a stream that fails after it began " +
		"ends with `error` and {\"error\": {\"message\", \"type\", \"param\", \"code\"}} instead."
	exampleEnd = "event: done\ndata: {\"finishReason\":\"stop\",\"usage\":null}\n\n"
)

// namedDone and namedError end the formats whose events have names.
func namedDone(dst []byte, finishReason string, usage jsontext.Value) []byte {
	reason := []byte("null")
	if finishReason != "" {
		reason = rawjson.Quote(finishReason)
	}
	data := append([]byte(`{"finishReason":`), reason...)
	data = append(append(data, `,"usage":`...), orNull(usage)...)
	return wire.AppendEvent(dst, "done", append(data, '}'))
}

func namedError(dst []byte, e *problem.Error) []byte {
	return wire.AppendEvent(dst, "error", problem.OpenAI.Event(e))
}
