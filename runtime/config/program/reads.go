package program

import (
	"slices"

	"github.com/llmservice/llmservice/runtime/config"
	"github.com/llmservice/llmservice/runtime/expr"
)

// Reads are the members of a variable that templates read: what nobody reads of a request need not be made.
type Reads struct {
	members map[string]bool
	all     bool
}

// Member reports whether a member is read.
func (r *Reads) Member(name string) bool { return r.all || r.members[name] }

// ofVariable adds a path, if it is one of the variable.
func (r *Reads) ofVariable(variable string, path expr.Path) {
	if path[0] == variable {
		r.of(path)
	}
}

// of adds a path, from a value on.
func (r *Reads) of(path expr.Path) {
	if len(path) > 1 {
		if name, isName := path[1].(string); isName {
			r.member(name)
			return
		}
	}
	r.all = true
}

// apart are the variables that have nothing of a completion that was not read as a part of a step's value before.
var apart = map[string]bool{"request": true, "input": true, "error": true, conversation: true}

// reads takes in what a template at a place reads: of the request, and of completions. Those are values of steps, or parts of
// other variables.
func (v *validator) reads(at *place, path expr.Path) {
	if at.route != nil {
		at.route.Reads.ofVariable("request", path)
	}
	variable, _ := path[0].(string)
	switch {
	case variable == "steps" && len(path) > 2:
		v.completions.of(path[1:])
	case !apart[variable]:
		v.completions.all = true
	}
}

// completed takes in what is read of completions without templates: their usage, where an answer passes it on.
func (v *validator) completed(p *Program) {
	streams := slices.ContainsFunc(p.Config.Functions, func(f config.Function) bool { return f.Stream != "" }) ||
		slices.ContainsFunc(p.Config.Routes, func(r config.Route) bool { return r.Streams() })
	if streams || len(p.Models) > 0 {
		v.completions.member("usage")
	}
	for _, r := range p.Routes {
		r.Completions = &v.completions
	}
}

func (r *Reads) member(name string) {
	if r.members == nil {
		r.members = map[string]bool{}
	}
	r.members[name] = true
}

// add adds what others read.
func (r *Reads) add(other *Reads) {
	r.all = r.all || other.all
	for name := range other.members {
		r.member(name)
	}
}
