// Package program compiles a config: it checks all that it says, and gives the gateway what it executes. Operator and gateway
// both call it, so that neither accepts what the other refuses.
package program

import (
	"context"
	"fmt"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/llmservice/llmservice/runtime/config"
	"github.com/llmservice/llmservice/runtime/expr"
	"github.com/llmservice/llmservice/runtime/schema"
)

// Program is a config whose templates and schemas have been compiled, each found again by the address of the field
// that it stands in. It is immutable.
type Program struct {
	Config *config.Config

	templates  map[*string]*expr.Template
	trees      map[*jsontext.Value]*expr.Tree
	maps       map[*map[string]string]*expr.Tree
	schemas    map[*jsontext.Value]*schema.Schema
	parameters map[*config.Parameter]*schema.Parameter
}

func newProgram(c *config.Config) *Program {
	return &Program{
		Config:     c,
		templates:  map[*string]*expr.Template{},
		trees:      map[*jsontext.Value]*expr.Tree{},
		maps:       map[*map[string]string]*expr.Tree{},
		schemas:    map[*jsontext.Value]*schema.Schema{},
		parameters: map[*config.Parameter]*schema.Parameter{},
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
func (p *Program) Parameter(field *config.Parameter) *schema.Parameter { return p.parameters[field] }

// Load decodes and compiles a config. It refuses what config.Decode refuses, and whatever Validate does (config.Errors).
func Load(encoded []byte) (*Program, error) {
	c, err := config.Decode(encoded)
	if err != nil {
		return nil, err //nolint:wrapcheck // it says what it could not do
	}
	program, errs := Compile(c)
	if len(errs) > 0 {
		return nil, errs
	}
	return program, nil
}

// Compile prepares a config for being served, or returns everything that is wrong with it, in the order of its
// fields. The program refers to c, which must not change any more.
func Compile(c *config.Config) (*Program, config.Errors) {
	program, errs, _ := compile(endless, c)
	return program, errs
}

// endless is for who waits for the result, however long it takes: a gateway that loads its one config.
var endless = context.Background()

// compile ends with ctx, whose cause is then its error: what is left then is skipped, and what was found wrong until then is
// not all. It looks at ctx before each schema and each template, of which none takes long.
func compile(ctx context.Context, c *config.Config) (*Program, config.Errors, error) {
	v := &validator{
		ctx:       ctx,
		program:   newProgram(c),
		upstreams: map[string]*config.Upstream{},
		functions: map[string]*function{},
		known:     newKnown(ctx),
	}
	v.config(c) //nolint:contextcheck // a single schema takes no long time
	switch {
	case ctx.Err() != nil:
		return nil, nil, fmt.Errorf("check the config: %w", context.Cause(ctx))
	case len(v.errs) > 0:
		return nil, v.errs, nil
	}
	return v.program, nil, nil
}

// Validate returns everything that is wrong with the config, in the order of its fields; nil where it can be
// served. The operator and the gateway both call it, so that neither accepts what the other refuses.
func Validate(c *config.Config) config.Errors {
	_, errs := Compile(c)
	return errs
}

// ValidateWithin is Validate for who checks the configs of many: it stops soon after ctx has ended, with its cause as the
// error, and says nothing of the config then.
func ValidateWithin(ctx context.Context, c *config.Config) (config.Errors, error) {
	_, errs, err := compile(ctx, c)
	return errs, err
}
