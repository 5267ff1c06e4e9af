package format

import (
	"github.com/go-json-experiment/json/jsontext"

	"github.com/llmservice/llmservice/runtime/problem"
	"github.com/llmservice/llmservice/runtime/wire"
)

var textFormat = Format{
	Name: "Text", New: func() Writer { return NewText() },
	Schema:      "TextStream",
	Description: "Server-sent events. Those without a name have the text as it comes, in a data line for each of its lines. " + ending,
	Example:     "data: Hello,\n\ndata:  world\n\n" + exampleEnd,
	Events:      append([]Event{{}}, namedEnd...),
}

// Text writes plain text as data lines: an event for each piece, a data line for each of its lines. A reader gets CR,
// LF and CRLF all back as LF, for the standard knows no other (9.2.6).
type Text struct {
	cr bool // the text so far ends in a CR, which the reader has got as LF already
}

// NewText returns the writer of one stream.
func NewText() *Text { return &Text{} }

// Delta implements Writer.
func (t *Text) Delta(dst, text []byte) []byte {
	if len(text) == 0 {
		return dst
	}
	if t.cr && text[0] == '\n' {
		text = text[1:]
	}
	if t.cr = len(text) > 0 && text[len(text)-1] == '\r'; len(text) == 0 {
		return dst
	}
	return wire.AppendEvent(dst, "", text)
}

// Done implements Writer.
func (t *Text) Done(dst []byte, finishReason string, usage jsontext.Value) []byte {
	return namedDone(dst, finishReason, usage)
}

// Error implements Writer.
func (t *Text) Error(dst []byte, e *problem.Error) []byte { return namedError(dst, e) }
