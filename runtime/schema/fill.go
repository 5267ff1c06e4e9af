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
// unevaluatedItems. Of anyOf and oneOf, a branch counts where choice.go has it clear that it is meant. Defaults of the
// metaschema, which a schema may refer to, say what absence means and are not filled in.
type filler struct {
	also    []*filler // for the same value
	tagged  []tagged
	members []memberFiller
	known   map[string]*jsonschema.Schema // names that `others` leaves alone
	matched []patternFiller
	others  *filler
	prefix  []*filler // each may be nil
	items   *filler
	isSet   bool // a list has each item once
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

// tagged are branches that a property distinguishes.
type tagged struct {
	property string
	branches map[any]*filler // by the values of tags
}

// fillers makes one for each schema under which anything can be filled in: those with such a property, and, from these on
// upwards, those that lead to them.
func (g *graph) fillers(choices map[*jsonschema.Schema]*choice, sets bool) map[*jsonschema.Schema]*filler {
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
		if sets && n.schema.UniqueItems || slices.ContainsFunc(slices.Collect(maps.Values(n.schema.Properties)), hasDefault) {
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
		f.choose(choices[s], all)
		f.isSet = sets && s.UniqueItems
	}
	return all
}

// below lists the schemas through which connect leads on.
func below(s *jsonschema.Schema) []*jsonschema.Schema {
	return slices.Concat(same(s), s.AnyOf, s.OneOf, inside(s))
}

// inside lists those for members and items.
func inside(s *jsonschema.Schema) []*jsonschema.Schema {
	out := slices.AppendSeq(slices.Clone(s.PrefixItems), maps.Values(s.Properties))
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

// choose takes of a union what is clear without a check.
func (f *filler) choose(c *choice, all map[*jsonschema.Schema]*filler) {
	if c == nil {
		return
	}
	for _, branch := range c.always {
		f.add(all[branch])
	}
	for _, u := range c.told {
		f.tagged = append(f.tagged, u.filler(all))
	}
}

func (u *union) filler(all map[*jsonschema.Schema]*filler) tagged {
	t := tagged{property: u.property, branches: map[any]*filler{}}
	for _, tag := range u.tags {
		t.branches[tag.value] = all[u.branches[tag.branch]]
	}
	return t
}
