// Package program compiles a config: it checks all that it says, and gives the gateway what it executes. Operator and gateway
// both call it, so that neither accepts what the other refuses.
package program

import (
	"context"
	"fmt"
	"net/netip"

	"github.com/llmservice/llmservice/runtime/config"
	"github.com/llmservice/llmservice/runtime/expr"
	"github.com/llmservice/llmservice/runtime/schema"
)

// Program is a config that has been checked and compiled: what a gateway executes. It is immutable.
type Program struct {
	// Config is what it was made of.
	Config *config.Config
	// Functions and Routes are in the order of the config's.
	Functions []*Function
	Routes    []*Route
	// Models are those of the config that a route answers.
	Models []*Model
	// HashKeys are those of the upstreams that spread calls by keys, by their names.
	HashKeys map[string]*HashKey
	// TrustedProxies are those of the config.
	TrustedProxies []netip.Prefix
}

// Model is a model that a route answers.
type Model struct {
	*config.Model

	// AnsweredBy is the route.
	AnsweredBy *Route
	// Body makes the route's request of a conversation.
	Body *expr.Tree
	// ReadsLast says that it reads the text of the user's last message, and ReadsMessages that it reads all messages.
	ReadsLast, ReadsMessages bool
}

// Route is one typed endpoint of the service.
type Route struct {
	*config.Route

	// Parameters are in the order of the config's.
	Parameters []*Parameter
	// Shared are those of the service's dependencies, of each in the order of the config's.
	Shared [][]*Parameter
	// Body is what a request's body has to satisfy; nil accepts any JSON. Files of a form are strings to it.
	Body *schema.Schema
	// Fields reads the fields of a body that is a form; nil for JSON.
	Fields *schema.Form
	// Reads are the members of the request that templates read, among them those of the keys of all upstreams.
	Reads Reads
	// Completions are the members of completions that anything in the config reads.
	Completions *Reads
	// Dependencies are steps that call functions: those of the service, and then those of the route.
	Dependencies []*Step
	Steps        []*Step
	Response     *Response
}

// Parameter is one value that a request has outside of its body.
type Parameter struct {
	*config.Parameter

	// Text reads what a request has for it.
	Text *schema.Parameter
}

// Response is the answer of a route.
type Response struct {
	*config.Response

	Body *expr.Tree // nil for none
	Head *Head
	// Sources are the names of the events that have tokens.
	Sources []string
	// Values are the names of the events that have the value of a step.
	Values []string
	// Satisfies is what the answer has promised; nil for nothing.
	Satisfies *schema.Schema
}

// Load decodes and compiles a config. It refuses what config.Decode refuses, and what Validate refuses (config.Errors).
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

// endless is for a caller that waits for the result, however long it takes: a gateway that loads its one config.
var endless = context.Background()

// compile ends with ctx, whose cause is then its error: what is left then is skipped, and what was found wrong until then is
// not all. It looks at ctx before each schema and each template, of which none takes long.
func compile(ctx context.Context, c *config.Config) (*Program, config.Errors, error) {
	v := &validator{
		ctx:       ctx,
		upstreams: map[string]*config.Upstream{},
		functions: map[string]*function{},
		hashKeys:  map[string]*HashKey{},
		known:     newKnown(ctx),
	}
	program := v.config(c) //nolint:contextcheck // a single schema takes no long time
	switch {
	case ctx.Err() != nil:
		return nil, nil, fmt.Errorf("check the config: %w", context.Cause(ctx))
	case len(v.errs) > 0:
		return nil, v.errs, nil
	}
	return program, nil, nil
}

// Validate returns everything that is wrong with the config, in the order of its fields; nil if it can be
// served. The operator and the gateway both call it, so that neither accepts what the other refuses.
func Validate(c *config.Config) config.Errors {
	_, errs := Compile(c)
	return errs
}

// ValidateWithin is Validate for a caller that checks many configs: it stops soon after ctx has ended, with its cause as the
// error, and says nothing of the config then.
func ValidateWithin(ctx context.Context, c *config.Config) (config.Errors, error) {
	_, errs, err := compile(ctx, c)
	return errs, err
}
