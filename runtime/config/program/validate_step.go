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

// oneKind reports whether exactly one kind is set.
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

// steps reads a list of steps and returns the place behind it, too.
func (v *validator) steps(path string, steps []config.Step, at *place) ([]*Step, *place) {
	compiled := make([]*Step, len(steps))
	for i := range steps {
		s, here := &steps[i], config.Item(path, i)
		v.name(here+".name", s.Name, at.steps, "step")
		var gives expr.Type
		compiled[i], gives = v.step(here, s, at)
		at = at.after(compiled[i], gives)
	}
	return compiled, at
}

// typedWork is work that was compiled, and the type of its value.
type typedWork struct {
	work  Work
	gives expr.Type
}

// kinds compiles the kind that is set at a place.
type kinds struct {
	*validator

	path string
	at   *place
}

func (k kinds) Chat(c *config.Chat) typedWork { return k.chat(k.path+".chat", c, k.at) }
func (k kinds) Embeddings(e *config.Embeddings) typedWork {
	return k.embeddings(k.path+".embeddings", e, k.at)
}
func (k kinds) HTTP(h *config.HTTPCall) typedWork   { return k.http(k.path+".http", h, k.at) }
func (k kinds) Call(c *config.Call) typedWork       { return k.call(k.path+".call", c, k.at) }
func (k kinds) Agent(a *config.Agent) typedWork     { return k.agent(k.path+".agent", a, k.at) }
func (k kinds) Gather(g *config.Gather) typedWork   { return k.gather(k.path+".gather", g, k.at) }
func (k kinds) ForEach(f *config.ForEach) typedWork { return k.forEach(k.path+".forEach", f, k.at) }
func (k kinds) Set(s *config.Set) typedWork         { return k.set(k.path+".set", s, k.at) }

func (k kinds) Respond(r *config.Respond) typedWork {
	return typedWork{k.answer(k.path+".respond", r, k.at), expr.Null} // nothing can refer to it
}

func (v *validator) step(path string, s *config.Step, at *place) (*Step, expr.Type) {
	compiled := &Step{Name: s.Name, Guard: v.guard(path, s.When, s.Timeout, at)}
	result := typedWork{gives: expr.Dyn}
	if set, all := s.Kinds(); v.oneKind(path, set, all) {
		result, _ = config.OfStep[typedWork](s, kinds{v, path, at})
	}
	compiled.Work = result.work
	mayBeSkipped := s.When != "" || s.Gather != nil && s.Gather.MayBeSkipped()
	var gives expr.Type
	compiled.OnError, gives = v.settled(path+".onError", s.OnError, mayBeSkipped, result.gives, at)
	return compiled, gives
}

// action is the work of a branch or an item.
func (v *validator) action(path string, a *config.Action, at *place) typedWork {
	if set, all := a.Kinds(); !v.oneKind(path, set, all) {
		return typedWork{gives: expr.Dyn}
	}
	result, _ := config.OfAction[typedWork](a, kinds{v, path, at})
	return result
}

// guard checks what steps and branches have around their kind; the effect of failures is known only after that.
func (v *validator) guard(path, when string, timeout config.Duration, at *place) Guard {
	compiled := Guard{Timeout: timeout.Std()}
	if when != "" {
		compiled.When, _ = v.expression(path+".when", when, at, expr.Bool)
	}
	v.notNegative(path+".timeout", timeout)
	return compiled
}

// onErrors are the members of an onError.
var onErrors = []string{"continue", "value", "respond"}

