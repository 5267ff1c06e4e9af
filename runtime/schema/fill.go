package schema

import (
	"maps"
	"slices"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/llmservice/llmservice/runtime/pattern"
)

// A filler knows what one schema adds to a value: the `default` of each of its properties that is absent, at every level
// that properties, additionalProperties, patternProperties, prefixItems and items lead to, through $ref, allOf and a
// $dynamicRef that can lead to one place only. Where several give a default for one property, the nearest wins: its own
// schema before what that refers to, and siblings of $ref and allOf before what these lead to.
//
// What depends on the value is left alone: if, then, else, not, dependentSchemas, contains, unevaluatedProperties,
// unevaluatedItems. Of anyOf and oneOf, a branch counts where it is clear that it is meant: the only one that is not null, as
// in a nullable object, or, where each branch has the same property with a constant of its own, the one that the value's
// property names. Defaults of the metaschema, which a schema may refer to, say what absence means and are not filled in.
type filler struct {
	also    []*filler // for the same value
	tagged  []tagged
	members []memberFiller
	known   map[string]*jsonschema.Schema // names that `others` leaves alone
	matched []patternFiller
	others  *filler
	prefix  []*filler // each may be nil
	items   *filler
}

// memberFiller is a property's; either part may be absent.
type memberFiller struct {
	name     string
	filler   *filler
	fallback *any
}

type patternFiller struct {
	pattern *pattern.Pattern
	filler  *filler
}

// tagged are branches that a property tells apart.
type tagged struct {
	property string
	branches map[string]*filler
}

// fillers makes one for each schema under which anything can be filled in: those with such a property, and, from these on
// upwards, those that lead to them.
func (g *graph) fillers() map[*jsonschema.Schema]*filler {
	all := make(map[*jsonschema.Schema]*filler)
	above := make(map[*jsonschema.Schema][]*jsonschema.Schema)
	var found []*jsonschema.Schema
	for _, n := range g.nodes {
		if !strings.HasPrefix(n.schema.Location, base) {
			continue
		}
		for _, sub := range below(n.schema) {
			above[sub] = append(above[sub], n.schema)
		}
		if slices.ContainsFunc(slices.Collect(maps.Values(n.schema.Properties)), hasDefault) {
			found = append(found, n.schema)
		}
	}
	for len(found) > 0 {
		s := found[len(found)-1]
		found = found[:len(found)-1]
		if all[s] == nil {
			all[s] = &filler{}
			found = append(found, above[s]...)
		}
	}
	for s, f := range all {
		f.connect(s, all)
	}
	return all
}

// below lists the schemas through which connect leads on.
func below(s *jsonschema.Schema) []*jsonschema.Schema {
	out := slices.Concat(same(s), s.AnyOf, s.OneOf, s.PrefixItems)
	out = slices.AppendSeq(out, maps.Values(s.Properties))
	out = slices.AppendSeq(out, maps.Values(s.PatternProperties))
	if sub, ok := s.AdditionalProperties.(*jsonschema.Schema); ok {
		out = append(out, sub)
	}
	if s.Items2020 != nil {
		out = append(out, s.Items2020)
	}
	return out
}

// same lists the schemas that every value of s has to satisfy too.
func same(s *jsonschema.Schema) []*jsonschema.Schema {
	var out []*jsonschema.Schema
	if s.Ref != nil {
		out = append(out, s.Ref)
	}
	if s.DynamicRef != nil && !isDynamic(s.DynamicRef) {
		out = append(out, s.DynamicRef.Ref)
	}
	return append(out, s.AllOf...)
}

// defaultOf finds a schema's default.
func defaultOf(s *jsonschema.Schema) *any {
	if s.Default != nil {
		return s.Default
	}
	return inheritedDefault(s, map[*jsonschema.Schema]bool{})
}

