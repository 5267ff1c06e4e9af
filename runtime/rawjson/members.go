// Package rawjson finds where values lie in JSON documents, of which it decodes only what is asked for, and writes such
// documents. A document is edited by splicing its bytes, never by writing it anew.
package rawjson

import (
	"errors"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// Span is where a value lies in a document.
type Span struct{ Start, End int }

// Of is the value, in the document in which it was found.
func (s Span) Of(doc []byte) []byte { return doc[s.Start:s.End] }

// Found reports whether there is such a value.
func (s Span) Found() bool { return s.End > 0 }

// What a document has to be.
var (
	ErrNotObject = errors.New("want a JSON object")
	ErrNotArray  = errors.New("want a JSON array")
)

// Members calls visit for each member of the object that doc holds. It refuses what is not an object, what follows
// the object, names given twice at any depth, and invalid UTF-8: it is for what clients send. A name is given as it stands,
// escapes included.
func Members(doc []byte, visit func(name []byte, value Span)) error {
	return scan(doc, '{', false, func(d *Descent) { d.eachMember(visit) })
}

// Elements does the same for an array.
func Elements(doc []byte, visit func(i int, value Span)) error {
	return scan(doc, '[', false, func(d *Descent) { d.eachElement(visit) })
}

// JSON's grammar leaves both to its reader (RFC 8259, sections 4 and 8.2).
var (
	AllowDuplicates  = jsontext.AllowDuplicateNames(true)
	AllowInvalidUTF8 = jsontext.AllowInvalidUTF8(true)

	lenient = json.JoinOptions(AllowDuplicates, AllowInvalidUTF8)
)

// MembersSaid is Members for what an upstream answers: of several members of one name each is visited, so that the last
// counts, text may be any bytes, and a name is given without its escapes.
func MembersSaid(doc []byte, visit func(name []byte, value Span)) error {
	return scan(doc, '{', true, func(d *Descent) { d.eachMember(visit) })
}

// ElementsSaid is Elements for what an upstream answers.
func ElementsSaid(doc []byte, visit func(i int, value Span)) error {
	return scan(doc, '[', true, func(d *Descent) { d.eachElement(visit) })
}

// Edit puts other bytes in the place of a value.
type Edit struct {
	At Span
	By []byte
}

// Edited returns doc with the edits made, which come in the order of their places; without any it is doc itself.
func Edited(doc []byte, edits ...Edit) []byte {
	if len(edits) == 0 {
		return doc
	}
	size := len(doc)
	for _, e := range edits {
		size += len(e.By) - (e.At.End - e.At.Start)
	}
	out, done := make([]byte, 0, size), 0
	for _, e := range edits {
		out = append(append(out, doc[done:e.At.Start]...), e.By...)
		done = e.At.End
	}
	return append(out, doc[done:]...)
}

// Object is a JSON object that is being written; the zero value is an empty one without its last brace.
type Object []byte

// With adds a member, whose name needs no escapes and whose value is JSON.
func (o Object) With(name string, value []byte) Object {
	if len(o) == 0 {
		o = append(o, '{')
	} else {
		o = append(o, ',')
	}
	o = append(append(append(o, '"'), name...), `":`...)
	return append(o, value...)
}

// Done is the whole object.
func (o Object) Done() []byte {
	if len(o) == 0 {
		return []byte("{}")
	}
	return append(o, '}')
}

// IsNull holds for a value that is not there, too.
func IsNull(value []byte) bool { return len(value) == 0 || string(value) == "null" }

// Quote writes s as a JSON string.
func Quote(s string) []byte { return AppendQuote(nil, s) }

// AppendQuote appends text as a JSON string, which has no line ends. Bytes that are not UTF-8 are replaced.
func AppendQuote[T ~[]byte | ~string](dst []byte, text T) []byte {
	quoted, _ := jsontext.AppendQuote(dst, text) // the error is of those bytes alone
	return quoted
}

// TooDeep reports whether arrays and objects of the valid document nest deeper than the limit.
func TooDeep(doc []byte, limit int) bool {
	_, deep := nesting(doc, limit)
	return deep
}

// nesting follows the list or object with which a text begins: until its end, or until it nests deeper than the limit.
func nesting(text []byte, limit int) (ends, deep bool) {
	depth, inString := 0, false
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case inString && c == '\\':
			i++
		case c == '"':
			inString = !inString
		case inString:
		case c == '{' || c == '[':
			if depth++; depth > limit {
				return false, true
			}
		case c == '}' || c == ']':
			if depth--; depth == 0 {
				return true, false
			}
		}
	}
	return false, false
}

// List writes a JSON array.
func List[T any](elements []T, write func(T) []byte) []byte {
	out := []byte{'['}
	for i, e := range elements {
		if i > 0 {
			out = append(out, ',')
		}
		out = append(out, write(e)...)
	}
	return append(out, ']')
}
