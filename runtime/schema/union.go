package schema

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/llmservice/llmservice/runtime/problem"
)

// union is the branches of an anyOf or oneOf, each of which has other values of one property.
type union struct {
	property string
	branches []*jsonschema.Schema
	tags     []tag // in the order of the branches, and of the values that each lists
	required bool  // the property
	added    bool  // the property to those that the schema requires, as its last one
}

// tag is a value of the property, and the one branch that has it.
type tag struct {
	value  any // a string, an int64 or a bool
	branch int
}

// discriminator is OpenAPI 3.1's, section 4.8.25. Pydantic's mapping may have schemas in place of references to them.
type discriminator struct {
	property string
	mapping  map[string]any
}

// unions finds those with a discriminator, as far as it distinguishes all branches. As in Pydantic the property is
// required then, even if a branch has a default for it: it is read before a branch is chosen.
func (g *graph) unions(doc *Outline) map[*jsonschema.Schema]*union {
	all := map[*jsonschema.Schema]*union{}
	known := listings{}
	for _, n := range g.nodes {
		s := n.schema
		d := doc.discriminator(s.Location)
		if d.property == "" || len(s.AnyOf) > 0 && len(s.OneOf) > 0 {
			continue
		}
		branches := slices.Concat(s.AnyOf, s.OneOf)
		tags := known.tags(branches, func(branch *jsonschema.Schema) []any {
			if own := known.of(branch, d.property); own != nil {
				return own
			}
			return doc.mapped(d.mapping, s, branch)
		})
		if tags == nil {
			continue
		}
		added := !slices.Contains(s.Required, d.property)
		all[s] = &union{d.property, branches, tags, true, added}
		if added {
			s.Required = append(slices.Clone(s.Required), d.property)
		}
	}
	return all
}

// discriminator is that of the schema at a location, if it has one.
func (o *Outline) discriminator(location string) discriminator {
	var d discriminator
	if s := o.sites[pointerOf(location)]; s != nil && strings.HasPrefix(location, base) {
		fields, _ := s.schema["discriminator"].(map[string]any)
		d.property, _ = fields["propertyName"].(string)
		d.mapping, _ = fields["mapping"].(map[string]any)
	}
	return d
}

// mapped lists the names under which the mapping of a union has a branch: by a reference, by the name of a definition, or by the
// branch itself.
func (o *Outline) mapped(mapping map[string]any, union, branch *jsonschema.Schema) []any {
	places := []string{pointerOf(branch.Location)}
	if branch.Ref != nil {
		places = append(places, pointerOf(branch.Ref.Location))
	}
	var out []any
	for _, name := range sortedKeys(mapping) {
		switch to := mapping[name].(type) {
		case string:
			target, ok := o.Resolve(pointerOf(union.Location), to)
			named := slices.ContainsFunc(places[1:], func(place string) bool { return strings.HasSuffix(place, "/"+escape(to)) })
			if named || ok && slices.Contains(places, target) {
				out = append(out, name)
			}
		case map[string]any:
			if s := o.sites[places[0]]; s != nil && reflect.DeepEqual(s.schema, to) {
				out = append(out, name)
			}
		}
	}
	return out
}

// listings are the values that schemas list for properties of their objects; nil if they list none.
type listings map[listing][]any

type listing struct {
	schema   *jsonschema.Schema
	property string
}

// tags gives nil if a branch has no tag, or that of another.
func (l listings) tags(branches []*jsonschema.Schema, of func(*jsonschema.Schema) []any) []tag {
	var tags []tag
	for i, branch := range branches {
		own := of(branch)
		if len(own) == 0 {
			return nil
		}
		for _, value := range own {
			switch at := slices.IndexFunc(tags, func(t tag) bool { return t.value == value }); {
			case at < 0:
				tags = append(tags, tag{value, i})
			case tags[at].branch != i:
				return nil
			}
		}
	}
	return tags
}

// of looks at the schema itself, at what it refers to, and at the branches of a union, if each lists some.
func (l listings) of(s *jsonschema.Schema, property string) []any {
	key := listing{s, property}
	if found, ok := l[key]; ok {
		return found
	}
	l[key] = nil // which it is to a schema that leads back to itself
	l[key] = l.find(s, property)
	return l[key]
}

func (l listings) find(s *jsonschema.Schema, property string) []any {
	if p := s.Properties[property]; p != nil {
		if values := listed(p, map[*jsonschema.Schema]bool{}); values != nil {
			return values
		}
	}
	for _, also := range same(s) {
		if values := l.of(also, property); values != nil {
			return values
		}
	}
	for _, branches := range [][]*jsonschema.Schema{s.AnyOf, s.OneOf} {
		if values := l.ofAll(branches, property); values != nil {
			return values
		}
	}
	return nil
}