// settled returns what happens if a step fails, and the type of its value after any end that lets the next step
// run.
func (v *validator) settled(
	path string, o *config.OnError, mayBeSkipped bool, result expr.Type, at *place,
) (*OnError, expr.Type) {
	var compiled *OnError
	if o != nil {
		compiled = &OnError{}
		var set []string
		for i, is := range []bool{o.Continue != nil, o.Value != nil, o.Respond != nil} {
			if is {
				set = append(set, onErrors[i])
			}
		}
		switch {
		case !v.oneKind(path, set, onErrors):
		case o.Continue != nil:
			mayBeSkipped = true
		case o.Value != nil:
			var instead expr.Type
			compiled.Value, instead = v.tree(path+".value", o.Value, at.failed())
			result = common([]expr.Type{result, instead})
		case !at.inRoute && at.function == nil:
			v.addf(path+".respond", "is allowed only in the onError of steps of a route, and of a function that is a dependency; "+
				"want continue or value")
		default:
			compiled.Respond = v.answer(path+".respond", o.Respond, at.failed())
		}
	}
	if mayBeSkipped {
		return compiled, expr.Optional(result)
	}
	return compiled, result
}

// call reads the call of a function by a step.
func (v *validator) call(path string, c *config.Call, at *place) typedWork {
	called := v.calls(path, c, at)
	v.returns(path+".function", c.Function)
	return called
}

// calls reads the call of a function, whatever makes it.
func (v *validator) calls(path string, c *config.Call, at *place) typedWork {
	compiled := &Call{}
	var input any = map[string]any{}
	if c.Input != nil {
		members := v.object(path+".input", c.Input)
		compiled.Input, _ = v.tree(path+".input", c.Input, at)
		input = schema.UnknownOf()
		if compiled.Input != nil && members != nil {
			input = compiled.Input.Known(v.known.constants)
		}
	}
	before := len(v.errs)
	result := v.called(path+".function", c.Function)
	if f := v.functions[c.Function]; f != nil && len(v.errs) == before {
		v.satisfies(path+".input", input, f.compiled.Input, f.path+".input")
		compiled.Function = f.compiled
	}
	return typedWork{compiled, result}
}

func (v *validator) chat(path string, c *config.Chat, at *place) typedWork {
	compiled := &Chat{Chat: c}
	compiled.Choice = v.chosen(path, c.Upstream, c.Upstreams, at, v.completing)
	compiled.Messages = v.messages(path+".messages", c.Messages, at)
	compiled.Parameters = v.parameters(path+".parameters", c.Parameters, at, c.Output)
	var gives expr.Type
	compiled.Output, gives = v.completion(path+".output", c.Output, nil)
	return typedWork{compiled, gives}
}

// completion is what a model's answer has to be, and its type.
func (v *validator) completion(path string, o *config.Output, more map[string]expr.Type) (*Output, expr.Type) {
	var compiled *Output
	fields := maps.Clone(completionFields)
	maps.Copy(fields, more)
	if o != nil {
		if o.Schema == nil {
			v.addf(path+".schema", "is required")
		}
		compiled = &Output{Output: o}
		compiled.Satisfies, fields["output"] = v.schema(path+".schema", o.Schema)
		if o.ResponseFormat != "" && !slices.Contains(responseFormats, o.ResponseFormat) {
			v.addf(path+".responseFormat", "%q, want one of %s", o.ResponseFormat, strings.Join(responseFormats, ", "))
		}
		v.between(path+".repairAttempts", o.RepairAttempts, 0, config.MaxRepairAttempts)
	}
	return compiled, expr.Object(fields)
}

func (v *validator) messages(path string, messages []config.Message, at *place) []Message {
	compiled := make([]Message, len(messages))
	if len(messages) == 0 {
		v.addf(path, "is empty, want at least one message")
	}
	for i := range messages {
		m, here := &messages[i], config.Item(path, i)
		switch {
		case m.History != "" && (m.Role != "" || m.Content != ""):
			v.addf(here, "has both history and a role or content, want one of them")
		case m.History != "":
			history, _ := v.expression(here+".history", m.History, at, expr.List(expr.Dyn))
			if compiled[i].History = history; history != nil {
				v.satisfiesOurs(here+".history", history.Known(v.known.constants), messagesSchema, "A list of messages")
			}
		default:
			if !slices.Contains(roles, m.Role) {
				v.addf(here+".role", "%q, want one of %s", m.Role, strings.Join(roles, ", "))
			}
			compiled[i].Role, compiled[i].Content = m.Role, v.text(here+".content", m.Content, at)
		}
	}
	return compiled
}

