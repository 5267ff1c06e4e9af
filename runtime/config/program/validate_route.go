package program

import (
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/llmservice/llmservice/runtime/config"
	"github.com/llmservice/llmservice/runtime/expr"
	"github.com/llmservice/llmservice/runtime/route"
	"github.com/llmservice/llmservice/runtime/schema"
)

func (v *validator) routes(routes []config.Route) []*Route {
	var table route.Table[int]
	compiled := make([]*Route, len(routes))
	operations := map[string]bool{}
	for i := range routes {
		path, r := config.Item("routes", i), &routes[i]
		compiled[i] = v.route(path, r)
		v.operation(path+".operationID", r.OperationID, operations)
		// The gateway's own table: what it would refuse must not be delivered.
		if err := table.Add(r.Method, r.Path, i); err != nil {
			v.addf(path+".path", "%v", err)
		}
	}
	return compiled
}

// operationName is what generators of clients make a name of.
var operationName = regexp.MustCompile(`^[A-Za-z][-A-Za-z0-9_]*$`)

// operation checks a route's operationId, of which a document has each once.
func (v *validator) operation(path, id string, taken map[string]bool) {
	switch {
	case id == "":
	case !operationName.MatchString(id):
		v.addf(path, "%q is not a valid name, want a letter, then letters, digits and -_", id)
	case slices.Contains(config.Operations, id):
		v.addf(path, "%q is the name of one of the gateway's own operations, want another", id)
	case taken[id]:
		v.addf(path, "%q is the name of another route's operation, want another", id)
	}
	taken[id] = true
}

func (v *validator) route(path string, r *config.Route) *Route {
	for _, reserved := range config.Reserved {
		if r.Path == reserved || strings.HasPrefix(r.Path, reserved+"/") {
			v.addf(path+".path", "%s belongs to the gateway, want another path", reserved)
		}
	}
	if !slices.Contains(config.Methods, r.Method) {
		v.addf(path+".method", "%q, want one of %s", r.Method, strings.Join(config.Methods, ", "))
	}
	v.positive(path+".timeout", r.Timeout)
	v.notNegative(path+".maxStreamDuration", r.MaxStreamDuration)
	if r.MaxStreamDuration > 0 && !r.Streams() {
		v.addf(path+".maxStreamDuration", "is for streams, want response.stream or response.events")
	}
	v.budget(path+".budget", &r.Budget)
	compiled := &Route{Route: r}
	begin := &place{vars: expr.Vars{"request": v.request(path, compiled)}, inRoute: true, route: compiled}
	compiled.Dependencies, begin = v.dependencies(path+".dependencies", r.Dependencies, begin)
	var end *place
	compiled.Steps, end = v.steps(path+".steps", r.Steps, begin)
	compiled.Response = v.response(path, r, begin, end)
	v.countable(path, r)
	return compiled
}

func (v *validator) budget(path string, b *config.Budget) {
	if b.MaxCalls < 1 {
		v.addf(path+".maxCalls", "is %d, want at least 1", b.MaxCalls)
	}
	if b.MaxBytes < 1 {
		v.addf(path+".maxBytes", "is %d, want at least 1", b.MaxBytes)
	}
	if b.MaxTokens < 0 {
		v.addf(path+".maxTokens", "is %d, want at least 1", b.MaxTokens)
	}
}

// request reads what a route accepts, and returns the type that templates see.
func (v *validator) request(path string, r *Route) expr.Type {
	request := r.Request
	if request == nil {
		request = &config.Request{}
	}
	options := schemaOptions{formats: request.AssertFormats, echo: request.EchoInput}
	path += ".request"
	r.Shared = v.sharedParameters(options)
	params := maps.Clone(v.shared.params)
	r.Parameters = v.parameterList(path+".parameters", request.Parameters, options, maps.Clone(v.shared.named), params)
	v.segments(path+".parameters", r.Path, request.Parameters)
	return requestType(expr.Object(params), v.requestBody(path, r, request, options.all()))
}

// schemaOptions are those of a route for its schemas.
type schemaOptions struct{ formats, echo bool }