func (l listings) ofAll(branches []*jsonschema.Schema, property string) []any {
	var out []any
	for _, branch := range branches {
		values := l.of(branch, property)
		if isNull(branch) {
			continue
		}
		if values == nil {
			return nil
		}
		for _, v := range values {
			if !slices.Contains(out, v) {
				out = append(out, v)
			}
		}
	}
	return out
}

// listed gives the values that a schema allows by const or enum, its own before those of what it refers to; nil if any is
// none that can be a tag.
func listed(s *jsonschema.Schema, seen map[*jsonschema.Schema]bool) []any {
	if seen[s] {
		return nil
	}
	seen[s] = true
	switch {
	case s.Const != nil:
		return tagValues([]any{*s.Const})
	case s.Enum != nil:
		return tagValues(s.Enum.Values)
	}
	for _, also := range same(s) {
		if values := listed(also, seen); values != nil {
			return values
		}
	}
	var out []any
	for _, branch := range slices.Concat(s.AnyOf, s.OneOf) {
		values := listed(branch, seen)
		if values == nil {
			return nil
		}
		out = append(out, values...)
	}
	return out
}

func tagValues(values []any) []any {
	var out []any
	for _, v := range values {
		value, ok := tagValue(v)
		if !ok {
			return nil
		}
		out = append(out, value)
	}
	return out
}

// tagValue gives a value such that two tags are equal if and only if their values are.
func tagValue(v any) (any, bool) {
	switch v := v.(type) {
	case string, bool, int64:
		return v, true
	case int:
		return int64(v), true
	case float64:
		n := int64(v)
		return n, float64(n) == v
	case json.Number:
		n, err := v.Int64()
		return n, err == nil
	}
	return nil, false
}

// Tagged gives the pointers of the branches of the union at a pointer whose discriminator distinguishes them, by the names that
// a mapping may have for them; none if there is no such union.
func (s *Schema) Tagged(pointer string) map[string]string {
	out := map[string]string{}
	at := s.at(pointer)
	if at == nil {
		return out
	}
	u := s.origins.at(at.Location).union
	if u == nil {
		return out
	}
	for _, t := range u.tags {
		branch := u.branches[t.branch]
		if branch.Ref != nil {
			branch = branch.Ref
		}
		out[fmt.Sprint(t.value)] = pointerOf(branch.Location)
	}
	return out
}

// implied reports whether each branch requires the property that distinguishes them.
func (u *union) implied() bool {
	return !slices.ContainsFunc(u.branches, func(branch *jsonschema.Schema) bool {
		return !requires(branch, u.property, map[*jsonschema.Schema]bool{})
	})
}

// find gives the branch that a value of the property names.
func (u *union) find(sent any) (tag, bool) {
	value, ok := tagValue(sent)
	i := slices.IndexFunc(u.tags, func(t tag) bool { return t.value == value })
	if !ok || i < 0 {
		return tag{}, false
	}
	return u.tags[i], true
}

// step is what a tag adds to a loc. Pydantic's is an integer for a boolean as well.
func (t tag) step() any {
	switch v := t.value.(type) {
	case string:
		return problem.Tag(v)
	case int64:
		return problem.NumberTag(v)
	default:
		if v == true {
			return problem.NumberTag(1)
		}
		return problem.NumberTag(0)
	}
}

func isTag(step any) bool {
	switch step.(type) {
	case problem.Tag, problem.NumberTag:
		return true
	}
	return false
}

// apart finds the first property, by name, that distinguishes the branches of a schema without a discriminator.
func (l listings) apart(s *jsonschema.Schema, branches []*jsonschema.Schema) *union {
	if len(branches) == 0 {
		return nil
	}
	optional := func(branch *jsonschema.Schema, name string) bool {
		return !requires(branch, name, map[*jsonschema.Schema]bool{})
	}
	for _, name := range names(branches[0], map[*jsonschema.Schema]bool{}) {
		tags := l.tags(branches, func(branch *jsonschema.Schema) []any { return l.of(branch, name) })
		if tags != nil {
			required := slices.Contains(s.Required, name) ||
				!slices.ContainsFunc(branches, func(branch *jsonschema.Schema) bool { return optional(branch, name) })
			return &union{name, branches, tags, required, false}
		}
	}
	return nil
}

// names lists the properties of a schema, and of what it refers to.
func names(s *jsonschema.Schema, seen map[*jsonschema.Schema]bool) []string {
	if seen[s] {
		return nil
	}
	seen[s] = true
	out := sortedKeys(s.Properties)
	for _, also := range same(s) {
		out = append(out, names(also, seen)...)
	}
	return out
}
