package bounds

import (
	"net/http"
	"slices"
	"strings"

	"github.com/llmservice/llmservice/runtime/config"
)

// walk is a survey at some place of a route or function.
type walk struct {
	*survey

	// limit is what ends the work around, and stream what is left of a route's once its stream has content.
	limit, stream limit
	// response is the route's; nil in functions.
	response *config.Response
	// sources are the names of its events that have tokens.
	sources []string
	// values are the names of its events that have the value of a step.
	values []string
	// last is the step of a function whose tokens are sent, and as is how they are taken.
	last string
	as   mode
}

// limit is a timeout and the field that sets it, by its path and as a latency names it. The zero limit never comes.
type limit struct {
	after       config.Duration
	path, field string
}

func (l limit) or(after config.Duration, path string) limit {
	if after > 0 && (l.after <= 0 || after < l.after) {
		return limit{after: after, path: path}
	}
	return l
}

// endsBy reports whether the limit comes at the latest when d has passed since the work around it began.
func (l limit) endsBy(d config.Duration) bool { return l.after > 0 && d >= l.after }

// mode is how a model's answer is taken, which determines the timeouts of the upstream that bound it.
type mode int

const (
	// whole answers have timeouts.total.
	whole mode = iota
	// untilContent is a stream of which only the first content is waited for: timeouts.firstToken.
	untilContent
	// toTheEnd is a stream of which the whole is waited for: it ends with the route, or with its own step's timeout.
	toTheEnd
)

// mode is how the tokens of a step, or of a gather's branch as GATHER.BRANCH, are taken.
func (w walk) mode(name string) mode {
	switch r := w.response; {
	case r == nil && name != "" && name == w.last:
		return w.as
	case r == nil:
		return whole
	case r.Stream == name && r.Commit == config.CommitAfterValidation:
		return toTheEnd
	case r.Stream == name:
		return untilContent
	case names(w.sources, name):
		return toTheEnd
	}
	return whole
}

// sends reports whether a step, or a branch of it, sends content of its own while the steps go on.
func (w walk) sends(name string) bool { return names(w.sources, name) || names(w.values, name) }

// names reports whether a list has the name of a step, or of one of its branches.
func names(list []string, step string) bool {
	return slices.ContainsFunc(list, func(s string) bool { return s == step || strings.HasPrefix(s, step+".") })
}

// steps are done in order.
func (w walk) steps(path string, steps []config.Step) ([]Part, Cost) {
	var total Cost
	least := many // calls until an answer that is a success
	parts := make([]Part, 0, len(steps))
	for i := range steps {
		s, here := &steps[i], config.Item(path, i)
		part := w.step(here, s)
		if succeeds(s.Respond) || s.OnError != nil && succeeds(s.OnError.Respond) {
			least = min(least, total.Calls.Min)
		}
		total = total.then(part.Cost)
		parts = append(parts, part)
		if w.sends(s.Name) {
			w.limit = w.stream // a route's timeout lasts until the first content
		}
		if s.Respond != nil && s.When == "" && i+1 < len(steps) {
			w.warnf(config.Item(path, i+1), "never runs: %s has answered before", s.Name)
			break
		}
	}
	total.Calls.Min = min(least, total.Calls.Min)
	return parts, total
}

// dependencies run before the steps. Their answers are whole, and refuse the request: none is a success.
func (w walk) dependencies(path string, all []config.Step) ([]Part, Cost) {
	var total Cost
	parts := make([]Part, 0, len(all))
	for i, s := range all {
		part := Part{Path: config.Item(path, i), Name: s.Name, Kind: "dependency", Of: s.Call.Function, Cost: w.function(s.Call.Function)}
		part.Latency.By = "function " + s.Call.Function
		total = total.then(part.Cost)
		parts = append(parts, part)
	}
	return parts, total
}

func succeeds(r *config.Respond) bool { return r != nil && r.Status < http.StatusBadRequest }

func (w walk) step(path string, s *config.Step) Part {
	p, m := Part{Path: path, Name: s.Name}, w.mode(s.Name)
	inner := w
	if w.sends(s.Name) && s.Gather != nil && !s.Gather.How().Races() {
		inner.limit = w.stream // lifted by the content of one branch for the others
	}
	inner.limit = inner.limit.or(s.Timeout, path+".timeout")
	config.OfStep[surveyed](s, surveyor{inner, &p, m})
	w.guard(&p, s.When, s.Timeout, s.OnError, m)
	return p
}

// guard applies what steps, branches and the items of a forEach have around their work.
func (w walk) guard(p *Part, when string, timeout config.Duration, o *config.OnError, m mode) {
	if timeout > 0 && m == whole {
		w.checkTimeout(p, timeout)
	}
	p.Latency = p.Latency.within(timeout, "timeout")
	if m == toTheEnd {
		p.Latency = p.Latency.within(w.stream.after, w.stream.field)
	}
	if when != "" || o != nil && o.Respond == nil {
		p.Calls.Min = 0
	}
}

// A timeout without effect is not an error: another timeout may change later.
func (w walk) checkTimeout(p *Part, timeout config.Duration) {
	switch {
	case w.limit.endsBy(timeout):
		w.warnf(p.Path+".timeout", "is %s but has no effect: %s ends it after %s", short(timeout), w.limit.path, short(w.limit.after))
	case !p.Latency.Unlimited && p.Latency.Max < timeout:
		w.warnf(p.Path+".timeout", "is %s but has no effect: everything inside it takes at most %s", short(timeout), p.Latency)
	}
}

// function is one call of a function, wherever it is called from.
func (s *survey) function(name string) Cost {
	if i, done := s.functions[name]; done {
		return s.bounds.Functions[i].Cost
	}
	i := slices.IndexFunc(s.config.Functions, func(f config.Function) bool { return f.Name == name })
	if i < 0 || s.entered[name] {
		return Cost{} // Validate refuses it
	}
	s.entered[name] = true
	f, p := &s.config.Functions[i], Part{Path: config.Item("functions", i), Name: name, Kind: "function"}
	w := walk{survey: s, limit: limit{after: f.Timeout, path: p.Path + ".timeout"}}
	p.Parts, p.Cost = w.steps(p.Path+".steps", f.Steps)
	p.Latency.By = "its steps"
	walk{survey: s}.guard(&p, "", f.Timeout, nil, whole)
	s.functions[name] = len(s.bounds.Functions)
	s.bounds.Functions = append(s.bounds.Functions, p)
	return p.Cost
}

// streamed is one call of a function whose tokens are sent: its last step counts as that of a route does.
func (w walk) streamed(f *config.Function, m mode) Cost {
	w.function(f.Name) // with all that there is to say of it
	key := streamedCall{f.Name, m}
	if cost, done := w.through[key]; done {
		return cost
	}
	w.through[key] = Cost{} // Validate refuses a function that calls itself
	before := *w.survey
	defer func() {
		w.bounds.Warnings, w.boundless, w.unmeetable = before.bounds.Warnings, before.boundless, before.unmeetable
	}()
	path := config.Item("functions", slices.IndexFunc(w.config.Functions, func(o config.Function) bool { return o.Name == f.Name }))
	inner := walk{
		survey: w.survey, limit: limit{after: f.Timeout, path: path + ".timeout"}, stream: w.stream, last: f.Stream, as: m,
	}
	_, cost := inner.steps(path+".steps", f.Steps)
	cost.Latency = cost.Latency.within(f.Timeout, "timeout")
	w.through[key] = cost
	return cost
}
