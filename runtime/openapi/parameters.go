package openapi

import (
	"fmt"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/llmservice/llmservice/runtime/config"
	"github.com/llmservice/llmservice/runtime/schema"
)

// parameter is a Parameter Object (OpenAPI 3.1.0, section 4.8.12). Its style is the default of its place.
type parameter struct {
	Name        string         `json:"name"`
	In          string         `json:"in"`
	Description string         `json:"description,omitempty"`
	Required    bool           `json:"required,omitzero"`
	Schema      jsontext.Value `json:"schema"`
}

func (d *document) parameters(r *config.Request, id string) ([]parameter, error) {
	if r == nil {
		return nil, nil
	}
	var all []parameter
	for i := range r.Parameters {
		p := &r.Parameters[i]
		schema, err := d.parameterSchema(p, fmt.Sprintf("%s_parameter_%d", id, i+1))
		if err != nil {
			return nil, fmt.Errorf("parameter %s: %w", p.Name, err)
		}
		required, err := required(p)
		if err != nil {
			return nil, fmt.Errorf("parameter %s: %w", p.Name, err)
		}
		all = append(all, parameter{p.Name, strings.ToLower(p.In), p.Description, required, schema})
	}
	return all, nil
}

// parameterSchema stands where it is used, as in most documents, unless it has references: these need a place that
// pointers lead to.
func (d *document) parameterSchema(p *config.Parameter, name string) (jsontext.Value, error) {
	if len(p.Schema) == 0 {
		return jsontext.Value(`{"type":"string"}`), nil
	}
	schema, refers, err := embedSchema(p.Schema, schemaPointer(name), false)
	if err != nil || !refers {
		return schema, err
	}
	d.Components.Schemas.add(name, schema)
	return encode(schemaRef(name))
}

// required says whether the parameter may not be missing: one that has a default never is.
func required(p *config.Parameter) (bool, error) {
	if p.In == config.InPath {
		return true, nil
	}
	if !p.Required || len(p.Schema) == 0 {
		return p.Required, nil
	}
	compiled, err := schema.Compile(p.Schema)
	if err != nil {
		return false, fmt.Errorf("schema: %w", err)
	}
	return !compiled.HasDefault(""), nil
}
