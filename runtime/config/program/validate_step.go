package program

import (
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/llmservice/llmservice/runtime/config"
	"github.com/llmservice/llmservice/runtime/expr"
	"github.com/llmservice/llmservice/runtime/schema"
)

var identifier = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_]{0,62}$`)

var roles = []string{"system", "user", "assistant"}

// actionKinds and stepKinds are in the order in which errors list them.
var (
	actionKinds = []string{"chat", "embeddings", "http", "call", "agent"}
	stepKinds   = append(slices.Clone(actionKinds), "gather", "forEach", "set", "respond")
)

func kindsOf(a *config.Action) []string {
	return present(actionKinds, a.Chat != nil, a.Embeddings != nil, a.HTTP != nil, a.Call != nil, a.Agent != nil)
}

func stepKindsOf(s *config.Step) []string {
	return append(kindsOf(&s.Action), present(stepKinds[len(actionKinds):],
		s.Gather != nil, s.ForEach != nil, s.Set != nil, s.Respond != nil)...)
}

func present(names []string, set ...bool) []string {
	var found []string
	for i, name := range names {
		if set[i] {
			found = append(found, name)
		}
	}
	return found
}

// oneKind says whether exactly one kind is set.
func (v *validator) oneKind(path string, set, allowed []string) bool {
	switch len(set) {
	case 1:
		return true
	case 0:
		v.addf(path, "has no kind, want one of %s", strings.Join(allowed, ", "))
	default:
		v.addf(path, "has %s, want one of %s", strings.Join(set, " and "), strings.Join(allowed, ", "))
	}
	return false
}

// steps reads a list of steps and returns the place behind it.
func (v *validator) steps(path string, steps []config.Step, at *place) *place {
	for i := range steps {
		s := &steps[i]
		here := config.Item(path, i)
		v.name(here+".name", s.Name, at.steps, "step")
		at = at.after(s.Name, v.step(here, s, at))
	}
	return at
}

func (v *validator) step(path string, s *config.Step, at *place) expr.Type {
	v.frame(path, s.When, &s.When, s.Timeout, at)
	result := expr.Dyn
	if v.oneKind(path, stepKindsOf(s), stepKinds) {
		switch {
		case s.Gather != nil:
			result = v.gather(path+".gather", s.Gather, at)
		case s.ForEach != nil:
			result = v.forEach(path+".forEach", s.ForEach, at)
		case s.Set != nil:
			result = v.set(path+".set", s.Set, at)
		case s.Respond != nil:
			result = v.answer(path+".respond", s.Respond, at)
		default:
			result = v.action(path, &s.Action, at)
		}
	}
	mayBeSkipped := s.When != "" || s.Gather != nil && s.Gather.MayBeSkipped()
	return v.settled(path+".onError", s.OnError, mayBeSkipped, result, at)
}

// frame checks what steps and branches have around their kind.
func (v *validator) frame(path, when string, field *string, timeout config.Duration, at *place) {
	if when != "" {
		v.expression(path+".when", field, at, expr.Bool)
	}
	v.notNegative(path+".timeout", timeout)
}

// settled is the type of a step's value once it has ended in whatever way lets the next step run.
func (v *validator) settled(path string, o *config.OnError, mayBeSkipped bool, result expr.Type, at *place) expr.Type {
	if o != nil {
		switch set := present([]string{"continue", "value", "respond"}, o.Continue != nil, o.Value != nil, o.Respond != nil); {
		case !v.oneKind(path, set, []string{"continue", "value", "respond"}):
		case o.Continue != nil:
			mayBeSkipped = true
		case o.Value != nil:
			result = common([]expr.Type{result, v.tree(path+".value", &o.Value, at.failed())})
		case !at.inRoute:
			v.addf(path+".respond", "stands in a route's steps only, want continue or value")
		default:
			v.answer(path+".respond", o.Respond, at.failed())
		}
	}
	if mayBeSkipped {
		return expr.Optional(result)
	}
	return result
}

func (v *validator) action(path string, a *config.Action, at *place) expr.Type {
	switch {
	case a.Chat != nil:
		return v.chat(path+".chat", a.Chat, at)
	case a.Embeddings != nil:
		return v.embeddings(path+".embeddings", a.Embeddings, at)
	case a.HTTP != nil:
		return v.http(path+".http", a.HTTP, at)
	case a.Call != nil:
		return v.call(path+".call", a.Call, at)
	default:
		return v.agent(path+".agent", a.Agent, at)
	}
}

func (v *validator) call(path string, c *config.Call, at *place) expr.Type {
	var input any = map[string]any{}
	if c.Input != nil {
		members := v.object(path+".input", c.Input)
		v.tree(path+".input", &c.Input, at)
		input = schema.UnknownOf()
		if t := v.program.Tree(&c.Input); t != nil && members != nil {
			input = t.Known(v.known.constants)
		}
	}
	before := len(v.errs)
	result := v.called(path+".function", c.Function)
	if f := v.functions[c.Function]; f != nil && len(v.errs) == before {
		v.satisfies(path+".input", input, v.program.Schema(&f.config.Input), f.path+".input")
	}
	return result
}

func (v *validator) chat(path string, c *config.Chat, at *place) expr.Type {
	v.modelUpstream(path+".upstream", c.Upstream)
	v.messages(path+".messages", c.Messages, at)
	v.parameters(path+".parameters", &c.Parameters, at, c.Output)
	return v.completion(path+".output", c.Output, nil)
}

// completion is the type of a model's answer.
func (v *validator) completion(path string, o *config.Output, more map[string]expr.Type) expr.Type {
	fields := maps.Clone(completionFields)
	maps.Copy(fields, more)
	if o != nil {
		if o.Schema == nil {
			v.addf(path+".schema", "is required")
		}
		fields["output"] = v.schema(path+".schema", &o.Schema)
		if o.ResponseFormat != "" && !slices.Contains(responseFormats, o.ResponseFormat) {
			v.addf(path+".responseFormat", "%q, want one of %s", o.ResponseFormat, strings.Join(responseFormats, ", "))
		}
		v.between(path+".repairAttempts", o.RepairAttempts, 0, config.MaxRepairAttempts)
	}
	return expr.Object(fields)
}

func (v *validator) messages(path string, messages []config.Message, at *place) {
	if len(messages) == 0 {
		v.addf(path, "is empty, want at least one message")
	}
	for i := range messages {
		m, here := &messages[i], config.Item(path, i)
		switch {
		case m.History != "" && (m.Role != "" || m.Content != ""):
			v.addf(here, "has history and a message of its own, want one of them")
		case m.History != "":
			v.expression(here+".history", &m.History, at, expr.List(expr.Dyn))
			if t := v.program.Template(&m.History); t != nil {
				v.satisfiesOurs(here+".history", t.Known(v.known.constants), messagesSchema, "A list of messages")
			}
		default:
			if !slices.Contains(roles, m.Role) {
				v.addf(here+".role", "%q, want one of %s", m.Role, strings.Join(roles, ", "))
			}
			v.text(here+".content", &m.Content, at)
		}
	}
}

func (v *validator) embeddings(path string, e *config.Embeddings, at *place) expr.Type {
	v.modelUpstream(path+".upstream", e.Upstream)
	if e.Input == "" {
		v.addf(path+".input", "is required")
	}
	v.text(path+".input", &e.Input, at)
	if t := v.program.Template(&e.Input); t != nil {
		v.satisfiesOurs(path+".input", t.Known(v.known.constants), textsSchema, "An embeddings step")
	}
	v.parameters(path+".parameters", &e.Parameters, at, nil)
	v.encodingFormat(path+".parameters.encoding_format", e.Parameters)
	return vectorsType
}

func (v *validator) agent(path string, a *config.Agent, at *place) expr.Type {
	v.modelUpstream(path+".upstream", a.Upstream)
	v.messages(path+".messages", a.Messages, at)
	v.parameters(path+".parameters", &a.Parameters, at, a.Output)
	if len(a.Tools) == 0 {
		v.addf(path+".tools", "is empty, want at least one function")
	}
	for i, name := range a.Tools {
		here := config.Item(path+".tools", i)
		if slices.Contains(a.Tools[:i], name) {
			v.addf(here, "%q is there already", name)
		}
		before := len(v.errs)
		v.called(here, name)
		if f := v.functions[name]; f != nil && len(v.errs) == before {
			v.satisfies(here, schema.UnknownOf("object"), v.program.Schema(&f.config.Input), f.path+".input, of a tool an object,")
		}
	}
	v.between(path+".maxTurns", a.MaxTurns, 1, config.MaxTurns)
	v.between(path+".maxParallel", a.MaxParallel, 1, config.MaxParallel)
	return v.completion(path+".output", a.Output, map[string]expr.Type{
		"turns": expr.Int, "toolCalls": expr.List(toolCallType),
	})
}

func (v *validator) set(path string, s *config.Set, at *place) expr.Type {
	if s.Value == nil {
		v.addf(path+".value", "is required")
	}
	return v.tree(path+".value", &s.Value, at)
}

// answer reads an answer that ends the route; nothing can refer to it.
func (v *validator) answer(path string, r *config.Respond, at *place) expr.Type {
	if !at.inRoute {
		v.addf(path, "stands in a route's steps only")
	}
	v.between(path+".status", r.Status, 200, 599)
	v.tree(path+".body", &r.Body, at)
	return expr.Null
}

func (v *validator) forEach(path string, f *config.ForEach, at *place) expr.Type {
	items := v.expression(path+".items", &f.Items, at, expr.List(expr.Dyn))
	v.between(path+".maxItems", f.MaxItems, 1, config.MaxItems)
	v.fits(path+".items", f)
	v.between(path+".maxParallel", f.MaxParallel, 1, config.MaxParallel)
	inner := at.with("item", items.Element()).with("index", expr.Int)
	inner.inRoute = false
	here := path + ".do"
	v.notNegative(here+".timeout", f.Do.Timeout)
	result := expr.Dyn
	if v.oneKind(here, kindsOf(&f.Do.Action), actionKinds) {
		result = v.action(here, &f.Do.Action, inner)
	}
	v.settled(here+".onError", f.Do.OnError, false, result, inner)
	if f.Do.OnError != nil {
		result = expr.Dyn // an item may be what stands in for it, or null
	}
	return expr.List(result)
}

// name checks what templates call something.
func (v *validator) name(path, name string, taken map[string]expr.Type, of string) {
	if !identifier.MatchString(name) {
		v.addf(path, "%q is no name, want a letter, then letters, digits and underscores", name)
	} else if _, twice := taken[name]; twice {
		v.addf(path, "%q is the name of another %s", name, of)
	}
}
