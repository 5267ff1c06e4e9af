package schema

import (
	"maps"
	"slices"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// What of a value is never absent has one answer: that of the fillers. Templates, documents and parameters ask here for it.

// places are the schemas of the document by their pointers.
func (g *graph) places() map[string]*jsonschema.Schema {
	all := make(map[string]*jsonschema.Schema, len(g.nodes))
	for _, n := range g.nodes {
		if strings.HasPrefix(n.schema.Location, base) {
			all[pointerOf(n.schema.Location)] = n.schema
		}
	}
	return all
}

// at gives the schema at a pointer, which is nil for one that nothing leads to.
func (s *Schema) at(pointer string) *jsonschema.Schema { return s.places[pointer] }

// surely reports whether defaults are filled in under a branch whenever that holds: it is meant in any case, or the property that
// tells is required.
func (c *choice) surely(branch *jsonschema.Schema) bool {
	switch {
	case c == nil:
		return false
	case slices.Contains(c.always, branch):
		return true
	}
	return slices.ContainsFunc(c.told, func(u *union) bool { return u.required && slices.Contains(u.branches, branch) })
}

// requires reports whether a schema has a property required, by itself or by what it refers to.
func requires(s *jsonschema.Schema, property string, seen map[*jsonschema.Schema]bool) bool {
	if seen[s] {
		return false
	}
	seen[s] = true
	if slices.Contains(s.Required, property) {
		return true
	}
	return slices.ContainsFunc(same(s), func(also *jsonschema.Schema) bool { return requires(also, property, seen) })
}

// Demanded lists the names that a value at a pointer has to have if its sender does not know the tags, and if filled,
// of no defaults: `required` without what a default is filled in for wherever the schema applies, and with the property that
// tells the branches of a union apart, unless each branch requires it. changed is true if that is another list.
func (s *Schema) Demanded(pointer string, filled bool) (names []string, changed bool) {
	at := s.at(pointer)
	if at == nil {
		return nil, false
	}
	names = slices.Clone(s.required(at))
	if u := s.origins.at(at.Location).union; u != nil && u.added && !u.implied() {
		names, changed = append(names, u.property), true
	}
	if filled {
		before := len(names)
		names = slices.DeleteFunc(names, func(name string) bool { return s.isFilled(at, name) })
		changed = changed || len(names) < before
	}
	return names, changed
}

// required is what the keyword lists: unions may have added a name.
func (s *Schema) required(at *jsonschema.Schema) []string {
	if from := s.origins[at.Location]; from != nil && from.union != nil && from.union.added {
		return at.Required[:len(at.Required)-1]
	}
	return at.Required
}

// isFilled reports whether a value has a name that a schema requires in any case once its defaults have been filled in, wherever
// the schema applies.
func (s *Schema) isFilled(at *jsonschema.Schema, name string) bool {
	s.presences.Do(func() {
		s.present = map[presence]map[string]bool{}
		s.visit(s.compiled, nil, true)
	})
	filled, unfilled := s.present[presence{at, true}], s.present[presence{at, false}]
	return (filled == nil || filled[name]) && (unfilled == nil || unfilled[name]) && (filled != nil || unfilled != nil)
}

// presence is a schema where defaults are filled in, or are not.
type presence struct {
	schema *jsonschema.Schema
	filled bool
}

// visit notes the names that a value has in any case when a schema is applied to it: those that are known of the value
// already, and those that the schema gives defaults for.
func (s *Schema) visit(at *jsonschema.Schema, known map[string]bool, filled bool) {
	names := maps.Clone(known)
	if names == nil {
		names = map[string]bool{}
	}
	if filled {
		given(at, names, map[*jsonschema.Schema]bool{})
	}
	key := presence{at, filled}
	before := s.present[key]
	if before != nil {
		maps.DeleteFunc(names, func(name string, _ bool) bool { return !before[name] })
		if len(names) == len(before) {
			return
		}
	}
	s.present[key] = names
	s.visitSame(at, names, filled)
	for _, sub := range inside(at) {
		s.visit(sub, nil, filled)
	}
	for _, sub := range unfilled(at) {
		s.visit(sub, nil, false)
	}
}

func (s *Schema) visitSame(at *jsonschema.Schema, names map[string]bool, filled bool) {
	for _, also := range same(at) {
		s.visit(also, names, filled)
	}
	c := s.choices[at]
	for _, branch := range slices.Concat(at.AnyOf, at.OneOf) {
		s.visit(branch, names, filled && c.surely(branch))
	}
}

// given adds the properties for which a schema, or what it refers to, has a default.
func given(s *jsonschema.Schema, names map[string]bool, seen map[*jsonschema.Schema]bool) {
	if seen[s] {
		return
	}
	seen[s] = true
	for name, property := range s.Properties {
		if hasDefault(property) {
			names[name] = true
		}
	}
	for _, also := range same(s) {
		given(also, names, seen)
	}
}

// unfilled lists the schemas that fillers do not lead to.
func unfilled(s *jsonschema.Schema) []*jsonschema.Schema {
	all := []*jsonschema.Schema{s.Not, s.If, s.Then, s.Else, s.Contains, s.PropertyNames, s.UnevaluatedItems, s.UnevaluatedProperties}
	all = slices.AppendSeq(all, maps.Values(s.DependentSchemas))
	for _, dependency := range s.Dependencies {
		if sub, ok := dependency.(*jsonschema.Schema); ok {
			all = append(all, sub)
		}
	}
	if isDynamic(s.DynamicRef) {
		all = append(all, s.DynamicRef.Ref)
	}
	return slices.DeleteFunc(all, func(sub *jsonschema.Schema) bool { return sub == nil })
}
