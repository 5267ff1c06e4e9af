// Package openai reads and writes the shapes of OpenAI's chat completions protocol: requests, whole answers, and
// the events of a stream. It edits what passes by splicing bytes, never by writing it anew.
package openai

import (
	"bytes"
	"errors"
	"fmt"
	"sync"

	"github.com/go-json-experiment/json/jsontext"
)

// span is where a value lies in a document.
type span struct{ start, end int }

func (s span) of(doc []byte) []byte { return doc[s.start:s.end] }

func (s span) found() bool { return s.end > 0 }

var errNotObject = errors.New("want a JSON object")

type scanner struct {
	source  bytes.Buffer
	decoder jsontext.Decoder
}

var scanners = sync.Pool{New: func() any { return new(scanner) }}

// members calls visit for each member of the object that doc holds. It refuses what is no object, what follows
// the object, names given twice at any depth, and invalid UTF-8.
func members(doc []byte, visit func(name []byte, value span)) error {
	s := scanners.Get().(*scanner) //nolint:forcetypeassert // the pool holds nothing else
	defer scanners.Put(s)
	s.source = *bytes.NewBuffer(doc)
	s.decoder.Reset(&s.source)
	defer func() { s.source = bytes.Buffer{} }()
	return visitMembers(&s.decoder, visit)
}

func visitMembers(d *jsontext.Decoder, visit func(name []byte, value span)) error {
	open, err := d.ReadToken()
	if err != nil {
		return fmt.Errorf("read JSON: %w", err)
	}
	if open.Kind() != '{' {
		return errNotObject
	}
	for d.PeekKind() != '}' {
		name, err := d.ReadValue()
		if err != nil {
			return fmt.Errorf("read JSON: %w", err)
		}
		name = bytes.Clone(name) // valid only until the next read
		value, err := d.ReadValue()
		if err != nil {
			return fmt.Errorf("read JSON: %w", err)
		}
		end := int(d.InputOffset())
		visit(bytes.Trim(name, `"`), span{start: end - len(value), end: end})
	}
	if _, err := d.ReadToken(); err != nil {
		return fmt.Errorf("read JSON: %w", err)
	}
	return atEnd(d)
}

func atEnd(d *jsontext.Decoder) error {
	if d.PeekKind() != 0 {
		return errors.New("read JSON: something follows the object")
	}
	return nil
}

// splice returns doc with the span replaced.
func splice(dst, doc []byte, at span, by []byte) []byte {
	dst = append(dst, doc[:at.start]...)
	dst = append(dst, by...)
	return append(dst, doc[at.end:]...)
}

// quote writes s as a JSON string.
func quote(s string) []byte {
	quoted, err := jsontext.AppendQuote(nil, s)
	if err != nil { // s is not valid UTF-8; AppendQuote has replaced what is not
		return quoted
	}
	return quoted
}

// tooDeep says whether arrays and objects of the valid document nest deeper than the limit.
func tooDeep(doc []byte, limit int) bool {
	depth, inString := 0, false
	for i := 0; i < len(doc); i++ {
		switch c := doc[i]; {
		case inString && c == '\\':
			i++
		case c == '"':
			inString = !inString
		case inString:
		case c == '{' || c == '[':
			if depth++; depth > limit {
				return true
			}
		case c == '}' || c == ']':
			depth--
		}
	}
	return false
}
