package schema

import "github.com/santhosh-tekuri/jsonschema/v6"

// origin is a schema that violations come from.
type origin struct {
	*jsonschema.Schema

	union *union // what distinguishes the branches of its anyOf or oneOf, if anything does
}

// origins are the schemas by their location. Nil knows none.
type origins map[string]*origin

func (o origins) at(location string) *origin {
	if found := o[location]; found != nil {
		return found
	}
	return &origin{Schema: &jsonschema.Schema{}}
}

// origins lists the schemas of the graph.
func (g *graph) origins(unions map[*jsonschema.Schema]*union) origins {
	all := make(origins, len(g.nodes))
	for _, n := range g.nodes {
		all[n.schema.Location] = &origin{n.schema, unions[n.schema]}
	}
	return all
}

// isModel distinguishes an object with declared members from a dictionary.
func (o *origin) isModel() bool { return len(o.Properties) > 0 }
