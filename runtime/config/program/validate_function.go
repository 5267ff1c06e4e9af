package program

import (
	"maps"
	"slices"
	"strings"

	"github.com/llmservice/llmservice/runtime/config"
	"github.com/llmservice/llmservice/runtime/expr"
)

// function is what is known of a function while a config is read.
type function struct {
	path   string
	config *config.Function
	read   bool
	errs   config.Errors
	// counted says that its stream was looked at: see reportsThrough.
	counted bool
	output  expr.Type
	// refuses is the path of a respond, by which the function refuses the request that it is a dependency of; empty without one.
	refuses string
	// compiled is there once the function has been read.
	compiled *Function
}

// allFunctions reads each function before those that call it, since a call has the type of the function's output;
// the errors keep the order of the fields.
func (v *validator) allFunctions(functions []config.Function) []*Function {
	all := make([]*function, len(functions))
	for i := range functions {
		f := &function{path: config.Item("functions", i), config: &functions[i], output: expr.Dyn}
		all[i] = f
		switch name := f.config.Name; {
		case !identifier.MatchString(name):
			v.addf(f.path+".name", "%q is not a valid name, want a letter, then letters, digits and underscores", name)
		case v.functions[name] != nil:
			v.addf(f.path+".name", "%q is the name of another function, want a name of its own", name)
			f.read = true
		default:
			v.functions[name] = f
		}
	}
	compiled := make([]*Function, len(all))
	for i, f := range all {
		v.function(f)
		v.errs = append(v.errs, f.errs...)
		compiled[i] = f.compiled
	}
	return compiled
}

func (v *validator) function(f *function) {
	if f.read {
		return
	}
	f.read = true
	outer := v.errs
	v.errs = nil
	v.calling = append(v.calling, f.config.Name)
	f.compiled = &Function{Function: f.config}
	f.output = v.functionBody(f)
	v.calling = v.calling[:len(v.calling)-1]
	f.errs, v.errs = v.errs, outer
}

func (v *validator) functionBody(of *function) (output expr.Type) {
	path, f, said := of.path, of.compiled, of.config
	var input expr.Type
	f.Input, input = v.schema(path+".input", said.Input)
	v.notNegative(path+".timeout", said.Timeout)
	if len(said.Steps) == 0 {
		v.addf(path+".steps", "is empty, want at least one step")
	}
	var end *place
	f.Steps, end = v.steps(path+".steps", said.Steps, &place{vars: expr.Vars{"input": input}, input: f.Input, function: of})
	f.asks = slices.ContainsFunc(f.Steps, func(s *Step) bool { return asks(s.Work) })
	switch {
	case said.Output == nil && said.Stream == "":
		v.addf(path+".output", "is required, unless the function has stream, want one of them")
	case said.Output != nil && said.Stream != "":
		v.addf(path, "has output and stream, want one of them")
	case said.Stream != "":
		v.lastStep(path, path+".stream", said.Stream, said.Steps)
		return end.steps[said.Stream].Unwrapped()
	}
	f.Output, output = v.tree(path+".output", said.Output, end)
	return output
}

// called checks the name of a function that is called at path, and returns its output's type.
func (v *validator) called(path, name string) expr.Type {
	f := v.functions[name]
	if f == nil {
		v.addf(path, "there is no function %q, %s", name, wantOneOf(slices.Sorted(maps.Keys(v.functions))))
		return expr.Dyn
	}
	if i := slices.Index(v.calling, name); i >= 0 {
		circle := append(slices.Clone(v.calling[i:]), name)
		v.addf(path, "functions may not call themselves: %s", strings.Join(circle, " calls "))
		return expr.Dyn
	}
	v.function(f)
	return f.output
}