func (o schemaOptions) all() []schema.Option {
	options := []schema.Option{schema.DropRepeats()}
	if o.formats {
		options = append(options, schema.AssertFormats())
	}
	if o.echo {
		options = append(options, schema.EchoInputs())
	}
	return options
}

// parameterList reads parameters, whose names in lower case must not be taken, and adds their types.
func (v *validator) parameterList(
	path string, all []config.Parameter, options schemaOptions, taken map[string]bool, types map[string]expr.Type,
) []*Parameter {
	var compiled []*Parameter
	for i := range all {
		p, here := &all[i], config.Item(path, i)
		if lower := strings.ToLower(p.Name); !taken[lower] {
			taken[lower] = true
		} else if v.shared.named[lower] {
			v.addf(here+".name", "%q is the name of a parameter of the service's dependencies, which each route reads as request.params; "+
				"want another name, or no such parameter", p.Name)
		} else {
			v.addf(here+".name", "%q is the name of another parameter, want a name of its own", p.Name)
		}
		read, t := v.parameter(here, p, options.all())
		compiled, types[p.Name] = append(compiled, &Parameter{p, read}), t
	}
	return compiled
}

func (v *validator) requestBody(path string, r *Route, request *config.Request, options []schema.Option) (body expr.Type) {
	if request.IsForm() {
		return v.form(path, r, options)
	}
	r.Body, body = v.schema(path+".schema", request.Schema, options...)
	return body
}

var places = []string{config.InPath, config.InQuery, config.InHeader, config.InCookie}

var parameterPlaces = map[string]schema.ParameterPlace{
	config.InPath: schema.Path, config.InQuery: schema.Query, config.InHeader: schema.Header,
	config.InCookie: schema.Cookie,
}

func (v *validator) parameter(path string, p *config.Parameter, options []schema.Option) (*schema.Parameter, expr.Type) {
	switch {
	case !slices.Contains(places, p.In):
		v.addf(path+".in", "%q, want one of %s", p.In, strings.Join(places, ", "))
	case p.In == config.InPath && !identifier.MatchString(p.Name):
		v.addf(path+".name", "%q is not a valid name, want a letter, then letters, digits and underscores", p.Name)
	case p.In == config.InHeader && !fieldName.MatchString(p.Name):
		v.addf(path+".name", "%q is not the name of a header, want one such as X-Api-Key", p.Name)
	case p.In == config.InCookie && !fieldName.MatchString(p.Name): // RFC 6265, section 4.1.1
		v.addf(path+".name", "%q is not the name of a cookie, want letters, digits and -_., such as session", p.Name)
	case p.Name == "":
		v.addf(path+".name", "is required")
	}
	raw := p.Schema
	if raw == nil {
		raw = []byte(`{"type":"string"}`)
	}
	name := p.Name
	if p.In == config.InHeader {
		name = strings.ToLower(name) // as the violations of other frameworks have it
	}
	if !v.affords(path + ".schema") {
		return nil, expr.Dyn
	}
	compiled, err := schema.CompileParameter(raw, parameterPlaces[p.In], name, p.Required, options...)
	if err != nil {
		v.broken(path+".schema", err)
		return nil, expr.Dyn
	}
	v.automata += compiled.Automata()
	t := expr.FromSchema(compiled.Schema())
	if compiled.IsRequired() || compiled.HasDefault() {
		return compiled, t
	}
	return compiled, expr.Optional(t)
}

// segments checks that the path's parameters and those that are described are the same.
func (v *validator) segments(path, template string, parameters []config.Parameter) {
	named, err := route.Parameters(template)
	if err != nil {
		return // which the table of routes will say
	}
	for i := range parameters {
		if p := &parameters[i]; p.In == config.InPath {
			at := slices.Index(named, p.Name)
			if at < 0 {
				v.addf(config.Item(path, i)+".name", "the path has no segment {%s}, want one, or in: Query", p.Name)
				continue
			}
			named = slices.Delete(named, at, at+1)
		}
	}
	for _, name := range named {
		v.addf(path, "the path's {%s} is missing, want {name: %s, in: Path}", name, name)
	}
}
