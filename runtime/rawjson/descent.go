package rawjson

import (
	"bytes"
	"slices"
	"sync"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
)

// Descent is the reading of one document, from its beginning to its end: each value is taken, gone into, or passed over, and
// none is read twice. If the document cannot be read any further, nothing more is found, and the reading fails in the end.
type Descent struct {
	cursor
	named Span // the name of the member that was come to last
	taken bool // the last value that was come to, by someone
	err   error
}

var descents = sync.Pool{New: func() any { return new(Descent) }}

// Descend has the object read that doc holds, which an upstream has answered: see MembersSaid.
func Descend(doc []byte, read func(*Descent)) error {
	return scan(doc, rules{kind: '{', said: true}, read)
}

// Read has a document read that holds one value, of any kind, and that a client has sent: see Members.
func Read(doc []byte, read func(*Descent)) error { return scan(doc, rules{}, read) }

// ReadSaid does the same for what an upstream has answered: see MembersSaid.
func ReadSaid(doc []byte, read func(*Descent)) error { return scan(doc, rules{said: true}, read) }

// rules are what a document has to keep to.
type rules struct {
	kind  jsontext.Kind // 0 for any
	said  bool          // by an upstream
	depth int           // at most, unless it is 0
}

func scan(doc []byte, r rules, read func(*Descent)) error {
	d := descents.Get().(*Descent) //nolint:forcetypeassert // the pool holds nothing else
	defer d.free()
	d.begin(doc, r.said)
	d.taken, d.err = false, nil
	return d.whole(r, read)
}

func (d *Descent) free() {
	d.cursor.free()
	d.err = nil
	descents.Put(d)
}

// whole reads a document.
func (d *Descent) whole(r rules, read func(*Descent)) error {
	switch kind := d.Kind(); {
	case kind == r.kind, r.kind == 0:
		read(d)
	case kind == '{', kind == '[':
		return unlike(r.kind)
	default:
		if d.Value(); d.err == nil {
			return unlike(r.kind)
		}
	}
	switch {
	case d.err != nil:
		return d.err
	case !d.atEnd():
		return ErrExtra
	case r.depth > 0 && d.deepest > r.depth:
		return ErrTooDeep
	}
	return nil
}

func unlike(wanted jsontext.Kind) error {
	if wanted == '[' {
		return ErrNotArray
	}
	return ErrNotObject
}

// Kind is that of the value that follows.
func (d *Descent) Kind() jsontext.Kind {
	if d.err != nil {
		return 0
	}
	return d.kind()
}

// Value takes the value that follows, of any kind.
func (d *Descent) Value() Span {
	if d.err != nil {
		return Span{}
	}
	d.taken = true
	return d.found(d.value())
}

// Text takes the value that follows, which is a string, and returns what it says. Bytes that are not UTF-8, and halves of
// surrogate pairs, become U+FFFD.
func (d *Descent) Text() string {
	at := d.Value()
	if d.err != nil {
		return ""
	}
	return string(d.says(at))
}

// Name is what the name says of the member that was come to last, as Text has it. It is valid until its document is not.
func (d *Descent) Name() []byte { return d.says(d.named) }

// says is what a string says.
func (d *Descent) says(at Span) []byte {
	quoted := at.Of(d.doc)
	inner := quoted[1 : len(quoted)-1]
	if bytes.IndexByte(inner, '\\') < 0 && (!d.said || utf8.Valid(inner)) {
		return inner
	}
	text, _ := jsontext.AppendUnquote(nil, quoted) // the error is of what is replaced
	return text
}

// Refuse ends the reading, which fails with the error.
func (d *Descent) Refuse(err error) {
	if d.err == nil {
		d.err = err
	}
}

// At is where that ends which was read last: a value, a name, or the bracket that begins an object or array.
func (d *Descent) At() int { return d.at }

// Depth is how many objects and arrays have been gone into, and not been left.
func (d *Descent) Depth() int { return d.depth }

// found is what the cursor has found; nothing if the document is wrong there.
func (d *Descent) found(at Span, ok bool) Span {
	if !ok {
		d.err = fault(d.doc, d.said)
	}
	return at
}

// Members goes into the object that follows. Enter is called at each member, and reads its value or leaves it. A value of
// another kind is passed over.
func (d *Descent) Members(enter func(name []byte)) Span {
	if d.Kind() != '{' {
		return d.Value()
	}
	begin := d.found(d.enter())
	for d.more('}') {
		at := d.found(d.memberName())
		if d.err != nil {
			break
		}
		d.named = at
		name := d.doc[at.Start+1 : at.End-1]
		if d.said {
			name = plain(name)
		}
		d.taken = false
		enter(name)
		d.passOver()
	}
	return d.closed(begin)
}

// Elements does the same for an array.
func (d *Descent) Elements(enter func(i int)) Span {
	if d.Kind() != '[' {
		return d.Value()
	}
	begin := d.found(d.enter())
	for i := 0; d.more(']'); i++ {
		d.taken = false
		enter(i)
		d.passOver()
	}
	return d.closed(begin)
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

// more reports whether there is more before a bracket.
func (d *Descent) more(closed jsontext.Kind) bool {
	d.turns.take(d.at)
	return d.err == nil && d.kind() != closed
}

// passOver skips the current value, unless it was read already.
func (d *Descent) passOver() {
	if !d.taken {
		d.Value()
	}
}

// closed is what began with a bracket, and ends with the one that follows; nothing if the document is wrong.
func (d *Descent) closed(begin Span) Span {
	if d.err != nil {
		return Span{}
	}
	d.taken = true
	end, _ := d.leave()
	return Span{Start: begin.Start, End: end.End}
}

// plain reads a name's escapes, which are rare and cost a copy.
func plain(name []byte) []byte {
	if bytes.IndexByte(name, '\\') < 0 {
		return name
	}
	return AppendString(nil, slices.Concat([]byte{'"'}, name, []byte{'"'}))
}
