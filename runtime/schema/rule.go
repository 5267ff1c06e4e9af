package schema

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/llmservice/llmservice/runtime/pattern"
)

// rule is a schema as it is applied: the compiler's, with everything that has to be determined only once.
type rule struct {
	*jsonschema.Schema

	resource *resource // of which a dynamic reference may need to know; nil if there are none

	ref, dynamic                      *rule
	not, ifs, then, otherwise         *rule
	allOf, anyOf, oneOf               []*rule
	properties                        map[string]*rule
	names                             []string        // of members, in the order in which their violations are reported
	asked                             map[string]bool // names that members must have or may have to have, without a property for them
	matched                           []matchedRule
	forbidsOthers                     bool  // additionalProperties: false
	others                            *rule // additionalProperties
	propertyNames, unevaluated        *rule
	dependent                         []dependency
	prefix                            []*rule
	items, contains, unevaluatedItems *rule
	pattern                           *pattern.Pattern
	enum                              *values
	types                             typeSet // of values that type allows; 0 allows all
}

// matchedRule is one of patternProperties.
type matchedRule struct {
	pattern *pattern.Pattern
	rule    *rule
}

// dependency is what a member asks of the object that it is in.
type dependency struct {
	name     string
	required []string // by dependentRequired, or dependencies of older drafts
	older    bool
	rule     *rule
}

// resource is a schema with its own address, and the dynamic anchors within it (JSON Schema 2020-12, section 8.2.2).
type resource struct{ anchors map[string]*rule }

// rules makes one for each schema of the graph.
func (g *graph) rules(doc *Outline) map[*jsonschema.Schema]*rule {
	all := make(map[*jsonschema.Schema]*rule, len(g.nodes))
	for _, n := range g.nodes {
		all[n.schema] = &rule{Schema: n.schema}
	}
	for _, r := range all {
		r.connect(all)
	}
	if slices.ContainsFunc(g.nodes, func(n *node) bool { return isDynamic(n.schema.DynamicRef) }) {
		g.resources(doc, all)
	}
	return all
}

// resources groups the schemas that have an address in common.
func (g *graph) resources(doc *Outline, all map[*jsonschema.Schema]*rule) {
	known := map[string]*resource{}
	for _, n := range g.nodes {
		at := doc.resourceOf(n.schema.Location)
		if known[at] == nil {
			known[at] = &resource{anchors: map[string]*rule{}}
		}
		r := all[n.schema]
		r.resource = known[at]
		if n.schema.DynamicAnchor != "" {
			r.resource.anchors[n.schema.DynamicAnchor] = r
		}
	}
}

// resourceOf names the resource that a location is in. A document of another address, which is the metaschema's, is one.
func (o *Outline) resourceOf(location string) string {
	document, _, _ := strings.Cut(location, "#")
	if document != base {
		return document
	}
	for at := pointerOf(location); at != ""; at = at[:strings.LastIndexByte(at, '/')] {
		if s := o.sites[at]; s != nil {
			if id, _ := s.schema["$id"].(string); id != "" && !strings.HasPrefix(id, "#") {
				return base + "#" + at
			}
		}
	}
	return base
}

func (r *rule) connect(all map[*jsonschema.Schema]*rule) {
	s := r.Schema
	list := func(schemas []*jsonschema.Schema) []*rule {
		out := make([]*rule, len(schemas))
		for i, sub := range schemas {
			out[i] = all[sub]
		}
		return out
	}
	r.ref, r.not, r.ifs, r.then, r.otherwise = all[s.Ref], all[s.Not], all[s.If], all[s.Then], all[s.Else]
	if s.DynamicRef != nil {
		r.dynamic = all[s.DynamicRef.Ref]
	}
	r.allOf, r.anyOf, r.oneOf = list(s.AllOf), list(s.AnyOf), list(s.OneOf)
	r.prefix, r.items, r.contains, r.unevaluatedItems = list(s.PrefixItems), all[s.Items2020], all[s.Contains], all[s.UnevaluatedItems]
	r.propertyNames, r.unevaluated = all[s.PropertyNames], all[s.UnevaluatedProperties]
	r.pattern, _ = s.Pattern.(*pattern.Pattern)
	r.enum = newValues(s)
	if s.Types != nil {
		for _, name := range s.Types.ToStrings() {
			r.types |= typeSets[name]
		}
	}
	r.connectMembers(all)
	r.connectDependent(all)
}

