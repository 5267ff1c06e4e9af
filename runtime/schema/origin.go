package schema

import (
	"slices"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// origin is a schema that violations come from and, where OpenAPI's `discriminator` stands beside its anyOf or oneOf, what
// tells the branches apart.
type origin struct {
	*jsonschema.Schema

	discriminator
	tags []branchTag // in the order of the branches; nil without a discriminator
}

// discriminator is OpenAPI 3.1's, section 4.8.25.
type discriminator struct {
	property string
	mapping  map[string]any
}

// branchTag is a value of the property, and the one branch that has it.
type branchTag struct {
	tag    string
	branch int
}

// origins are the schemas by their location. Nil knows none.
type origins map[string]*origin

func (o origins) at(location string) *origin {
	if found := o[location]; found != nil {
		return found
	}
	return &origin{Schema: &jsonschema.Schema{}}
}

// origins lists the schemas of the graph, which was made of doc.
func (g *graph) origins(doc *Outline) origins {
	all := make(origins, len(g.nodes))
	for _, n := range g.nodes {
		o := &origin{Schema: n.schema, discriminator: doc.discriminator(pointerOf(n.schema.Location))}
		if o.property != "" {
			o.tags = o.tagsOf(slices.Concat(o.AnyOf, o.OneOf))
		}
		all[n.schema.Location] = o
	}
	return all
}

// discriminator is that of the schema at a pointer, if it has one.
func (o *Outline) discriminator(pointer string) discriminator {
	var d discriminator
	if s := o.sites[pointer]; s != nil {
		fields, _ := s.schema["discriminator"].(map[string]any)
		d.property, _ = fields["propertyName"].(string)
		d.mapping, _ = fields["mapping"].(map[string]any)
	}
	return d
}

// tagsOf gives nil where a branch has no tag, or the tag of another.
func (d discriminator) tagsOf(branches []*jsonschema.Schema) []branchTag {
	var tags []branchTag
	for i, branch := range branches {
		own := texts(branch, d.property)
		if own == nil {
			own = d.mapped(branch)
		}
		for _, tag := range own {
			if slices.ContainsFunc(tags, func(t branchTag) bool { return t.tag == tag }) {
				return nil
			}
			tags = append(tags, branchTag{tag, i})
		}
		if own == nil {
			return nil
		}
	}
	return tags
}

// texts lists the values that a branch allows for a property, if they are listed, and texts.
func texts(branch *jsonschema.Schema, name string) []string {
	if tag, ok := constant(branch, name); ok {
		return []string{tag}
	}
	for _, s := range referred(branch) {
		if p := s.Properties[name]; p != nil && p.Enum != nil {
			var out []string
			for _, v := range p.Enum.Values {
				text, ok := v.(string)
				if !ok {
					return nil
				}
				out = append(out, text)
			}
			return out
		}
	}
	return nil
}

// mapped lists the names under which the mapping refers to a branch.
func (d discriminator) mapped(branch *jsonschema.Schema) []string {
	var out []string
	for _, tag := range sortedKeys(d.mapping) {
		ref, _ := d.mapping[tag].(string)
		if strings.HasPrefix(ref, "#") && branch.Ref != nil && pointerOf(ref) == pointerOf(branch.Ref.Location) {
			out = append(out, tag)
		}
	}
	return out
}

// isModel tells an object with members of its own from a dictionary.
func (o *origin) isModel() bool { return len(o.Properties) > 0 }
