package config

import (
	"github.com/go-json-experiment/json/jsontext"

	"github.com/llmservice/llmservice/runtime/expr"
	"github.com/llmservice/llmservice/runtime/schema"
)

// Program is a config whose templates and schemas have been compiled, each found again by the address of the field
// that it stands in. It is immutable.
type Program struct {
	Config *Config

	templates  map[*string]*expr.Template
	trees      map[*jsontext.Value]*expr.Tree
	maps       map[*map[string]string]*expr.Tree
	schemas    map[*jsontext.Value]*schema.Schema
	parameters map[*Parameter]*schema.Parameter
}

func newProgram(c *Config) *Program {
	return &Program{
		Config:     c,
		templates:  map[*string]*expr.Template{},
		trees:      map[*jsontext.Value]*expr.Tree{},
		maps:       map[*map[string]string]*expr.Tree{},
		schemas:    map[*jsontext.Value]*schema.Schema{},
		parameters: map[*Parameter]*schema.Parameter{},
	}
}

// Template is the compiled text or expression of a field; nil where the field is empty.
func (p *Program) Template(field *string) *expr.Template { return p.templates[field] }

// Tree is the compiled JSON of a field; nil where the field is absent.
func (p *Program) Tree(field *jsontext.Value) *expr.Tree { return p.trees[field] }

// Map is the compiled map of a field, whose values are templates; nil where the field is empty.
func (p *Program) Map(field *map[string]string) *expr.Tree { return p.maps[field] }

// Schema is the compiled JSON Schema of a field; nil where the field is absent.
func (p *Program) Schema(field *jsontext.Value) *schema.Schema { return p.schemas[field] }

// Parameter reads a parameter's text.
func (p *Program) Parameter(field *Parameter) *schema.Parameter { return p.parameters[field] }

// Compile prepares a config for being served, or returns everything that is wrong with it, in the order of its
// fields. The program refers to c, which must not change any more.
func Compile(c *Config) (*Program, Errors) {
	v := &validator{
		program:   newProgram(c),
		upstreams: map[string]*Upstream{},
		functions: map[string]*function{},
		known:     newKnown(),
	}
	v.config(c)
	if len(v.errs) > 0 {
		return nil, v.errs
	}
	return v.program, nil
}

// Validate returns everything that is wrong with the config, in the order of its fields; nil where it can be
// served. The operator and the gateway both call it, so that neither accepts what the other refuses.
func Validate(c *Config) Errors {
	_, errs := Compile(c)
	return errs
}