func (r *rule) connectMembers(all map[*jsonschema.Schema]*rule) {
	s := r.Schema
	r.properties = make(map[string]*rule, len(s.Properties))
	for name, sub := range s.Properties {
		r.properties[name] = all[sub]
	}
	for source, sub := range s.PatternProperties {
		p, _ := source.(*pattern.Pattern)
		r.matched = append(r.matched, matchedRule{p, all[sub]})
	}
	slices.SortFunc(r.matched, func(a, b matchedRule) int { return strings.Compare(a.pattern.String(), b.pattern.String()) })
	switch others := s.AdditionalProperties.(type) {
	case bool:
		r.forbidsOthers = !others
	case *jsonschema.Schema:
		r.others = all[others]
	}
	seen := map[string]bool{}
	r.asked = map[string]bool{}
	for _, name := range slices.Concat(s.Required, slices.Concat(slices.Collect(maps.Values(s.DependentRequired))...)) {
		if s.Properties[name] == nil {
			r.asked[name] = true
		}
	}
	for _, name := range slices.Concat(s.Required, sortedKeys(s.Properties)) {
		if !seen[name] {
			r.names = append(r.names, name)
		}
		seen[name] = true
	}
}

func (r *rule) connectDependent(all map[*jsonschema.Schema]*rule) {
	for _, name := range sortedKeys(r.DependentRequired) {
		r.dependent = append(r.dependent, dependency{name: name, required: r.DependentRequired[name]})
	}
	for _, name := range sortedKeys(r.Dependencies) {
		d := dependency{name: name, older: true}
		switch asks := r.Dependencies[name].(type) {
		case []string:
			d.required = asks
		case *jsonschema.Schema:
			d.rule = all[asks]
		}
		r.dependent = append(r.dependent, d)
	}
	for _, name := range sortedKeys(r.DependentSchemas) {
		r.dependent = append(r.dependent, dependency{name: name, rule: all[r.DependentSchemas[name]]})
	}
}

// marksAll says that every member of an object, or item of an array, counts as evaluated.
func (r *rule) marksAll(v any) bool {
	switch v.(type) {
	case map[string]any:
		return r.AdditionalProperties != nil
	case []any:
		return r.items != nil
	}
	return false
}

// tooLong returns the reason why a pattern next to a maxLength takes too long at worst; "" if it does not.
func (r *rule) tooLong() string {
	if r.pattern == nil || r.MaxLength == nil || *r.MaxLength > MaxBodyBytes || *r.MaxLength*r.pattern.Size() <= maxMatches {
		return ""
	}
	return fmt.Sprintf("takes up to %d steps on a text of maxLength %d, at most %d are allowed: "+
		"lower maxLength to %d, or allow fewer forms",
		*r.MaxLength*r.pattern.Size(), *r.MaxLength, maxMatches, maxMatches/r.pattern.Size())
}

// checkPatterns refuses patterns that a text of the length allowed next to them makes too expensive.
func checkPatterns(rules map[*jsonschema.Schema]*rule) error {
	for _, r := range slices.SortedFunc(maps.Values(rules), func(a, b *rule) int { return strings.Compare(a.Location, b.Location) }) {
		if reason := r.tooLong(); reason != "" {
			return &Error{Pointer: pointerOf(r.Location) + "/pattern", Reason: reason}
		}
	}
	return nil
}
