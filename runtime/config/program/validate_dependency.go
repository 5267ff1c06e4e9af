package program

import (
	"maps"
	"slices"
	"strings"

	"github.com/llmservice/llmservice/runtime/config"
	"github.com/llmservice/llmservice/runtime/expr"
)

// dependencies is the variable of templates with the values of a route's dependencies.
const dependencies = "dependencies"

// minRefusal is the least status of an answer by which a function refuses: an answer of success is the route's own.
const minRefusal = 400

// shared is what the service depends on, and so each of its routes.
type shared struct {
	of    []config.ServiceDependency
	steps []*Step
	// gives are the types of the steps' values, params those of the parameters, and named the parameters' names in lower case.
	gives, params map[string]expr.Type
	named         map[string]bool
	// reads is what the steps read of a request.
	reads Reads
	// read are the parameters by the options of a route, which few routes have of their own.
	read map[schemaOptions][][]*Parameter
}

// serviceDependencies reads what runs before each route, of which it knows only what all requests have: no body.
func (v *validator) serviceDependencies(c *config.Config) {
	s := &v.shared
	s.of, s.gives, s.params, s.named = c.Dependencies, map[string]expr.Type{}, map[string]expr.Type{}, map[string]bool{}
	s.read = map[schemaOptions][][]*Parameter{}
	if len(s.of) == 0 {
		return
	}
	if len(c.Routes) == 0 {
		v.addf(dependencies, "run before routes, and the service has none; want a route, or no dependencies")
	}
	for i := range s.of {
		v.inHead(config.Item(dependencies, i)+".parameters", s.of[i].Parameters)
	}
	every := &Route{Route: &config.Route{}}
	for i := range s.of {
		own := v.parameterList(config.Item(dependencies, i)+".parameters", s.of[i].Parameters, schemaOptions{}, s.named, s.params)
		every.Parameters = append(every.Parameters, own...)
		s.read[schemaOptions{}] = append(s.read[schemaOptions{}], own)
	}
	at := &place{vars: expr.Vars{"request": expr.Object(requestHead(expr.Object(s.params)))}, route: every}
	for i := range s.of {
		step := v.dependency(config.Item(dependencies, i), &s.of[i].Dependency, at, s.gives)
		s.steps = append(s.steps, step)
	}
	s.reads = every.Reads
}

// inHead checks that parameters are not in a path, of which each route has its own.
func (v *validator) inHead(path string, all []config.Parameter) {
	for i := range all {
		if all[i].In == config.InPath {
			v.addf(config.Item(path, i)+".in", "is Path, but the routes have different paths; want one of Query, Header, Cookie")
		}
	}
}

// sharedParameters are those of the service's dependencies, as a route with these options reads them.
func (v *validator) sharedParameters(options schemaOptions) [][]*Parameter {
	s := &v.shared
	if read, done := s.read[options]; done || len(s.of) == 0 {
		return read
	}
	known := len(v.errs)
	for i := range s.of {
		path := config.Item(dependencies, i) + ".parameters"
		own := v.parameterList(path, s.of[i].Parameters, options, map[string]bool{}, map[string]expr.Type{})
		s.read[options] = append(s.read[options], own)
	}
	again := func(e config.FieldError) bool { return slices.Contains(v.errs[:known], e) }
	v.errs = slices.Concat(v.errs[:known], slices.DeleteFunc(slices.Clone(v.errs[known:]), again))
	return s.read[options]
}

// dependencies reads what runs before the steps of a route, and returns the place after it.
func (v *validator) dependencies(path string, own []config.Dependency, at *place) ([]*Step, *place) {
	compiled, types := slices.Clone(v.shared.steps), maps.Clone(v.shared.gives)
	at.route.Reads.add(&v.shared.reads)
	for i := range own {
		compiled = append(compiled, v.dependency(config.Item(path, i), &own[i], at, types))
	}
	if len(compiled) == 0 {
		return nil, at
	}
	return compiled, at.with(dependencies, expr.Object(types))
}

// dependency reads a call before the steps, which may read the values of those before it: their types, to which it adds its own.
func (v *validator) dependency(path string, d *config.Dependency, at *place, types map[string]expr.Type) *Step {
	v.name(path+".name", d.Name, types, "dependency")
	called := v.calls(path, &d.Call, at.with(dependencies, expr.Object(types)))
	types[d.Name] = called.gives
	return &Step{Name: d.Name, Work: called.work}
}

// mayAnswer checks that an answer of a step may stand here: in a route, or in a function, which is a dependency then.
func (v *validator) mayAnswer(path string, status int, at *place) {
	switch f := at.function; {
	case at.inRoute:
	case f == nil:
		v.addf(path, "is allowed only in the steps of a route, and of a function that is a dependency; want it in one of those")
	case status < minRefusal:
		v.addf(path+".status", "is %d, but a function can only refuse a request; want from 400 to 599", status)
	case f.refuses == "":
		f.refuses = path
	}
}

// returns checks that a function which is called has no answer of its own: only a dependency's ends the route.
func (v *validator) returns(path, name string) {
	if f := v.functions[name]; f != nil && f.refuses != "" {
		v.addf(path, "the function %q has %s, which is for dependencies; want a function without respond here, or %q among the "+
			"dependencies of the routes that need it", name, strings.TrimPrefix(f.refuses, f.path+"."), name)
	}
}
