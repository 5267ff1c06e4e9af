// Package bounds is the worst-case analysis of a config: how long a request of a route may take, how many calls it may make,
// and how many tokens it may have written.
package bounds

import (
	"slices"

	"github.com/llmservice/llmservice/runtime/config"
)

// Bounds is the worst case of one request of a route, as its fields bound it. What the gateway itself does, such as
// evaluating templates, is not among it.
type Bounds struct {
	// Cost is the whole request's. If the answer is streamed, its latency is that of the first content.
	Cost
	// CallsBy is budget.maxCalls if that is what bounds the calls.
	CallsBy string `json:"callsBy,omitempty"`
	// Streamed says that the answer is a stream.
	Streamed bool `json:"streamed"`
	// Bytes is budget.maxBytes.
	Bytes int `json:"bytes"`
	// Dependencies are those of the service and then those of the route, and run before its steps.
	Dependencies []Part `json:"dependencies,omitempty"`
	// Steps are the route's.
	Steps []Part `json:"steps"`
	// Functions are those that the steps reach, each once: its cost is that of one call.
	Functions []Part `json:"functions,omitempty"`
	// Warnings are settings that have no effect, and what is not bounded.
	Warnings config.Errors `json:"warnings,omitempty"`
}

// Cost bounds a piece of work.
type Cost struct {
	Latency Latency    `json:"latency"`
	Calls   Calls      `json:"calls"`
	Tokens  TokenBound `json:"tokens"`
}

// Latency is the time until the work ends.
type Latency struct {
	// Max is meaningless where Unlimited is set.
	Max config.Duration `json:"max"`
	// Unlimited says that nothing within the work bounds it.
	Unlimited bool `json:"unlimited,omitzero"`
	// By is what bounds it.
	By string `json:"by,omitempty"`
}

// Calls counts calls of upstreams, each endpoint tried as one, as budget.maxCalls does.
type Calls struct {
	// Min is how many a successful answer needs at least.
	Min int `json:"min"`
	// Max is how many there may be.
	Max int `json:"max"`
}

// TokenBound counts what models may write. The prompts come on top of it: how long they are is up to the request.
type TokenBound struct {
	// Max is the sum of what has a limit.
	Max int `json:"max"`
	// Unlimited says that there is something besides that has none.
	Unlimited bool `json:"unlimited,omitzero"`
	// By is what bounds it; empty for the sum of its parts.
	By string `json:"by,omitempty"`
}

// Part is a step, a function, or a part of one.
type Part struct {
	// Path is the field, as in a FieldError.
	Path string `json:"path"`
	Name string `json:"name"`
	// Kind is the member that is set, such as chat, or "gather First".
	Kind string `json:"kind"`
	// Of is the upstream or function that is called, or each upstream that may be.
	Of string `json:"of,omitempty"`

	Cost

	Parts []Part `json:"parts,omitempty"`
}

// Of returns the worst case of a route of a config that Validate accepts. No config has the replicas' own bound of all streams,
// runtime.maxStreamDuration: most is that; 0 if it is not known.
func Of(c *config.Config, r *config.Route, most config.Duration) Bounds {
	s := newSurvey(c, &r.Budget)
	s.most = most
	return s.route(routePath(c, r), r).bounds
}

func routePath(c *config.Config, r *config.Route) string {
	for i := range c.Routes {
		if &c.Routes[i] == r {
			return config.Item("routes", i)
		}
	}
	return "route"
}

// survey walks through a route and the functions that it calls.
type survey struct {
	config *config.Config
	budget *config.Budget
	most   config.Duration // of all streams of a replica; 0 if it is not known
	bounds Bounds
	// unmeetable are settings that can never be met.
	unmeetable config.Errors
	functions  map[string]int // the place of each in bounds.Functions
	entered    map[string]bool
	through    map[streamedCall]Cost // of calls of functions whose tokens are sent
	boundless  []string              // paths of model calls without a limit of tokens
}

// streamedCall is a function, and how its tokens are taken.
type streamedCall struct {
	function string
	as       mode
}

func newSurvey(c *config.Config, b *config.Budget) *survey {
	return &survey{config: c, budget: b, functions: map[string]int{}, entered: map[string]bool{}, through: map[streamedCall]Cost{}}
}

func (s *survey) warnf(path, format string, args ...any) {
	s.bounds.Warnings = append(s.bounds.Warnings, config.FieldErrorf(path, format, args...))
}

// route surveys a whole route.
func (s *survey) route(path string, r *config.Route) *survey {
	b := &s.bounds
	b.Streamed = r.Streams()
	b.Bytes = r.Budget.MaxBytes
	w := walk{survey: s, response: r.Response, sources: s.config.Sources(r), values: s.config.Values(r), stream: s.stream(path, r)}
	w.limit = w.stream.or(r.Timeout, path+".timeout")
	of, first := w.dependencies("dependencies", s.config.Depends())
	own, second := w.dependencies(path+".dependencies", r.Depends())
	b.Dependencies = slices.Concat(of, own)
	steps, last := w.steps(path+".steps", r.Steps)
	b.Steps, b.Cost = steps, first.then(second).then(last)
	b.Latency.By = "its steps"
	if len(b.Dependencies) > 0 {
		b.Latency.By = "its dependencies and steps"
	}
	b.Latency = b.Latency.within(w.stream.after, w.stream.field).within(r.Timeout, "timeout")
	s.spendCalls(path+".budget.maxCalls", r.Budget.MaxCalls)
	s.spendTokens(r.Budget.MaxTokens)
	return s
}

// stream is what ends a route's stream as a whole.
func (s *survey) stream(path string, r *config.Route) limit {
	if !r.Streams() {
		return limit{}
	}
	const field = "maxStreamDuration"
	if r.MaxStreamDuration > 0 {
		return limit{after: r.MaxStreamDuration, path: path + "." + field, field: field}
	}
	return limit{after: s.most, path: "runtime." + field, field: "runtime." + field}
}

// spendCalls holds what the route may call against its budget.
func (s *survey) spendCalls(path string, budget int) {
	calls := &s.bounds.Calls
	switch {
	case budget < 1:
	case calls.Min > budget:
		s.unmeetable = append(s.unmeetable,
			config.FieldErrorf(path, "is %d, but each successful answer needs at least %s calls", budget, count(calls.Min)))
	case calls.Max > budget:
		s.warnf(path, "is %d, and the steps may make more calls: then the request fails", budget)
	}
	if budget > 0 && calls.Max >= budget {
		calls.Max, s.bounds.CallsBy = budget, "budget.maxCalls"
	}
}

// spendTokens holds what the route's models may write against its budget, of which each call reserves its part before it is
// made.
func (s *survey) spendTokens(budget int) {
	tokens := &s.bounds.Tokens
	if budget == 0 {
		for _, path := range s.boundless {
			s.warnf(path, "sets neither max_tokens nor max_completion_tokens, and the route has no budget.maxTokens: "+
				"its tokens are not limited")
		}
		return
	}
	if tokens.Max > budget {
		*tokens = TokenBound{Max: budget, By: "budget.maxTokens"}
	}
}
