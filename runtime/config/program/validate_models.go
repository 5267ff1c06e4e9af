package program

import (
	"net/http"
	"slices"
	"strings"

	"github.com/llmservice/llmservice/runtime/config"
	"github.com/llmservice/llmservice/runtime/expr"
)

func (v *validator) models(models []config.Model) {
	names := map[string]bool{}
	for i := range models {
		path, m := config.Item("models", i), &models[i]
		switch {
		case m.Name == "":
			v.addf(path+".name", "is required")
		case names[m.Name]:
			v.addf(path+".name", "%q is the name of another model, want a name of its own", m.Name)
		}
		names[m.Name] = true
		v.keepAlive(path+".keepAlive", m.KeepAlive)
		switch {
		case m.Route != nil && len(m.Upstreams)+len(m.Weights) > 0:
			v.addf(path, "has both upstreams and a route, want one of them")
		case m.Route == nil && len(m.Upstreams) == 0:
			v.addf(path+".upstreams", "is empty, want at least one upstream, or a route")
		}
		for j, name := range m.Upstreams {
			v.modelUpstream(config.Item(path+".upstreams", j), name)
		}
		v.weights(path+".weights", m)
	}
}

func (v *validator) weights(path string, m *config.Model) {
	sum := 0
	for i, w := range m.Weights {
		here := config.Item(path, i)
		switch {
		case !slices.Contains(m.Upstreams, w.Upstream):
			v.addf(here+".upstream", "%q is not one of the model's upstreams, want one of %s", w.Upstream, strings.Join(m.Upstreams, ", "))
		case slices.ContainsFunc(m.Weights[:i], func(o config.Share) bool { return o.Upstream == w.Upstream }):
			v.addf(here+".upstream", "%q has another weight already, want one for each upstream", w.Upstream)
		}
		v.between(here+".weight", w.Weight, 0, config.MaxWeight)
		sum += w.Weight
	}
	if len(m.Weights) > 0 && sum == 0 {
		v.addf(path, "are all 0, want one above 0")
	}
}

// conversation is the variable of a model's templates, with what it has.
const (
	conversation = "conversation"
	lastMessage  = "lastMessage"
	messages     = "messages"
)

var conversationType = expr.Object(map[string]expr.Type{lastMessage: expr.String, messages: expr.List(expr.Dyn)})

// modelRoutes reads the models that routes answer, once it is known what the routes accept.
func (v *validator) modelRoutes(models []config.Model, routes []*Route) []*Model {
	var compiled []*Model
	for i := range models {
		if models[i].Route != nil {
			compiled = append(compiled, v.modelRoute(config.Item("models", i)+".route", &models[i], routes))
		}
	}
	return compiled
}

func (v *validator) modelRoute(path string, m *config.Model, routes []*Route) *Model {
	compiled := &Model{Model: m}
	if m.Route.Body == nil {
		v.addf(path+".body", "is required")
	}
	compiled.Body, _ = v.tree(path+".body", m.Route.Body, &place{vars: expr.Vars{conversation: conversationType}})
	if compiled.Body != nil {
		compiled.ReadsLast, compiled.ReadsMessages = readsOf(compiled.Body, lastMessage), readsOf(compiled.Body, messages)
	}
	at := slices.IndexFunc(routes, func(r *Route) bool { return r.Method == http.MethodPost && r.Path == m.Route.Path })
	if at < 0 {
		v.addf(path+".path", "there is no route %q with the method POST, want the path of one that has it", m.Route.Path)
		return compiled
	}
	compiled.AnsweredBy = routes[at]
	v.answersModels(path+".path", compiled.AnsweredBy)
	if compiled.Body != nil {
		known := compiled.Body.Known(v.known.constants)
		v.satisfies(path+".body", known, compiled.AnsweredBy.Body, config.Item("routes", at)+".request.schema")
	}
	return compiled
}

// readsOf reports whether a model's body reads a member of the conversation, or all of it.
func readsOf(body *expr.Tree, member string) bool {
	return slices.ContainsFunc(body.Reads(), func(path expr.Path) bool { return len(path) == 1 || path[1] == member })
}

// answersModels checks that a request without parameters has an answer that is a text.
func (v *validator) answersModels(path string, r *Route) {
	if r.Request.IsForm() {
		v.addf(path, "the route reads a form, and a model gives JSON: want a route without request.form")
	}
	for _, p := range r.Parameters {
		if p.Text != nil && p.Text.IsRequired() && !p.Text.HasDefault() {
			v.addf(path, "the route requires the parameter %q, and a model gives a body only: want a default, or another route", p.Name)
		}
	}
	for _, p := range slices.Concat(r.Shared...) { // whose headers and cookies are those of the model's client
		if p.In == config.InQuery && p.Text != nil && p.Text.IsRequired() && !p.Text.HasDefault() {
			v.addf(path, "a dependency of the service requires the query parameter %q, and requests for models have no query: "+
				"want a default, a header, or another route", p.Name)
		}
	}
	if a := r.Response; a != nil && a.Stream == "" && a.Response.Body == nil {
		v.addf(path, "the route answers without stream and body, want one of them")
	}
}
