package bounds

import (
	"strings"

	"github.com/llmservice/llmservice/runtime/config"
)

func (w walk) gather(p *Part, g *config.Gather, m mode) {
	p.Kind = "gather " + g.Strategy
	var succeeding []int // the calls of each branch where it runs
	modes := make([]mode, len(g.Branches))
	for i := range g.Branches {
		b := &g.Branches[i]
		part := Part{Path: config.Item(p.Path+".gather.branches", i), Name: b.Name}
		if modes[i] = m; w.response == nil || w.response.Stream != p.Name {
			modes[i] = w.mode(p.Name + "." + b.Name)
		}
		w.action(&part, &b.Action, modes[i])
		succeeding = append(succeeding, part.Calls.Min)
		w.inBranch(p.Path, g).guard(&part, b.When, b.Timeout, b.OnError, modes[i])
		p.Parts = append(p.Parts, part)
	}
	switch g.Strategy {
	case config.GatherFirst:
		w.first(p, g.First)
		p.Calls.Min = fewest(succeeding, 1)
	case config.GatherFallback:
		w.fallback(p, g.Fallback, modes)
		p.Calls.Min = fewest(succeeding, 1)
	case config.GatherVote:
		p.together()
		p.Calls.Min = fewest(succeeding, g.Vote.Needed(len(g.Branches)))
	default:
		p.together()
		for i := range g.Branches {
			if g.Branches[i].MustSucceed(g.Strategy) {
				p.Calls.Min = plus(p.Calls.Min, p.Parts[i].Calls.Min)
			}
		}
	}
	if g.MayBeSkipped() {
		p.Calls.Min = 0
	}
}

// inBranch is the walk within a branch.
func (w walk) inBranch(path string, g *config.Gather) walk {
	if g.Fallback != nil {
		w.limit = w.limit.or(g.Fallback.FirstToken, path+".gather.fallback.firstToken")
	}
	return w
}

// together is all parts at once.
func (p *Part) together() {
	for i := range p.Parts {
		part := &p.Parts[i]
		p.Cost = p.spending(part.Cost)
		p.endWith(part, part.Latency, "")
	}
}

// endWith makes the part that ends last the reason of the latency.
func (p *Part) endWith(part *Part, end Latency, started string) {
	if p.Latency.By == "" || slower(p.Latency, end) != p.Latency {
		p.Latency = end
		p.Latency.By = "its branch " + part.Name + started
	}
}

// first starts a branch when the delay has passed since the start before, or when the one before has failed.
func (w walk) first(p *Part, f *config.First) {
	var delay config.Duration
	if f != nil {
		delay = f.HedgeDelay
	}
	due := false
	starts := make([]Latency, len(p.Parts))
	for i := range p.Parts {
		part := &p.Parts[i]
		if i > 0 && delay > 0 {
			before := p.Parts[i-1].Latency
			due = due || before.longerThan(delay)
			starts[i] = starts[i-1].plus(before.within(delay, ""))
		}
		p.Cost = p.spending(part.Cost)
		p.endWith(part, starts[i].plus(part.Latency), startedAfter(starts[i]))
	}
	if delay > 0 {
		w.checkDelay(p.Path+".gather.first.hedgeDelay", delay, due, "no hedge can start while the branch before it runs")
	}
	w.checkStarts(p, starts)
}

func startedAfter(l Latency) string {
	if l.Max == 0 {
		return ""
	}
	return ", started after " + short(l.Max)
}

// fallback tries one branch after the other; one that streams to its end may go on once it has begun.
func (w walk) fallback(p *Part, f *config.Fallback, modes []mode) {
	var wait config.Duration
	if f != nil {
		wait = f.FirstToken
	}
	due := false
	starts := make([]Latency, len(p.Parts)+1)
	for i := range p.Parts {
		part := &p.Parts[i]
		silent := part.Latency.within(wait, "fallback.firstToken")
		due = due || part.Latency.longerThan(wait)
		if modes[i] != toTheEnd {
			part.Latency = silent
		}
		p.Cost = p.spending(part.Cost)
		p.endWith(part, starts[i].plus(part.Latency), startedAfter(starts[i]))
		starts[i+1] = starts[i].plus(silent)
	}
	if wait > 0 {
		w.checkDelay(p.Path+".gather.fallback.firstToken", wait, due, "no branch can be tried after a silent one")
	}
	w.checkStarts(p, starts)
}

// checkDelay refuses a delay at whose end everything is over, and warns of one that no branch can outlast.
func (w walk) checkDelay(path string, d config.Duration, due bool, so string) {
	switch {
	case w.limit.endsBy(d):
		w.unmeetable = append(w.unmeetable,
			config.FieldErrorf(path, "is %s, but %s ends it after %s: %s", short(d), w.limit.path, short(w.limit.after), so))
	case !due:
		w.warnf(path, "is %s and never comes: each branch ends before", short(d))
	}
}

// checkStarts warns of the first branch for which those before it may leave no time.
func (w walk) checkStarts(p *Part, starts []Latency) {
	for i := range p.Parts {
		if start := starts[i]; w.limit.endsBy(start.Max) || start.Unlimited && w.limit.after > 0 {
			w.warnf(p.Parts[i].Path, "may never be tried: those before it may take %s, and %s ends it after %s",
				start, w.limit.path, short(w.limit.after))
			return
		}
	}
}

// Unmeetable returns the settings with which a route can never succeed, or a strategy never do what it is for. The
// config is valid otherwise.
func Unmeetable(c *config.Config) config.Errors {
	var errs config.Errors
	for i := range c.Functions {
		s := newSurvey(c, &config.Budget{})
		s.function(c.Functions[i].Name)
		errs = append(errs, s.unmeetableAt(config.Item("functions", i))...)
	}
	for i := range c.Routes {
		s, path := newSurvey(c, &c.Routes[i].Budget), config.Item("routes", i)
		errs = append(errs, s.route(path, &c.Routes[i]).unmeetableAt(path)...)
	}
	return errs
}

// unmeetableAt leaves out the functions that are called from there.
func (s *survey) unmeetableAt(path string) config.Errors {
	var errs config.Errors
	for _, e := range s.unmeetable {
		if strings.HasPrefix(e.Path, path+".") {
			errs = append(errs, e)
		}
	}
	return errs
}
