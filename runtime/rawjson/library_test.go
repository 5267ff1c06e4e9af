package rawjson

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"github.com/go-json-experiment/json/jsontext"
)

// reading is what a Descent does.
type reading interface {
	Kind() jsontext.Kind
	Value() Span
	Members(enter func(name []byte)) Span
	Elements(enter func(i int)) Span
}

// byLibrary is a Descent that jsontext makes: what the cursor is held to.
type byLibrary struct {
	*jsontext.Decoder
	doc   []byte
	said  bool
	taken bool
	err   error
}

func scanByLibrary(doc []byte, r rules, read func(reading)) error {
	d := &byLibrary{Decoder: jsontext.NewDecoder(bytes.NewBuffer(doc)), doc: doc, said: r.said}
	if r.said {
		d.Reset(bytes.NewBuffer(doc), lenient)
	}
	if d.Kind() != r.kind {
		if d.token(); d.err == nil {
			return unlike(r.kind)
		}
		return d.err
	}
	if read(d); d.err != nil {
		return d.err
	}
	if _, err := d.ReadToken(); !errors.Is(err, io.EOF) {
		return ErrExtra
	}
	return nil
}

func (d *byLibrary) Kind() jsontext.Kind {
	if d.err != nil {
		return 0
	}
	return d.PeekKind()
}

func (d *byLibrary) Value() Span {
	if d.err != nil {
		return Span{}
	}
	switch d.PeekKind() { //nolint:exhaustive // the others are values of one token
	case '{', '[':
		return d.ofMany()
	case '}', ']', 0:
		d.token() // which says what is wrong
		return Span{}
	}
	value, err := d.ReadValue()
	if d.taken = true; err != nil {
		d.err = fmt.Errorf("read JSON: %w", err)
		return Span{}
	}
	end := int(d.InputOffset())
	return Span{Start: end - len(value), End: end}
}

// ofMany takes a list or an object token by token.
func (d *byLibrary) ofMany() Span {
	at := Span{Start: d.token() - 1}
	for depth := d.StackDepth(); d.err == nil && d.StackDepth() >= depth; {
		at.End = d.token()
	}
	if d.err != nil {
		return Span{}
	}
	return at
}

func (d *byLibrary) Members(enter func(name []byte)) Span {
	return d.each('{', '}', func(int) {
		if at := d.Value(); d.err == nil {
			name := at.Of(d.doc)
			if name = name[1 : len(name)-1]; d.said {
				name = plain(name)
			}
			d.taken = false
			enter(name)
		}
	})
}

func (d *byLibrary) Elements(enter func(i int)) Span { return d.each('[', ']', enter) }

func (d *byLibrary) each(begin, end jsontext.Kind, enter func(i int)) Span {
	if d.Kind() != begin {
		return d.Value()
	}
	at := Span{Start: d.token() - 1}
	for i := 0; d.err == nil && d.PeekKind() != end; i++ {
		d.taken = false
		if enter(i); !d.taken {
			d.Value()
		}
	}
	if at.End = d.token(); d.err != nil {
		return Span{}
	}
	return at
}

// token takes a token, and returns where it ends.
func (d *byLibrary) token() int {
	if d.err != nil {
		return 0
	}
	if _, err := d.ReadToken(); err != nil {
		d.err = fmt.Errorf("read JSON: %w", err)
	}
	d.taken = true
	return int(d.InputOffset())
}
