package expr

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// maxTreeDepth bounds the levels of a tree, as a request body's are bounded.
const maxTreeDepth = 64

// Tree is a JSON document whose strings are templates. It is immutable and may be used from many goroutines at once.
type Tree struct {
	root *node
}

// node is a value in the document.
type node struct {
	raw      []byte    // without expressions: the value, as compact JSON
	template *Template // a string with expressions
	path     string    // of the template
	value    any       // without expressions, if it is not a container
	names    []string  // of an object's items
	quoted   []string  // the names as JSON
	items    []*node
	object   bool
	typ      Type
}

// CompileTree reads a JSON document. Names are not templates: one with `${` in it is refused. Every error is an *Error.
func (e *Env) CompileTree(raw []byte) (*Tree, error) {
	b := &builder{env: e, in: jsontext.NewDecoder(bytes.NewBuffer(raw))}
	root, err := b.node()
	if err == nil {
		if _, end := b.in.ReadToken(); !errors.Is(end, io.EOF) {
			err = &Error{Column: 1, Message: "more than one JSON value, want one"}
		}
	}
	if err != nil {
		return nil, b.locate(err)
	}
	return &Tree{root: root}, nil
}

// Type is the type of what Value gives.
func (t *Tree) Type() Type { return t.root.typ }

// JSON evaluates the tree to compact JSON. A string that is one expression becomes that expression's value, also null;
// any other becomes a string, as Text gives it. Members keep their order, and numbers that are not expressions their
// spelling. Arguments are as Template.Value's. Every error is an *Error.
func (t *Tree) JSON(ctx context.Context, vars map[string]any, b *CostBudget) ([]byte, error) {
	r, err := start(ctx, vars, b)
	if err != nil {
		return nil, err
	}
	return r.appendNode(ctx, make([]byte, 0, fewBytes), t.root)
}

// fewBytes are enough for most documents.
const fewBytes = 512

// Value evaluates the tree to what its JSON would decode to, as Template.Value gives it. Arguments are as there. Every
// error is an *Error.
func (t *Tree) Value(ctx context.Context, vars map[string]any, b *CostBudget) (any, error) {
	r, err := start(ctx, vars, b)
	if err != nil {
		return nil, err
	}
	return r.nodeValue(ctx, t.root)
}

func (r *run) appendNode(ctx context.Context, out []byte, n *node) ([]byte, error) {
	switch {
	case n.template != nil:
		return r.fill(ctx, out, n)
	case n.raw != nil:
		return append(out, n.raw...), nil
	}
	first, last := byte('['), byte(']')
	if n.object {
		first, last = '{', '}'
	}
	out = append(out, first)
	var err error
	for i, item := range n.items {
		if i > 0 {
			out = append(out, ',')
		}
		if n.object {
			out = append(append(out, n.quoted[i]...), ':')
		}
		if out, err = r.appendNode(ctx, out, item); err != nil {
			return nil, err
		}
	}
	return append(out, last), nil
}

// fill puts a template's value after out.
func (r *run) fill(ctx context.Context, out []byte, n *node) ([]byte, error) {
	value, err := r.templateValue(ctx, n)
	if err != nil {
		return nil, err
	}
	out, err = appendJSON(out, value)
	if err == nil && len(out) > MaxOutput {
		err = errOutput
	}
	if err != nil {
		failed := n.template.parts[0].failed(err)
		failed.Reads = n.template.Reads()
		return nil, n.failed(failed)
	}
	return out, nil
}

func (r *run) templateValue(ctx context.Context, n *node) (any, error) {
	var value any
	var err error
	if n.template.isExpression() {
		value, err = r.expression(ctx, n.template)
	} else {
		value, err = r.text(ctx, n.template)
	}
	if err != nil {
		return nil, n.failed(err)
	}
	return value, nil
}

// failed adds the place to an error.
func (n *node) failed(err error) error {
	if e, ok := errors.AsType[*Error](err); ok {
		e.Path = n.path
	}
	return err
}

func (r *run) nodeValue(ctx context.Context, n *node) (any, error) {
	switch {
	case n.template != nil:
		return r.templateValue(ctx, n)
	case n.object:
		object := make(map[string]any, len(n.items))
		for i, item := range n.items {
			value, err := r.nodeValue(ctx, item)
			if err != nil {
				return nil, err
			}
			object[n.names[i]] = value
		}
		return object, nil
	case n.items != nil:
		list := make([]any, len(n.items))
		for i, item := range n.items {
			value, err := r.nodeValue(ctx, item)
			if err != nil {
				return nil, err
			}
			list[i] = value
		}
		return list, nil
	}
	return n.value, nil
}

