package program

import (
	"strings"

	"github.com/llmservice/llmservice/runtime/config"
	"github.com/llmservice/llmservice/runtime/expr"
)

// dependencies is the variable of templates with the values of a route's dependencies.
const dependencies = "dependencies"

// minRefusal is the least status of an answer by which a function refuses: an answer of success is the route's own.
const minRefusal = 400

// dependencies reads what runs before the steps, and returns the place after it. Each may read the values of those before it.
func (v *validator) dependencies(path string, all []config.Dependency, at *place) ([]*Step, *place) {
	if len(all) == 0 {
		return nil, at
	}
	compiled, types := make([]*Step, len(all)), map[string]expr.Type{}
	for i := range all {
		d, here := &all[i], config.Item(path, i)
		v.name(here+".name", d.Name, types, "dependency")
		called := v.calls(here, &d.Call, at.with(dependencies, expr.Object(types)))
		compiled[i] = &Step{Name: d.Name, Work: called.work}
		types[d.Name] = called.gives
	}
	return compiled, at.with(dependencies, expr.Object(types))
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
