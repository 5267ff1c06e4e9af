package program

import (
	"slices"
	"strings"

	"github.com/llmservice/llmservice/runtime/config"
	"github.com/llmservice/llmservice/runtime/expr"
	"github.com/llmservice/llmservice/runtime/schema"
)

// chosen checks the upstream of a step: its name, or the names that an expression chooses from, each of which check looks at. It
// returns the expression; nil if there is none.
func (v *validator) chosen(path, upstream string, among []string, at *place, check func(path, name string)) *expr.Template {
	if len(among) == 0 {
		check(path+".upstream", upstream)
		return nil
	}
	for i, name := range among {
		here := config.Item(path+".upstreams", i)
		if slices.Contains(among[:i], name) {
			v.addf(here, "%q is listed twice, want it once", name)
			continue
		}
		check(here, name)
	}
	choice, _ := v.expression(path+".upstream", upstream, at, expr.String)
	if choice != nil {
		v.chooses(path+".upstream", choice, among, at)
	}
	return choice
}

// chooses refuses an expression that may return a name that is not one of the list, as far as it says what it returns.
func (v *validator) chooses(path string, choice *expr.Template, among []string, at *place) {
	var strange []string
	for _, value := range choice.Outcomes(at.values) {
		if name, ok := value.(string); ok && !slices.Contains(among, name) && !slices.Contains(strange, name) {
			strange = append(strange, name)
		}
	}
	if len(strange) > 0 {
		v.addf(path, "may return %q, which is not one of upstreams, want %s", strange[0], strings.Join(among, ", "))
	}
}

// values are those that the schemas of a place allow at a path, if they list them.
func (p *place) values(path expr.Path) []any {
	if len(path) < 2 { //nolint:mnd // a variable and a member
		return nil
	}
	switch path[0] {
	case "request":
		return p.requestValues(path[1:])
	case "input":
		return listed(p.input, path[1:])
	case "steps":
		return stepValues(p.done, path[1:])
	}
	return nil
}

func (p *place) requestValues(path expr.Path) []any {
	switch {
	case p.route == nil || len(path) < 2: //nolint:mnd // request, and what of it
		return nil
	case path[0] == "body":
		return listed(p.route.Body, path[1:])
	case path[0] != "params":
		return nil
	}
	for _, parameter := range append(slices.Concat(p.route.Shared...), p.route.Parameters...) {
		if parameter.Name == path[1] && parameter.Text != nil {
			return listed(parameter.Text.Schema(), path[2:])
		}
	}
	return nil
}

// stepValues are those of the output of a step that asks a model, or of a branch of a gather that keeps the values of all.
func stepValues(done []*Step, path expr.Path) []any {
	i := slices.IndexFunc(done, func(s *Step) bool { return len(path) > 0 && s.Name == path[0] })
	if i < 0 || done[i].OnError != nil {
		return nil
	}
	work, path := done[i].Work, path[1:]
	if g, ok := work.(*Gather); ok && g.How().Needed == nil && len(path) > 0 {
		at := slices.IndexFunc(g.Branches, func(b *Branch) bool { return b.Name == path[0] })
		if at < 0 || g.Branches[at].OnError != nil {
			return nil
		}
		work, path = g.Branches[at].Work, path[1:]
	}
	if o := outputOf(work); o != nil && len(path) > 0 && path[0] == "output" {
		return listed(o.Satisfies, path[1:])
	}
	return nil
}

func outputOf(w Work) *Output {
	switch w := w.(type) {
	case *Chat:
		return w.Output
	case *Agent:
		return w.Output
	}
	return nil
}

// listed are the values that a schema lists for what lies at a path.
func listed(s *schema.Schema, path expr.Path) []any {
	if s == nil {
		return nil
	}
	at := s.Root()
	for _, step := range path {
		if to, ok := at.Reference(); ok {
			at = to
		}
		below, found := propertyOf(at, step)
		if !found {
			return nil
		}
		at = below
	}
	if to, ok := at.Reference(); ok && at.Values() == nil {
		at = to
	}
	return at.Values()
}

func propertyOf(s schema.Subschema, step any) (schema.Subschema, bool) {
	for name, property := range s.Properties() {
		if name == step {
			return property, true
		}
	}
	return schema.Subschema{}, false
}
