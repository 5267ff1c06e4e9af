package rawjson

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"

	"github.com/go-json-experiment/json/jsontext"
)

// Descent is the reading of one document, from its beginning to its end: each value is taken, gone into, or passed over, and
// none is read twice. If the document cannot be read any further, nothing more is found, and the reading fails in the end.
type Descent struct {
	decoder *jsontext.Decoder
	doc     []byte
	said    bool // by an upstream
	turns   turns
	taken   bool // the last value that was come to, by someone
	err     error
}

type scanner struct {
	source  bytes.Buffer
	decoder jsontext.Decoder
	descent Descent
}

var scanners = sync.Pool{New: func() any { return new(scanner) }}

// Descend has the object read that doc holds, which an upstream has answered: see MembersSaid.
func Descend(doc []byte, read func(*Descent)) error { return scan(doc, '{', true, read) }

func scan(doc []byte, kind jsontext.Kind, said bool, read func(*Descent)) error {
	s := scanners.Get().(*scanner) //nolint:forcetypeassert // the pool holds nothing else
	defer s.free()
	s.source = *bytes.NewBuffer(doc)
	if said {
		s.decoder.Reset(&s.source, lenient)
	} else {
		s.decoder.Reset(&s.source)
	}
	s.descent = Descent{decoder: &s.decoder, doc: doc, said: said}
	return s.descent.whole(kind, read)
}

func (s *scanner) free() {
	s.source, s.descent = bytes.Buffer{}, Descent{}
	scanners.Put(s)
}

// whole reads a document, which has to be of a kind.
func (d *Descent) whole(kind jsontext.Kind, read func(*Descent)) error {
	if d.Kind() != kind {
		switch d.token(); {
		case d.err != nil:
			return d.err
		case kind == '[':
			return ErrNotArray
		}
		return ErrNotObject
	}
	if read(d); d.err != nil {
		return d.err
	}
	return atEnd(d.decoder)
}

// Kind is that of the value that follows.
func (d *Descent) Kind() jsontext.Kind {
	if d.err != nil {
		return 0
	}
	return d.decoder.PeekKind()
}

// Value takes the value that follows, of any kind.
func (d *Descent) Value() (at Span) {
	if d.err == nil {
		at, d.err = next(d.decoder)
		d.taken = true
	}
	return at
}

// Members goes into the object that follows. Enter is called at each member, and reads its value or leaves it. A value of
// another kind is passed over.
func (d *Descent) Members(enter func(name []byte)) Span {
	if d.Kind() != '{' {
		return d.Value()
	}
	start := d.token() - 1
	for d.more('}') {
		at := d.Value()
		if d.err != nil {
			break
		}
		name := d.doc[at.Start+1 : at.End-1]
		if d.said {
			name = plain(name)
		}
		d.taken = false
		enter(name)
		d.passOver()
	}
	return d.closed(start)
}

// Elements does the same for an array.
func (d *Descent) Elements(enter func(i int)) Span {
	if d.Kind() != '[' {
		return d.Value()
	}
	start := d.token() - 1
	for i := 0; d.more(']'); i++ {
		d.taken = false
		enter(i)
		d.passOver()
	}
	return d.closed(start)
}

func (d *Descent) eachMember(visit func(name []byte, value Span)) {
	d.Members(func(name []byte) {
		if at := d.Value(); d.err == nil {
			visit(name, at)
		}
	})
}

func (d *Descent) eachElement(visit func(i int, value Span)) {
	d.Elements(func(i int) {
		if at := d.Value(); d.err == nil {
			visit(i, at)
		}
	})
}

// closed is what began at a place, and ends with the bracket that follows; nothing if it does not.
func (d *Descent) closed(start int) Span {
	end := d.token()
	if d.err != nil {
		return Span{}
	}
	return Span{Start: start, End: end}
}

// token takes a bracket, and returns where it ends.
func (d *Descent) token() int {
	if d.err != nil {
		return 0
	}
	if _, err := d.decoder.ReadToken(); err != nil {
		d.err = fmt.Errorf("read JSON: %w", err)
	}
	d.taken = true
	return int(d.decoder.InputOffset())
}

// more reports whether there is more before a bracket.
func (d *Descent) more(closed jsontext.Kind) bool {
	d.turns.take()
	return d.err == nil && d.decoder.PeekKind() != closed
}

// passOver skips the current value, unless it was read already.
func (d *Descent) passOver() {
	if !d.taken {
		d.Value()
	}
}

// next is where the following value lies. The decoder's own slice is gone with its next read; the document is not.
func next(d *jsontext.Decoder) (Span, error) {
	if kind := d.PeekKind(); (kind == '{' || kind == '[') && len(d.UnreadBuffer()) > much {
		return nextOfMuch(d)
	}
	value, err := d.ReadValue()
	if err != nil {
		return Span{}, fmt.Errorf("read JSON: %w", err)
	}
	end := int(d.InputOffset())
	return Span{Start: end - len(value), End: end}, nil
}

// atEnd returns what follows the value, if it is more than white space. The kind of the next token does not show that: it is
// that of the end for anything that is not JSON, too.
func atEnd(d *jsontext.Decoder) error {
	if _, err := d.ReadToken(); !errors.Is(err, io.EOF) {
		return errors.New("read JSON: something follows the value")
	}
	return nil
}

// plain reads a name's escapes, which are rare and cost a copy.
func plain(name []byte) []byte {
	if bytes.IndexByte(name, '\\') < 0 {
		return name
	}
	return AppendString(nil, slices.Concat([]byte{'"'}, name, []byte{'"'}))
}
