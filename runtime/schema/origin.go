package schema

import (
	"slices"
	"strconv"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// origin is a schema that violations come from and, where OpenAPI's `discriminator` stands beside its anyOf or oneOf, what
// tells the branches apart.
type origin struct {
	*jsonschema.Schema

	property string
	tags     []string // the property's constant in each branch; nil without a discriminator
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
func (g *graph) origins(doc any) origins {
	properties := map[string]string{}
	discriminators(doc, "", properties)
	all := make(origins, len(g.nodes))
	for _, n := range g.nodes {
		o := &origin{Schema: n.schema, property: properties[pointerOf(n.schema.Location)]}
		if o.property != "" {
			o.tags = tagsOf(slices.Concat(o.AnyOf, o.OneOf), o.property)
		}
		all[n.schema.Location] = o
	}
	return all
}

// discriminators finds the property that OpenAPI 3.1, section 4.8.25, names in the schema at a pointer. Its mapping is not
// needed: each branch has a constant for the property.
func discriminators(node any, pointer string, found map[string]string) {
	switch node := node.(type) {
	case []any:
		for i, item := range node {
			discriminators(item, pointer+"/"+strconv.Itoa(i), found)
		}
	case map[string]any:
		if d, ok := node["discriminator"].(map[string]any); ok {
			found[pointer], _ = d["propertyName"].(string)
		}
		for name, member := range node {
			discriminators(member, pointer+"/"+escape(name), found)
		}
	}
}

func tagsOf(branches []*jsonschema.Schema, property string) []string {
	tags := make([]string, len(branches))
	for i, branch := range branches {
		tag, ok := constant(branch, property)
		if !ok {
			return nil
		}
		tags[i] = tag
	}
	return tags
}

// isModel tells an object with members of its own from a dictionary.
func (o *origin) isModel() bool { return len(o.Properties) > 0 }
