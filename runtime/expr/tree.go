package expr

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// maxTreeDepth bounds the levels of a tree, as a request body's are bounded.
const maxTreeDepth = 64

// Tree is a JSON document whose strings are templates. It is immutable and may be used from many goroutines at once.
type Tree struct {
	holes []hole
	tail  []byte
}

// hole is where an expression's value goes, and the JSON between the hole before and this one.
type hole struct {
	before   []byte
	template *Template
	path     string
}

// CompileTree reads a JSON document. Names are not templates: one with `${` in it is refused. Every error is an *Error.
func (e *Env) CompileTree(raw []byte) (*Tree, error) {
	b := &builder{env: e, in: jsontext.NewDecoder(bytes.NewBuffer(raw)), tree: &Tree{}}
	err := b.value()
	if err == nil {
		if _, end := b.in.ReadToken(); !errors.Is(end, io.EOF) {
			err = &Error{Column: 1, Message: "more than one JSON value"}
		}
	}
	if err != nil {
		return nil, b.locate(err)
	}
	b.tree.tail = b.text
	return b.tree, nil
}

// JSON evaluates the tree to compact JSON. A string that is one expression becomes that expression's value, also null;
// any other becomes a string, as Text gives it. Every error is an *Error.
func (t *Tree) JSON(ctx context.Context, vars map[string]any) ([]byte, error) {
	r, err := start(ctx, vars)
	if err != nil {
		return nil, err
	}
	var out []byte
	for _, h := range t.holes {
		out = append(out, h.before...)
		if out, err = r.fill(ctx, out, h); err != nil {
			return nil, err
		}
	}
	return append(out, t.tail...), nil
}

func (r *run) fill(ctx context.Context, out []byte, h hole) ([]byte, error) {
	var value any
	var err error
	if parts := h.template.parts; len(parts) == 1 {
		value, err = r.value(ctx, parts[0])
	} else {
		value, err = r.text(ctx, h.template)
	}
	if err == nil {
		out, err = appendJSON(out, value)
		if err == nil && len(out) > MaxOutput {
			err = errOutput
		}
		if err != nil {
			err = h.template.parts[0].failed(err)
		}
	}
	if e, ok := errors.AsType[*Error](err); ok {
		e.Path = h.path
	}
	return out, err
}

// builder turns a document into the JSON between its holes.
type builder struct {
	env  *Env
	in   *jsontext.Decoder
	tree *Tree
	text []byte
}

func (b *builder) value() error {
	switch b.in.PeekKind() {
	case '{':
		return b.container('{', '}', b.member)
	case '[':
		return b.container('[', ']', b.value)
	case '"':
		token, err := b.in.ReadToken()
		if err != nil {
			return err
		}
		return b.template(token.String())
	default:
		raw, err := b.in.ReadValue()
		b.text = append(b.text, raw...)
		return err
	}
}

func (b *builder) container(open, end jsontext.Kind, next func() error) error {
	if _, err := b.in.ReadToken(); err != nil {
		return err
	}
	if b.in.StackDepth() > maxTreeDepth {
		return &Error{Column: 1, Message: fmt.Sprintf("more than %d levels deep", maxTreeDepth)}
	}
	b.text = append(b.text, byte(open))
	for first := true; b.in.PeekKind() != end; first = false {
		if !first {
			b.text = append(b.text, ',')
		}
		if err := next(); err != nil {
			return err
		}
	}
	b.text = append(b.text, byte(end))
	_, err := b.in.ReadToken()
	return err
}

func (b *builder) member() error {
	token, err := b.in.ReadToken()
	if err != nil {
		return err
	}
	name := token.String()
	if i := strings.Index(name, "${"); i >= 0 {
		return newError(name, i, "names cannot hold expressions")
	}
	if b.text, err = appendString(b.text, name); err != nil {
		return err
	}
	b.text = append(b.text, ':')
	return b.value()
}

func (b *builder) template(text string) error {
	t, err := b.env.Compile(text)
	if err != nil {
		return err
	}
	if literal, ok := t.literal(); ok {
		b.text, err = appendString(b.text, literal)
		return err
	}
	b.tree.holes = append(b.tree.holes, hole{before: b.text, template: t, path: string(b.in.StackPointer())})
	b.text = nil
	return nil
}

// literal gives the text of a template without expressions.
func (t *Template) literal() (string, bool) {
	switch {
	case len(t.parts) == 0:
		return "", true
	case len(t.parts) == 1 && t.parts[0].program == nil:
		return t.parts[0].text, true
	}
	return "", false
}

// locate adds the place in the document to an error.
func (b *builder) locate(err error) *Error {
	if e, ok := errors.AsType[*Error](err); ok {
		e.Path = string(b.in.StackPointer())
		return e
	}
	if e, ok := errors.AsType[*jsontext.SyntacticError](err); ok {
		return &Error{Path: string(e.JSONPointer), Column: 1, Message: fmt.Sprintf("not valid JSON at byte %d: %v", e.ByteOffset, e.Err)}
	}
	return &Error{Path: string(b.in.StackPointer()), Column: 1, Message: "not valid JSON: " + err.Error()}
}
