package openai

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/llmservice/llmservice/runtime/rawjson"
)

// envelope is where the members of an answer, or of a chunk of one, lie that somebody needs. The spans are in the document
// as it came, and in doc, which can be read.
type envelope struct {
	doc                           []byte
	models                        []rawjson.Span // each that there is
	failure, choices, usage, data rawjson.Span
	// These are of the endpoint Responses and its events.
	kind, status, output, response, delta, item rawjson.Span
}

// maxModels bounds the names of the model in one document: what takes their place may be longer.
const maxModels = 16

var errModels = fmt.Errorf("it names its model more than %d times", maxModels)

// byteOrderMark may precede a JSON text; a reader may ignore it (RFC 8259, section 8.1).
var byteOrderMark = []byte("\xEF\xBB\xBF")

// read finds the members. The error is rawjson.ErrNotObject for JSON of another type; others say where the document cannot be
// read, and repeat nothing of it.
func (e *envelope) read(doc []byte) error {
	*e = envelope{doc: doc, models: e.models[:0]}
	if bytes.HasPrefix(doc, byteOrderMark) {
		e.doc = blank(doc, len(byteOrderMark))
	}
	err := e.members()
	if err != nil && errors.Is(err, errNotJSON) {
		if numbers, some := withoutNaN(e.doc); some {
			e.doc = numbers
			err = e.members()
		}
	}
	return err
}

func (e *envelope) members() error {
	e.models = e.models[:0]
	err := rawjson.MembersSaid(e.doc, func(name []byte, value rawjson.Span) {
		switch string(name) {
		case "model":
			if len(e.models) <= maxModels {
				e.models = append(e.models, value)
			}
		default:
			if span := e.span(name); span != nil {
				*span = value
			}
		}
	})
	switch {
	case err == nil && len(e.models) > maxModels:
		return errModels
	case err == nil:
		return nil
	case errors.Is(err, rawjson.ErrNotObject) && !jsontext.Value(e.doc).IsValid(rawjson.AllowDuplicates, rawjson.AllowInvalidUTF8):
		return errNotJSON
	case errors.Is(err, rawjson.ErrNotObject):
		return err
	}
	return unreadable(err)
}

// span is where the place of a member is kept; nil for one that nobody needs.
func (e *envelope) span(name []byte) *rawjson.Span {
	switch string(name) {
	case "error":
		return &e.failure
	case "choices":
		return &e.choices
	case "usage":
		return &e.usage
	case "data":
		return &e.data
	case "type":
		return &e.kind
	case "status":
		return &e.status
	case "output":
		return &e.output
	case "response":
		return &e.response
	case "delta":
		return &e.delta
	case "item":
		return &e.item
	}
	return nil
}

var errNotJSON = errors.New("it is not valid JSON")

// unreadable says of an error of the JSON package only where the document is wrong: its texts name members, and logs are
// to hold nothing that an upstream has said.
func unreadable(err error) error {
	if e, ok := errors.AsType[*jsontext.SyntacticError](err); ok {
		return fmt.Errorf("%w at byte %d", errNotJSON, e.ByteOffset)
	}
	return errNotJSON
}

// edited appends the document as it came, with each name of the model replaced.
func (e *envelope) edited(dst, doc, alias []byte) []byte {
	at := 0
	for _, model := range e.models {
		dst = append(append(dst, doc[at:model.Start]...), alias...)
		at = model.End
	}
	return append(dst, doc[at:]...)
}

// blank returns a copy of doc whose first bytes are spaces, so that places in it stay what they are.
func blank(doc []byte, n int) []byte {
	clean := bytes.Clone(doc)
	for i := range n {
		clean[i] = ' '
	}
	return clean
}

// withoutNaN returns a copy in which the numbers that Python writes and JSON lacks are zeros, so that places in it stay
// what they are; false where there are none.
func withoutNaN(doc []byte) ([]byte, bool) {
	var clean []byte
	inString := false
	for i := 0; i < len(doc); i++ {
		switch c := doc[i]; {
		case inString && c == '\\':
			i++
		case c == '"':
			inString = !inString
		case !inString && (c == 'N' || c == 'I'):
			word := notANumber(doc[i:])
			if word == 0 {
				return nil, false
			}
			if clean == nil {
				clean = bytes.Clone(doc)
			}
			copy(clean[i:], "0       "[:word])
			i += word - 1
		}
	}
	return clean, clean != nil
}

// notANumber is the length of the word that text begins with, 0 for another.
func notANumber(text []byte) int {
	for _, word := range []string{"NaN", "Infinity"} {
		if bytes.HasPrefix(text, []byte(word)) {
			return len(word)
		}
	}
	return 0
}
