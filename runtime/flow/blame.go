package flow

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/llmservice/llmservice/runtime/config"
	"github.com/llmservice/llmservice/runtime/expr"
	"github.com/llmservice/llmservice/runtime/problem"
	"github.com/llmservice/llmservice/runtime/relay"
)

// If a template cannot use the values that it was given, their origin decides who gets the error:
//   - values of the request alone: 422, because the client can send others; the error names the places that the template reads;
//   - values of an upstream's answer, even in part: 502, because the client cannot have caused it;
//   - neither: the template always fails, and a fault of the configuration is a 500.
//
// The origin is computed only after a failure, so that success costs nothing.

// origin is where a value comes from.
type origin struct {
	places   [][]any // in the request, as violations name them
	upstream bool    // made from an upstream's answer
}

func (o origin) and(other origin) origin {
	o.upstream = o.upstream || other.upstream
	for _, place := range other.places {
		if !slices.ContainsFunc(o.places, func(p []any) bool { return slices.Equal(p, place) }) {
			o.places = append(o.places, place)
		}
	}
	return o
}

// known is a variable whose values come from somewhere other than the request and the steps around.
type known struct {
	name string
	// origin is that of the value at a place below it.
	origin func(below []any) origin
	next   *known
}

// knowing is the frame with one more variable of known origin.
func (f *frame) knowing(name string, of func(below []any) origin) *frame {
	f.known = &known{name: name, origin: of, next: f.known}
	return f
}

func (f *frame) originOf(reads []expr.Path) origin {
	var all origin
	for _, path := range reads {
		all = all.and(f.origin(path))
	}
	return all
}

func (f *frame) origin(path expr.Path) origin {
	name, below := path[0], path[1:]
	switch name {
	case "request":
		return origin{places: f.input.places(below)}
	case "steps":
		return f.stepsOrigin(below)
	case "dependencies":
		before := &frame{request: f.request, running: f.dependencies}
		return before.stepsOrigin(below)
	}
	for k := f.known; k != nil; k = k.next {
		if k.name == name {
			return k.origin(below)
		}
	}
	return origin{upstream: true} // the step's error, in onError
}

// stepsOrigin is the origin of the steps of the running list: of one, or of all if the path names none.
func (f *frame) stepsOrigin(path []any) origin {
	var all origin
	for _, s := range f.running {
		switch {
		case len(path) == 0:
			all = all.and(s.origin(f, nil))
		case path[0] == s.name:
			return s.origin(f, path[1:])
		}
	}
	return all
}

func (g *guarded) origin(f *frame, below []any) origin {
	from := origin{upstream: true}
	if a, ok := g.action.(traced); ok {
		from = a.origin(f, below)
	}
	if g.OnError != nil && g.OnError.Value != nil {
		from = from.and(f.originOf(g.OnError.Value.Reads(below...)))
	}
	return from
}

// traced is an action whose value is not always made from an upstream's answer.
type traced interface {
	// origin is that of the value at a place below the action's value in the frame.
	origin(f *frame, below []any) origin
}

func (s *set) origin(f *frame, below []any) origin { return f.originOf(s.Value.Reads(below...)) }

func (c *call) origin(f *frame, below []any) origin {
	inner := &frame{request: f.request, running: c.function.steps}
	inner.knowing("input", c.inputOrigin(f))
	if c.function.Stream != "" {
		return inner.stepsOrigin(append([]any{c.function.Stream}, below...))
	}
	return inner.originOf(c.Function.Output.Reads(below...))
}

func (c *call) inputOrigin(f *frame) func(below []any) origin {
	return func(below []any) origin {
		if c.Input == nil {
			return origin{}
		}
		return f.originOf(c.Input.Reads(below...))
	}
}

func (e *forEach) origin(f *frame, below []any) origin {
	if len(below) > 0 {
		below = below[1:] // the position
	}
	inner := *f
	return e.do.origin(e.knowing(&inner, f, nil), below)
}

// knowing is the frame of an item: at a position, or of any item if there is none.
func (e *forEach) knowing(inner, f *frame, position []any) *frame {
	items := func(below []any) origin {
		if len(position) == 0 {
			return f.originOf(e.Items.Reads())
		}
		return f.originOf(e.Items.Reads(append(slices.Clone(position), below...)...))
	}
	return inner.knowing("item", items).knowing("index", func([]any) origin { return f.originOf(e.Items.Reads()) })
}

func (g *gathered) origin(f *frame, _ []any) origin { return originOfAll(f, g.branches) }

func originOfAll(f *frame, branches []*branch) origin {
	var all origin
	for _, b := range branches {
		all = all.and(b.origin(f, nil))
	}
	return all
}

// misfit is a value that a template, or its use, cannot handle. Its text is for logs: it names the template, and holds nothing
// of the value.
type misfit struct {
	told  *problem.Error
	cause error
}

func (m *misfit) Error() string { return m.cause.Error() }

// Unwrap returns the error for clients.
func (m *misfit) Unwrap() error { return m.told }

// blamed decides who gets the error of a template.
func (f *frame) blamed(err error) error {
	e, ok := errors.AsType[*expr.Error](err)
	if !ok || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	if _, ok := errors.AsType[relay.Failure](err); ok {
		return err // lack of memory is nobody's fault
	}
	if from := f.originOf(e.Reads); errors.Is(err, expr.ErrSpent) && (from.upstream || len(from.places) == 0) {
		return relay.Failure{Kind: relay.FailedBudget, Err: e} // its code is more precise
	}
	return f.misfit(e.Reads, e.Reason, err)
}

// misfit is the failure of a result that was made from these values. Clients read the reason after "an expression".
func (f *frame) misfit(reads []expr.Path, reason string, cause error) error {
	switch from := f.originOf(reads); {
	case from.upstream:
		return &misfit{problem.New(problem.UpstreamError).WithMessage("This route cannot use an upstream's answer."), cause}
	case len(from.places) > 0:
		return &misfit{problem.Invalid(unusable(from.places, reason)), cause}
	}
	return cause
}

// mostPlaces are enough to find the mistake.
const mostPlaces = 8

// unusable is a violation for each place, in the form that FastAPI has for a validator's ValueError.
func unusable(places [][]any, reason string) []problem.Violation {
	all := make([]problem.Violation, min(len(places), mostPlaces))
	for i := range all {
		all[i] = problem.Violation{
			Type: "value_error", Loc: places[i], Msg: "Value error, an expression of this route that reads it " + reason,
		}
	}
	return all
}

// places are those of a request at a path below the variable.
func (in *input) places(path []any) [][]any {
	if len(path) == 0 {
		return [][]any{{"body"}}
	}
	switch of, below := path[0], path[1:]; of {
	case "params":
		return in.parameterPlaces(below)
	case "headers":
		return [][]any{append([]any{"header"}, below...)}
	default: // the body, and path and method, which clients know by these names
		return [][]any{append([]any{of}, below...)}
	}
}

func (in *input) parameterPlaces(path []any) [][]any {
	var all [][]any
	for i := range in.parameters {
		p := in.parameters[i]
		if len(path) > 0 && path[0] != p.Name {
			continue
		}
		name := p.Name
		if p.In == config.InHeader {
			name = strings.ToLower(name) // the form of violations
		}
		place := []any{strings.ToLower(p.In), name}
		if len(path) > 0 {
			place = append(place, path[1:]...)
		}
		all = append(all, place)
	}
	return all
}