// builder reads a document.
type builder struct {
	env *Env
	in  *jsontext.Decoder
}

func (b *builder) node() (*node, error) {
	switch b.in.PeekKind() {
	case '{':
		return b.container(&node{object: true}, '}')
	case '[':
		return b.container(&node{items: []*node{}}, ']')
	default:
		return b.scalar()
	}
}

func (b *builder) scalar() (*node, error) {
	token, err := b.in.ReadToken()
	if err != nil {
		return nil, err
	}
	switch token.Kind() {
	case '"':
		return b.template(token.String())
	case '0':
		return number(token.String())
	case 't', 'f':
		return &node{raw: []byte(token.String()), value: token.Bool(), typ: Bool}, nil
	default:
		return &node{raw: []byte("null"), typ: Null}, nil
	}
}

// number is int64 or float64, as a request body's are.
func number(text string) (*node, error) {
	n := &node{raw: []byte(text), typ: Int}
	if i, err := strconv.ParseInt(text, 10, 64); err == nil {
		n.value = i
		return n, nil
	}
	f, err := strconv.ParseFloat(text, 64)
	if err != nil {
		return nil, &Error{Column: 1, Message: "the number is out of range, want one that 64 bits hold"}
	}
	n.value, n.typ = f, Double
	return n, nil
}

func (b *builder) container(n *node, end jsontext.Kind) (*node, error) {
	if _, err := b.in.ReadToken(); err != nil {
		return nil, err
	}
	if b.in.StackDepth() > maxTreeDepth {
		return nil, &Error{Column: 1, Message: fmt.Sprintf("more than %d levels deep, want fewer", maxTreeDepth)}
	}
	for b.in.PeekKind() != end {
		if n.object {
			if err := b.name(n); err != nil {
				return nil, err
			}
		}
		item, err := b.node()
		if err != nil {
			return nil, err
		}
		n.items = append(n.items, item)
	}
	_, err := b.in.ReadToken()
	n.settle()
	return n, err
}

// name reads a member's name.
func (b *builder) name(n *node) error {
	token, err := b.in.ReadToken()
	if err != nil {
		return err
	}
	name := token.String()
	if i := strings.Index(name, "${"); i >= 0 {
		return newError(name, i, "names cannot hold expressions, want one that is the same for all requests")
	}
	quoted, err := appendString(nil, name)
	n.names, n.quoted = append(n.names, name), append(n.quoted, string(quoted))
	return err
}

func (b *builder) template(text string) (*node, error) {
	t, err := b.env.Compile(text)
	if err != nil {
		return nil, err
	}
	literal, ok := t.Literal()
	if !ok {
		return &node{template: t, path: string(b.in.StackPointer()), typ: t.Type()}, nil
	}
	raw, err := appendString(nil, literal)
	return &node{raw: raw, value: literal, typ: String}, err
}

// settle gives a container its type, and its JSON where that holds no expressions.
func (n *node) settle() {
	n.typ = n.container()
	for _, item := range n.items {
		if item.raw == nil {
			return
		}
	}
	r := &run{}
	n.raw, _ = r.appendNode(context.Background(), nil, &node{object: n.object, quoted: n.quoted, items: n.items})
}

func (n *node) container() Type {
	if n.object {
		fields := make(map[string]Type, len(n.items))
		for i, item := range n.items {
			fields[n.names[i]] = item.typ
		}
		return Object(fields)
	}
	all := make([]Type, len(n.items))
	for i, item := range n.items {
		all[i] = item.typ
	}
	return List(Common(all...))
}

// locate adds the place in the document to an error.
func (b *builder) locate(err error) *Error {
	if e, ok := errors.AsType[*Error](err); ok {
		e.Path = string(b.in.StackPointer())
		return e
	}
	if e, ok := errors.AsType[*jsontext.SyntacticError](err); ok {
		return &Error{
			Path: string(e.JSONPointer), Column: 1,
			Message: fmt.Sprintf("not valid JSON at byte %d: %v%s", e.ByteOffset, e.Err, wantJSON),
		}
	}
	return &Error{Path: string(b.in.StackPointer()), Column: 1, Message: "not valid JSON: " + err.Error() + wantJSON}
}

const wantJSON = "; want JSON without repeated names"
