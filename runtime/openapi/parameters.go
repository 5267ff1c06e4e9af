package openapi

import (
	"fmt"
	"slices"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/llmservice/llmservice/runtime/config/program"
	"github.com/llmservice/llmservice/runtime/schema"
)

// parameter is a Parameter Object (OpenAPI 3.1.0, section 4.8.12). Its style is the default of its place.
type parameter struct {
	Name        string         `json:"name"`
	In          string         `json:"in"`
	Description string         `json:"description,omitempty"`
	Required    bool           `json:"required,omitzero"`
	Schema      jsontext.Value `json:"schema"`
	Example     jsontext.Value `json:"example,omitempty"`
}

func (d *document) parameters(r *program.Route, id string) ([]parameter, error) {
	var all []parameter
	for i, p := range append(slices.Clip(r.Parameters), slices.Concat(r.Shared...)...) {
		schema, err := d.parameterSchema(p.Text.Schema(), fmt.Sprintf("%s_parameter_%d", id, i+1))
		if err != nil {
			return nil, fmt.Errorf("parameter %s: %w", p.Name, err)
		}
		all = append(all, parameter{p.Name, strings.ToLower(p.In), p.Description, p.Text.IsRequired(), schema, usable(p.Text.Example())})
	}
	return all, nil
}

// parameterSchema stands where it is used, as in most documents, unless it has references: these need a place that
// pointers lead to.
func (d *document) parameterSchema(s *schema.Schema, name string) (jsontext.Value, error) {
	schema, refers, err := embedSchema(s, schemaPointer(name), false)
	if err != nil || !refers {
		return schema, err
	}
	d.Components.Schemas.add(name, schema)
	return encode(schemaRef(name))
}
