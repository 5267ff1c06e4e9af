package schema

import (
	"errors"
	"slices"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/llmservice/llmservice/runtime/problem"
)

// ParameterPlace is where in a request a parameter stands; violations have it as the first step of their loc.
type ParameterPlace string

// The places of parameters.
const (
	Path   ParameterPlace = "path"
	Query  ParameterPlace = "query"
	Header ParameterPlace = "header"
	Cookie ParameterPlace = "cookie"
)

// Parameter reads the text of one parameter as its schema demands. It is immutable and may be used from many goroutines.
type Parameter struct {
	schema   *Schema
	at       ParameterPlace
	loc      []any
	required bool
	fallback *any
	scalar   *scalar // nil for a list
	list     list
}

// CompileParameter reads a parameter's schema; an empty one takes any text. The name goes into the loc of violations, a
// header's in lower case. A path always has its parameters, regardless of required, and one with a default is never missing.
// Refused are, besides what Compile refuses, schemas that no text can satisfy: objects, null alone, lists of lists, lists in a
// path or a cookie, and what may be both a list and a single value. Errors are as Compile's.
func CompileParameter(raw []byte, at ParameterPlace, name string, required bool, options ...Option) (*Parameter, error) {
	if len(raw) == 0 {
		raw = []byte("true")
	}
	s, err := Compile(raw, options...)
	if err != nil {
		return nil, err
	}
	if at == Header {
		name = strings.ToLower(name)
	}
	p := &Parameter{schema: s, at: at, loc: []any{string(at), name}, required: required || at == Path}
	if p.fallback = defaultOf(s.compiled); p.fallback != nil {
		p.required = false
	}
	types, alone := typesOf(s.compiled), []*jsonschema.Schema{s.compiled}
	if slices.Contains(types, "array") && (at == Path || at == Cookie) {
		return nil, &Error{Reason: "accepts a list, which a " + string(at) + " cannot hold; want a single value"}
	}
	isList, err := listOrSingle(types, "")
	switch {
	case err != nil:
		return nil, err
	case isList:
		p.list, err = newList(s, alone)
	default:
		p.scalar, err = newScalar(s, alone)
	}
	return p, err
}

// listOrSingle reports whether the values of these types are lists. Both at once is an error at the pointer.
func listOrSingle(types []string, pointer string) (isList bool, err error) {
	if !slices.Contains(types, "array") {
		return false, nil
	}
	if len(slices.DeleteFunc(slices.Clone(types), func(t string) bool { return t == "null" })) > 1 {
		return false, &Error{Pointer: pointer, Reason: "accepts a list and a single value, which text cannot distinguish; " +
			"want one of them"}
	}
	return true, nil
}

// Automata is as a Schema's.
func (p *Parameter) Automata() int { return p.schema.automata }

// Schema is what the parameter was compiled from.
func (p *Parameter) Schema() *Schema { return p.schema }

// HasDefault reports whether an absent parameter has a value all the same, which may be null.
func (p *Parameter) HasDefault() bool { return p.fallback != nil }

// IsRequired reports whether a request without the parameter is refused. One in a path always is.
func (p *Parameter) IsRequired() bool { return p.required || p.at == Path }

// Parse reads the values that a request has for the parameter, in their order; none is an absent parameter. It gives nil
// for an absent one without a default, a []any for a list, and otherwise one value: of several in a query, and of
// several cookies, the last counts, and of several headers the first, as in FastAPI. Numbers are int64 or float64; a parameter
// of type number is always float64. All parameters of a request share its work; the error is as Check's.
func (p *Parameter) Parse(w *WorkBudget, values []string) (value any, wrong []problem.Violation, err error) {
	switch {
	case w.err != nil: // which the parameter says that was read before
		return nil, nil, w.interrupted()
	case len(values) == 0:
		value, wrong = p.absent()
	case len(values) >= MaxBodyNodes:
		wrong = []problem.Violation{violation(p.loc, "work", nil)}
	case p.scalar == nil:
		value, wrong, err = p.parseList(w, values)
	case p.at == Query, p.at == Cookie:
		value, wrong, err = p.parseScalar(w, values[len(values)-1])
	default:
		value, wrong, err = p.parseScalar(w, values[0])
	}
	if err = errors.Join(err, w.interrupted()); err != nil {
		return nil, nil, err
	}
	return value, wrong, nil
}

func (p *Parameter) absent() (any, []problem.Violation) {
	if p.required {
		v := violation(p.loc, "required", nil)
		if p.schema.echo {
			v.Input = shown(nil)
		}
		return nil, []problem.Violation{v}
	}
	if p.fallback == nil {
		return nil, nil
	}
	var f filling
	v, err := f.copy(*p.fallback, 0)
	if err != nil { // it was measured when the schema was compiled
		return nil, []problem.Violation{unreadable(p.loc, err.Error())}
	}
	return settle(v), nil
}

