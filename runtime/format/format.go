// Package format writes what a service streams to its clients: text, progress, results, the end and errors, as
// server-sent events (WHATWG HTML, section 9.2) in one of several formats. docs/streams.md has the bytes of each.
//
// Every function appends whole events to dst and returns the extended slice. JSON that is handed in stands as it is.
package format

import (
	"github.com/go-json-experiment/json/jsontext"

	"github.com/llmservice/llmservice/runtime/problem"
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

// delta appends an event of JSON: its head, the text as a string, and what closes both.
func delta(dst, head, text []byte, tail string) []byte {
	if len(text) == 0 {
		return dst
	}
	dst = appendQuoted(append(dst, head...), text)
	return append(dst, tail...)
}

// appendQuoted appends text as a JSON string, which has no line ends.
func appendQuoted(dst, text []byte) []byte {
	quoted, err := jsontext.AppendQuote(dst, text)
	if err != nil { // it is not valid UTF-8; AppendQuote has replaced what is not
		return quoted
	}
	return quoted
}

func orNull(value []byte) []byte {
	if len(value) == 0 {
		return []byte("null")
	}
	return value
}

// namedDone and namedError end the formats whose events have names.
func namedDone(dst []byte, finishReason string, usage jsontext.Value) []byte {
	reason := []byte("null")
	if finishReason != "" {
		reason = appendQuoted(nil, []byte(finishReason))
	}
	data := append([]byte(`{"finishReason":`), reason...)
	data = append(append(data, `,"usage":`...), orNull(usage)...)
	return wire.AppendEvent(dst, "done", append(data, '}'))
}

func namedError(dst []byte, e *problem.Error) []byte {
	return wire.AppendEvent(dst, "error", problem.OpenAI.Event(e))
}