func (v *validator) embeddings(path string, e *config.Embeddings, at *place) typedWork {
	choice := v.chosen(path, e.Upstream, e.Upstreams, at, v.embedding)
	if e.Input == "" {
		v.addf(path+".input", "is required")
	}
	compiled := &Embeddings{Embeddings: e, Choice: choice, Input: v.text(path+".input", e.Input, at)}
	if compiled.Input != nil {
		v.satisfiesOurs(path+".input", compiled.Input.Known(v.known.constants), textsSchema, "An embeddings step")
	}
	compiled.Parameters = v.parameters(path+".parameters", e.Parameters, at, nil)
	v.encodingFormat(path+".parameters.encoding_format", e.Parameters)
	return typedWork{compiled, vectorsType}
}

func (v *validator) agent(path string, a *config.Agent, at *place) typedWork {
	compiled := &Agent{Agent: a}
	compiled.Choice = v.chosen(path, a.Upstream, a.Upstreams, at, v.completing)
	compiled.Messages = v.messages(path+".messages", a.Messages, at)
	compiled.Parameters = v.parameters(path+".parameters", a.Parameters, at, a.Output)
	if len(a.Tools) == 0 {
		v.addf(path+".tools", "is empty, want at least one function")
	}
	for i, name := range a.Tools {
		here := config.Item(path+".tools", i)
		if slices.Contains(a.Tools[:i], name) {
			v.addf(here, "%q is listed twice, want it once", name)
		}
		before := len(v.errs)
		v.called(here, name)
		v.returns(here, name)
		if f := v.functions[name]; f != nil && len(v.errs) == before {
			v.satisfies(here, schema.UnknownOf("object"), f.compiled.Input, f.path+".input, which must be an object for a tool,")
			compiled.Tools = append(compiled.Tools, f.compiled)
		}
	}
	v.between(path+".maxTurns", a.MaxTurns, 1, config.MaxTurns)
	v.between(path+".maxParallel", a.MaxParallel, 1, config.MaxParallel)
	var gives expr.Type
	compiled.Output, gives = v.completion(path+".output", a.Output, map[string]expr.Type{
		"turns": expr.Int, "toolCalls": expr.List(toolCallType),
	})
	return typedWork{compiled, gives}
}

func (v *validator) set(path string, s *config.Set, at *place) typedWork {
	if s.Value == nil {
		v.addf(path+".value", "is required")
	}
	value, gives := v.tree(path+".value", s.Value, at)
	return typedWork{&Set{Value: value}, gives}
}

func (v *validator) forEach(path string, f *config.ForEach, at *place) typedWork {
	compiled := &ForEach{ForEach: f}
	var items expr.Type
	compiled.Items, items = v.expression(path+".items", f.Items, at, expr.List(expr.Dyn))
	v.between(path+".maxItems", f.MaxItems, 1, config.MaxItems)
	v.fits(path+".items", compiled)
	v.between(path+".maxParallel", f.MaxParallel, 1, config.MaxParallel)
	inner := at.within().with("item", items.Element()).with("index", expr.Int)
	here := path + ".do"
	compiled.Guard = v.guard(here, "", f.Do.Timeout, inner)
	do := v.action(here, &f.Do.Action, inner)
	compiled.Do = do.work
	compiled.Guard.OnError, _ = v.settled(here+".onError", f.Do.OnError, false, do.gives, inner)
	if f.Do.OnError != nil {
		do.gives = expr.Dyn // an item may be what stands in for it, or null
	}
	return typedWork{compiled, expr.List(do.gives)}
}

// name checks what templates call something.
func (v *validator) name(path, name string, taken map[string]expr.Type, of string) {
	if !identifier.MatchString(name) {
		v.addf(path, "%q is not a valid name, want a letter, then letters, digits and underscores", name)
	} else if _, twice := taken[name]; twice {
		v.addf(path, "%q is the name of another %s, want a name of its own", name, of)
	}
}