func (p *Parameter) parseScalar(w *WorkBudget, text string) (any, []problem.Violation, error) {
	value, failed := p.scalar.parse(w, text)
	if w.err != nil {
		return nil, []problem.Violation{violation(p.loc, "work", nil)}, w.interrupted()
	}
	var found []problem.Violation
	if value != nil {
		out, vs, err := p.schema.value(w, value, p.loc)
		if err != nil || len(vs) == 0 {
			return out, nil, err
		}
		found = vs
	}
	for _, keyword := range failed {
		found = append(found, violation(p.loc, keyword, nil))
	}
	return nil, p.answer(found, text), nil
}

// perItem is how many steps the reading of a text as a value counts for: it allocates, and may look at the text several
// times.
const perItem = 32

// parseList checks the items that could be read together with the text of those that could not, so that one answer has
// all that is wrong; what a check says of such an item's type is left out.
func (p *Parameter) parseList(w *WorkBudget, values []string) (any, []problem.Violation, error) {
	items, sent := make([]any, len(values)), make([]any, len(values))
	var found []problem.Violation
	unread := map[int]bool{}
	for i, text := range values {
		item, failed := p.list.at(i).parse(w, text)
		if items[i], sent[i] = item, text; item == nil {
			items[i], unread[i] = text, true
		}
		if !w.step(perItem) {
			return nil, []problem.Violation{violation(append(slices.Clip(p.loc), i), "work", nil)}, w.interrupted()
		}
		for _, keyword := range failed[:min(len(failed), maxRanked-len(found))] {
			found = append(found, violation(append(slices.Clip(p.loc), i), keyword, nil))
		}
	}
	out, vs, err := p.schema.value(w, items, p.loc)
	if err != nil {
		return nil, nil, err
	}
	for _, v := range vs {
		if i, isItem := itemOf(v.Loc, len(p.loc)); !isItem || !unread[i] {
			found = append(found, v)
		}
	}
	if len(found) > 0 {
		return nil, p.answer(found, sent), nil
	}
	return out, nil, nil
}

func itemOf(loc []any, prefix int) (int, bool) {
	if len(loc) <= prefix {
		return 0, false
	}
	i, ok := loc[prefix].(int)
	return i, ok
}

// answer sorts violations, leaves out what would not be reported for a body either, and shows the text that was sent where the
// route wants that.
func (p *Parameter) answer(violations []problem.Violation, sent any) []problem.Violation {
	slices.SortFunc(violations, compare)
	all := make([]found, len(violations))
	for i, v := range violations {
		all[i] = found{Violation: v, keyword: lengths[v.Type]}
	}
	violations = violations[:0]
	for _, v := range told(all) {
		violations = append(violations, v.Violation)
	}
	if p.schema.echo {
		echo(violations, sent, len(p.loc))
	}
	return violations
}

// lengths are the keywords about a list's length, by the types of their violations.
var lengths = map[string]string{answers["minItems"].kind: "minItems", answers["maxItems"].kind: "maxItems"}

// list knows how to read each item.
type list struct {
	prefix []*scalar
	rest   *scalar
}

func (l list) at(i int) *scalar {
	if i < len(l.prefix) {
		return l.prefix[i]
	}
	return l.rest
}

// newList takes the schemas that the list has to satisfy together.
func newList(s *Schema, schemas []*jsonschema.Schema) (list, error) {
	var forms []*jsonschema.Schema
	for _, of := range schemas {
		forms = append(forms, formsOf(of, "array")...)
	}
	var l list
	longest := 0
	for _, form := range forms {
		longest = max(longest, len(form.PrefixItems))
	}
	for i := range longest + 1 {
		item, err := newScalar(s, itemSchemas(forms, i))
		if err != nil {
			return list{}, err
		}
		l.prefix = append(l.prefix, item)
	}
	l.prefix, l.rest = l.prefix[:longest], l.prefix[longest]
	return l, nil
}

// formsOf lists the schemas that a value of a type has to satisfy together: those of all branches if a union has several.
func formsOf(s *jsonschema.Schema, kind string) []*jsonschema.Schema {
	forms := []*jsonschema.Schema{s}
	for _, also := range slices.Concat(same(s), s.AnyOf, s.OneOf) {
		if types := typesOf(also); types == nil || slices.Contains(types, kind) {
			forms = append(forms, formsOf(also, kind)...)
		}
	}
	return forms
}

func itemSchemas(forms []*jsonschema.Schema, i int) []*jsonschema.Schema {
	var out []*jsonschema.Schema
	for _, form := range forms {
		switch {
		case i < len(form.PrefixItems):
			out = append(out, form.PrefixItems[i])
		case form.Items2020 != nil:
			out = append(out, form.Items2020)
		}
	}
	return out
}