// inheritedDefault looks at each schema once, since a schema may lead to another by very many ways.
func inheritedDefault(s *jsonschema.Schema, seen map[*jsonschema.Schema]bool) *any {
	for _, also := range same(s) {
		if seen[also] {
			continue
		}
		seen[also] = true
		if also.Default != nil {
			return also.Default
		}
		if d := inheritedDefault(also, seen); d != nil {
			return d
		}
	}
	return nil
}

func hasDefault(s *jsonschema.Schema) bool { return defaultOf(s) != nil }

func (f *filler) connect(s *jsonschema.Schema, all map[*jsonschema.Schema]*filler) {
	for _, also := range same(s) {
		f.add(all[also])
	}
	f.union(s.AnyOf, all)
	f.union(s.OneOf, all)
	for _, name := range sortedKeys(s.Properties) {
		m := memberFiller{name: name, filler: all[s.Properties[name]], fallback: defaultOf(s.Properties[name])}
		if m.filler != nil || m.fallback != nil {
			f.members = append(f.members, m)
		}
	}
	for source, sub := range s.PatternProperties {
		p, _ := source.(*pattern.Pattern) // the engine gives no others
		f.matched = append(f.matched, patternFiller{p, all[sub]})
	}
	if sub, ok := s.AdditionalProperties.(*jsonschema.Schema); ok {
		f.others, f.known = all[sub], s.Properties
	}
	for _, sub := range s.PrefixItems {
		f.prefix = append(f.prefix, all[sub])
	}
	f.items = all[s.Items2020]
}

func (f *filler) add(also *filler) {
	if also != nil {
		f.also = append(f.also, also)
	}
}

// union takes what is clear without a check.
func (f *filler) union(branches []*jsonschema.Schema, all map[*jsonschema.Schema]*filler) {
	meant := slices.DeleteFunc(slices.Clone(branches), isNull)
	if len(meant) == 1 {
		f.add(all[meant[0]])
		return
	}
	if property, values := tagOf(meant); property != "" {
		t := tagged{property: property, branches: map[string]*filler{}}
		for i, value := range values {
			t.branches[value] = all[meant[i]]
		}
		f.tagged = append(f.tagged, t)
	}
}

func isNull(s *jsonschema.Schema) bool {
	if s.Types != nil {
		return slices.Equal(s.Types.ToStrings(), []string{"null"})
	}
	return s.Const != nil && *s.Const == nil
}

// tagOf finds the property of which each branch has another value, and those values, in the order of the branches.
func tagOf(branches []*jsonschema.Schema) (property string, values []string) {
	if len(branches) == 0 {
		return "", nil
	}
	for _, name := range constants(branches[0]) {
		values = values[:0]
		for _, branch := range branches {
			if value, ok := constant(branch, name); ok && !slices.Contains(values, value) {
				values = append(values, value)
			}
		}
		if len(values) == len(branches) {
			return name, values
		}
	}
	return "", nil
}

// constants lists the properties for which a branch has a text as the only value.
func constants(branch *jsonschema.Schema) []string {
	var names []string
	for _, s := range referred(branch) {
		for _, name := range sortedKeys(s.Properties) {
			if _, ok := constant(s, name); ok {
				names = append(names, name)
			}
		}
	}
	return names
}

func constant(branch *jsonschema.Schema, name string) (string, bool) {
	for _, s := range referred(branch) {
		p := s.Properties[name]
		switch {
		case p == nil:
		case p.Const != nil:
			text, ok := (*p.Const).(string)
			return text, ok
		case p.Enum != nil && len(p.Enum.Values) == 1:
			text, ok := p.Enum.Values[0].(string)
			return text, ok
		}
	}
	return "", false
}

// referred gives a schema and those that it refers to, a few steps far.
func referred(s *jsonschema.Schema) []*jsonschema.Schema {
	const far = 8
	var out []*jsonschema.Schema
	for ; s != nil && len(out) < far; s = s.Ref {
		out = append(out, s)
	}
	return out
}
