// Package rawjson finds where values lie in JSON documents, of which it decodes only what is asked for, and writes such
// documents. A document is edited by splicing its bytes, never by writing it anew.
package rawjson

import (
	"bytes"
	"errors"
	"slices"

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
	ErrTooDeep   = errors.New("want JSON that nests less deep")
	ErrExtra     = errors.New("read JSON: something follows the value")
)

// Members calls visit for each member of the object that doc holds. It refuses what is not an object, what follows
// the object, names given twice at any depth, and invalid UTF-8: it is for what clients send. A name is given as it stands,
// escapes included.
func Members(doc []byte, visit func(name []byte, value Span)) error {
	return MembersWithin(doc, 0, visit)
}

// Elements does the same for an array.
func Elements(doc []byte, visit func(i int, value Span)) error {
	return ElementsWithin(doc, 0, visit)
}

// MembersWithin is Members for a document whose arrays and objects nest so deep at most, unless the depth is 0. If they nest
// deeper, and nothing else is wrong, that is ErrTooDeep, after all has been visited.
func MembersWithin(doc []byte, depth int, visit func(name []byte, value Span)) error {
	return scan(doc, rules{kind: '{', depth: depth}, func(d *Descent) { d.eachMember(visit) })
}

// ElementsWithin does the same for an array.
func ElementsWithin(doc []byte, depth int, visit func(i int, value Span)) error {
	return scan(doc, rules{kind: '[', depth: depth}, func(d *Descent) { d.eachElement(visit) })
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
	return scan(doc, rules{kind: '{', said: true}, func(d *Descent) { d.eachMember(visit) })
}

// ElementsSaid is Elements for what an upstream answers.
func ElementsSaid(doc []byte, visit func(i int, value Span)) error {
	return scan(doc, rules{kind: '[', said: true}, func(d *Descent) { d.eachElement(visit) })
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
	return slices.Concat(Pieces(doc, edits...)...)
}

// Pieces are what Edited returns, one after the other. What is not edited is not copied.
func Pieces(doc []byte, edits ...Edit) [][]byte {
	pieces, done := make([][]byte, 0, 2*len(edits)+1), 0
	for _, e := range edits {
		pieces = append(pieces, doc[done:e.At.Start], e.By)
		done = e.At.End
	}
	return append(pieces, doc[done:])
}

// Object is a JSON object that is being written; the zero value is an empty one without its last brace.
type Object []byte

// Within begins an object that is a value of what was written before.
func Within(dst []byte) Object { return append(dst, '{') }

// Name begins a member, whose name needs no escapes; its value, as JSON, is to be appended next.
func (o Object) Name(name string) Object {
	switch {
	case len(o) == 0:
		o = append(o, '{')
	case o[len(o)-1] != '{': // which ends no value
		o = append(o, ',')
	}
	return append(append(append(o, '"'), name...), `":`...)
}

// With adds a member, whose name needs no escapes and whose value is JSON.
func (o Object) With(name string, value []byte) Object { return append(o.Name(name), value...) }

// WithText adds a member whose value is a text.
func (o Object) WithText(name, text string) Object { return AppendQuote(o.Name(name), text) }

// Done is the whole object.
func (o Object) Done() []byte {
	if len(o) == 0 {
		return []byte("{}")
	}
	return append(o, '}')
}

// IsNull holds for a value that is not there, too.
func IsNull(value []byte) bool { return len(value) == 0 || string(value) == "null" }

// TooDeep reports whether arrays and objects of the valid document nest deeper than the limit. Who reads the document, too, asks
// MembersWithin or ElementsWithin instead.
func TooDeep(doc []byte, limit int) bool {
	depth := 0
	for i := 0; i < len(doc); i++ {
		switch doc[i] {
		case '"':
			i = StringEnd(doc, i+1)
		case '{', '[':
			if depth++; depth > limit {
				return true
			}
		case '}', ']':
			depth--
		}
	}
	return false
}

// StringEnd is where the string ends whose first character stands at i: the place of its closing quote, or the text's end if it has
// none. It looks for quotes alone, many bytes at a time: most bytes of a large document are within strings.
func StringEnd(text []byte, i int) int {
	for {
		end := bytes.IndexByte(text[i:], '"')
		if end < 0 {
			return len(text)
		}
		i += end
		escapes := 0
		for escapes < i && text[i-1-escapes] == '\\' {
			escapes++
		}
		if escapes%2 == 0 {
			return i
		}
		i++
	}
}

// List writes a JSON array.
func List[T any](elements []T, write func(T) []byte) []byte {
	return AppendList(nil, elements, func(dst []byte, e T) []byte { return append(dst, write(e)...) })
}

// AppendList appends a JSON array, to which each element is appended.
func AppendList[T any](dst []byte, elements []T, write func(dst []byte, e T) []byte) []byte {
	dst = append(dst, '[')
	for i, e := range elements {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = write(dst, e)
	}
	return append(dst, ']')
}
