package openai

import (
	"bytes"
	"errors"
	"fmt"
	"sync"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/llmservice/llmservice/runtime/llm"
	"github.com/llmservice/llmservice/runtime/rawjson"
)

// envelope is where the members of an answer, or of a chunk of one, are that the gateway needs. The spans are in the document
// as it came, and in doc, which can be read.
type envelope struct {
	doc                           []byte
	names                         []name // all of them
	failure, choices, usage, data rawjson.Span
	// These are of the endpoint Responses and its events.
	kind, status, output, response, delta, item, place, details rawjson.Span

	// most is how many choices are read, and part the member of them to read, message or delta; empty for none.
	most  int
	part  string
	given []choice // those that are objects
	calls []call   // of all of them
}

// name is where a document has a name that clients know under another one: its model's or, with id, that of a response.
type name struct {
	rawjson.Span

	id bool
}

// envelopes are for whole answers. A stream has one of its own.
var envelopes = sync.Pool{New: func() any { return new(envelope) }}

func (e *envelope) release() {
	e.doc = nil
	envelopes.Put(e)
}

// maxNames bounds the names in one document, because their replacements may be longer.
const maxNames = 16

var errNames = fmt.Errorf("it names its model and itself more than %d times", maxNames)

// byteOrderMark may precede a JSON text; a reader may ignore it (RFC 8259, section 8.1).
var byteOrderMark = []byte("\xEF\xBB\xBF")

// read finds the members. The error is rawjson.ErrNotObject for JSON of another type; other errors give the place that cannot
// be read, and repeat nothing of the document.
func (e *envelope) read(doc []byte) error { return e.readPart(doc, 0, "") }

// readPart also finds this many choices, and a part of each, in the same reading.
func (e *envelope) readPart(doc []byte, most int, part string) error {
	*e = envelope{doc: doc, names: e.names, given: e.given, calls: e.calls, most: most, part: part}
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
	e.names, e.given, e.calls = e.names[:0], e.given[:0], e.calls[:0]
	err := rawjson.Descend(e.doc, func(d *rawjson.Descent) {
		d.Members(func(member []byte) { e.member(d, member) })
	})
	switch {
	case err == nil && len(e.names) > maxNames:
		return errNames
	case err == nil:
		return nil
	case errors.Is(err, rawjson.ErrNotObject) && !jsontext.Value(e.doc).IsValid(rawjson.AllowDuplicates, rawjson.AllowInvalidUTF8):
		return errNotJSON
	case errors.Is(err, rawjson.ErrNotObject):
		return err
	}
	return unreadable(err)
}

func (e *envelope) member(d *rawjson.Descent, member []byte) {
	switch string(member) {
	case "model", "id", previousResponse:
		if at := d.Value(); len(e.names) <= maxNames {
			e.names = append(e.names, name{at, string(member) != "model"})
		}
	case "choices":
		e.choices = e.readChoices(d)
	default:
		if span := e.span(member); span != nil {
			*span = d.Value()
		}
	}
}

// span is where the place of a member is kept; nil for one that the gateway does not need.
func (e *envelope) span(member []byte) *rawjson.Span {
	switch string(member) {
	case "error":
		return &e.failure
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
	case "output_index":
		return &e.place
	case "incomplete_details":
		return &e.details
	}
	return nil
}

var errNotJSON = errors.New("it is not valid JSON")

// unreadable keeps only the place from an error of the JSON package: its texts name members, and logs must not repeat an
// upstream's words.
func unreadable(err error) error {
	if e, ok := errors.AsType[*jsontext.SyntacticError](err); ok {
		return fmt.Errorf("%w at byte %d", errNotJSON, e.ByteOffset)
	}
	return errNotJSON
}

// edits appends the edits that replace the upstream's names with those that clients know: the alias, which is quoted, and ids
// that name the place at which a response is kept. Without an alias, or without a place, those names stay.
func (e *envelope) edits(dst []rawjson.Edit, alias []byte, at llm.Place) []rawjson.Edit {
	for _, n := range e.names {
		by := alias
		if n.id {
			by = keptID(at, n.Of(e.doc))
		}
		if by != nil {
			dst = append(dst, rawjson.Edit{At: n.Span, By: by})
		}
	}
	return dst
}

// noUsage is where a chunk says that there is no usage yet, with the comma that separates it; not found if the chunk does not
// say so, or spells the name in another way.
func (e *envelope) noUsage() rawjson.Span {
	const blanks, name = " \t\r\n", `"usage"`
	if string(e.usage.Of(e.doc)) != "null" {
		return rawjson.Span{}
	}
	before, colon := bytes.CutSuffix(bytes.TrimRight(e.doc[:e.usage.Start], blanks), []byte(":"))
	before, named := bytes.CutSuffix(bytes.TrimRight(before, blanks), []byte(name))
	if !colon || !named {
		return rawjson.Span{}
	}
	begin := len(bytes.TrimRight(before, blanks)) - 1
	if e.doc[begin] == ',' {
		return rawjson.Span{Start: begin, End: e.usage.End}
	}
	after := bytes.TrimLeft(e.doc[e.usage.End:], blanks)
	if !bytes.HasPrefix(after, []byte(",")) {
		return rawjson.Span{}
	}
	return rawjson.Span{Start: len(before), End: len(e.doc) - len(after) + 1}
}

// blank returns a copy of doc whose first bytes are spaces, so that places in it stay what they are.
func blank(doc []byte, n int) []byte {
	clean := bytes.Clone(doc)
	for i := range n {
		clean[i] = ' '
	}
	return clean
}

// withoutNaN returns a copy in which the numbers that Python writes and JSON lacks are zeros, so that places in it stay what
// they are; false if there are none.
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

// notANumber is the length of such a word at the beginning of text; 0 if there is none.
func notANumber(text []byte) int {
	for _, word := range []string{"NaN", "Infinity"} {
		if bytes.HasPrefix(text, []byte(word)) {
			return len(word)
		}
	}
	return 0
}
