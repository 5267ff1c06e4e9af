package expr

import (
	"context"
	"strconv"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/llmservice/llmservice/runtime/schema"
)

// Known gives the value of the tree as far as it is the same for all variables; a schema.Unknown stands for what else a template
// gives, with its types. Constants are evaluated for the asking, within the budget.
func (t *Tree) Known(b *CostBudget) any { return t.root.known(b) }

func (n *node) known(b *CostBudget) any {
	switch {
	case n.template != nil:
		return n.template.Known(b)
	case n.object:
		object := make(map[string]any, len(n.items))
		for i, item := range n.items {
			object[n.names[i]] = item.known(b)
		}
		return object
	case n.items != nil:
		list := make([]any, len(n.items))
		for i, item := range n.items {
			list[i] = item.known(b)
		}
		return list
	}
	return n.value
}

// Constant gives the value of a template that is the same for all variables. It is evaluated for the asking, within the budget;
// a nil one is as Value's.
func (t *Template) Constant(b *CostBudget) (value any, ok bool) {
	if !t.isConstant() {
		return nil, false
	}
	value, err := t.Value(context.Background(), nil, b)
	return value, err == nil
}

// Known is what is known of the template's value: the value, or its types.
func (t *Template) Known(b *CostBudget) any {
	if value, ok := t.Constant(b); ok {
		return value
	}
	return t.Type().unknown()
}

// Texts visits the texts that are in the tree for all values of the variables, literal ones and those of constants, with the
// place of each as an Error has it.
func (t *Tree) Texts(visit func(path string, column int, text string)) { t.root.texts("", visit) }

func (n *node) texts(path jsontext.Pointer, visit func(path string, column int, text string)) {
	if n.template != nil {
		for i := range n.template.parts {
			p := &n.template.parts[i]
			if text, ok := p.fixed(); ok {
				visit(string(path), p.column, text)
			}
		}
	}
	if text, ok := n.value.(string); ok {
		visit(string(path), 1, text)
	}
	for i, item := range n.items {
		step := strconv.Itoa(i)
		if n.object {
			step = n.names[i]
		}
		item.texts(path.AppendToken(step), visit)
	}
}

// fixed is a part's text, if that is the same for all variables.
func (p *part) fixed() (string, bool) {
	one := Template{parts: []part{*p}}
	if !one.isConstant() {
		return "", false
	}
	text, err := one.Text(context.Background(), nil, nil)
	return text, err == nil
}

// unknown stands for a value of the type, by the types that JSON Schema knows it by.
func (t Type) unknown() schema.Unknown {
	switch t.kind {
	case nullKind:
		return schema.UnknownOf("null")
	case boolKind:
		return schema.UnknownOf("boolean")
	case intKind, doubleKind:
		return schema.UnknownOf("integer", "number")
	case stringKind:
		return schema.UnknownOf("string")
	case listKind:
		return schema.UnknownOf("array")
	case mapKind, objectKind:
		return schema.UnknownOf("object")
	case nullableKind:
		return t.elem.unknown().OrNull()
	case dynKind, optionalKind:
	}
	return schema.UnknownOf()
}
