package program

import (
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
	output expr.Type
}

// allFunctions reads each function before those that call it, since a call has the type of the function's output;
// the errors keep the order of the fields.
func (v *validator) allFunctions(functions []config.Function) {
	all := make([]*function, len(functions))
	for i := range functions {
		f := &function{path: config.Item("functions", i), config: &functions[i], output: expr.Dyn}
		all[i] = f
		switch name := f.config.Name; {
		case !identifier.MatchString(name):
			v.addf(f.path+".name", "%q is no name, want a letter, then letters, digits and underscores", name)
		case v.functions[name] != nil:
			v.addf(f.path+".name", "%q is the name of another function", name)
			f.read = true
		default:
			v.functions[name] = f
		}
	}
	for _, f := range all {
		v.function(f)
		v.errs = append(v.errs, f.errs...)
	}
}

func (v *validator) function(f *function) {
	if f.read {
		return
	}
	f.read = true
	outer := v.errs
	v.errs = nil
	v.calling = append(v.calling, f.config.Name)
	f.output = v.functionBody(f.path, f.config)
	v.calling = v.calling[:len(v.calling)-1]
	f.errs, v.errs = v.errs, outer
}

func (v *validator) functionBody(path string, f *config.Function) expr.Type {
	input := v.schema(path+".input", &f.Input)
	v.notNegative(path+".timeout", f.Timeout)
	if len(f.Steps) == 0 {
		v.addf(path+".steps", "is empty, want at least one step")
	}
	end := v.steps(path+".steps", f.Steps, &place{vars: expr.Vars{"input": input}})
	if f.Output == nil {
		v.addf(path+".output", "is required")
	}
	return v.tree(path+".output", &f.Output, end)
}

// called checks the name of a function that is called at path, and returns its output's type.
func (v *validator) called(path, name string) expr.Type {
	f := v.functions[name]
	if f == nil {
		v.addf(path, "there is no function %q", name)
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
