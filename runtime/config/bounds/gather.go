package bounds

import (
	"slices"
	"strings"

	"github.com/llmservice/llmservice/runtime/config"
)

func (w walk) gather(p *Part, g *config.Gather, m mode) {
	how := g.How()
	pause := pauseOf(p.Path, g, how)
	last := lastOf(g)
	var succeeding []int // the calls of each branch where it runs
	modes, silences := make([]mode, len(g.Branches)), make([]Latency, len(g.Branches))
	for i := range g.Branches {
		b := &g.Branches[i]
		part := Part{Path: config.Item(p.Path+".gather.branches", i), Name: b.Name}
		if modes[i] = m; !w.named(p.Name) {
			modes[i] = w.mode(p.Name + "." + b.Name)
		} else if !w.config.Completes(&b.Action) {
			modes[i] = whole
		}
		w.action(&part, &b.Action, modes[i])
		succeeding = append(succeeding, part.Calls.Min)
		inner := w
		if how.Order == config.InTurn && !last[i] {
			inner.limit = w.limit.or(pause.wait, pause.path)
		}
		inner.guard(&part, b.When, b.Timeout, b.OnError, modes[i])
		if silences[i] = part.Latency; modes[i] == toTheEnd {
			silences[i] = w.silence(b)
		}
		p.Parts = append(p.Parts, part)
	}
	switch how.Order {
	case config.AtOnce:
		p.together()
	case config.Staggered:
		w.staggered(p, pause)
	case config.InTurn:
		w.inTurn(p, g.Runs(), pause, modes, silences)
	}
	p.Calls.Min = fewestOf(g, how, succeeding, p.Parts)
}

// lastOf says of each branch whether it may be the last that runs.
func lastOf(g *config.Gather) []bool {
	last := make([]bool, len(g.Branches))
	for _, run := range g.Runs() {
		if len(run) > 0 {
			last[run[len(run)-1]] = true
		}
	}
	return last
}

// silence is how long a branch that streams to its end may take until its first content, or its failure: another is tried only
// until then.
func (w walk) silence(b *config.Branch) Latency {
	before := *w.survey
	defer func() { w.bounds.Warnings, w.boundless = before.bounds.Warnings, before.boundless }()
	var part Part
	w.action(&part, &b.Action, untilContent)
	return part.Latency.within(b.Timeout, "timeout")
}

// named reports whether a gather is streamed as a whole: its winner is.
func (w walk) named(gather string) bool {
	return w.last == gather || w.response != nil && (w.response.Stream == gather || slices.Contains(w.sources, gather))
}

// fewestOf is how many calls the gather needs for its value.
func fewestOf(g *config.Gather, how config.Strategy, succeeding []int, parts []Part) int {
	switch {
	case g.MayBeSkipped():
		return 0
	case how.Needed != nil:
		return fewest(succeeding, how.Needed(g))
	}
	sum := 0
	for i := range g.Branches {
		if how.MustSucceed(&g.Branches[i]) {
			sum = plus(sum, parts[i].Calls.Min)
		}
	}
	return sum
}

// pause is what lies between the beginnings of two branches, and the field that sets it.
type pause struct {
	wait  config.Duration
	field string
	path  string
}

func pauseOf(path string, g *config.Gather, how config.Strategy) pause {
	if how.Wait == nil {
		return pause{}
	}
	field, wait := how.Wait(g)
	return pause{wait, field, path + ".gather." + field}
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

// staggered starts a branch when the pause has passed since the start before, or when the one before has failed.
func (w walk) staggered(p *Part, between pause) {
	delay, due := between.wait, false
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
		w.checkDelay(between.path, delay, due, "no hedge can start while the branch before it runs")
	}
	w.checkStarts(p, starts)
}

func startedAfter(l Latency) string {
	if l.Max == 0 {
		return ""
	}
	return ", started after " + short(l.Max)
}

// inTurn tries one branch of a run after the other; one that streams to its end may go on once it has begun, and the last one has
// nobody to wait for.
func (w walk) inTurn(p *Part, runs [][]int, between pause, modes []mode, silences []Latency) {
	wait, due := between.wait, false
	starts, takes := make([]Latency, len(p.Parts)), make([]Latency, len(p.Parts))
	for _, run := range runs {
		var start Latency
		var spent Cost
		for at, i := range run {
			part, silent := &p.Parts[i], silences[i].within(wait, between.field)
			latency := part.Latency
			if at < len(run)-1 {
				due = due || silences[i].longerThan(wait)
				if modes[i] != toTheEnd {
					latency = silent
				}
			}
			spent = spent.spending(part.Cost)
			p.endWith(part, start.plus(latency), startedAfter(start))
			if starts[i] = slower(starts[i], start); takes[i].By == "" || slower(takes[i], latency) != takes[i] {
				takes[i] = latency
			}
			start = start.plus(silent)
		}
		p.Calls.Max = max(p.Calls.Max, spent.Calls.Max)
		p.Tokens = p.Tokens.or(spent.Tokens)
	}
	for i := range p.Parts {
		p.Parts[i].Latency = takes[i]
	}
	if wait > 0 {
		w.checkDelay(between.path, wait, due, "no branch can be tried after a silent one")
	}
	w.checkStarts(p, starts)
}

// checkDelay refuses a delay at whose end everything is over, and warns of one that no branch can outlast.
func (w walk) checkDelay(path string, d config.Duration, due bool, so string) {
	switch {
	case w.limit.endsBy(d):
		w.unmeetable = append(w.unmeetable,
			config.FieldErrorf(path, "is %s, but %s ends it after %s, want less: %s", short(d), w.limit.path, short(w.limit.after), so))
	case !due:
		w.warnf(path, "is %s but has no effect: each branch ends before it", short(d))
	}
}

// checkStarts warns of the first branch for which those before it may leave no time.
func (w walk) checkStarts(p *Part, starts []Latency) {
	for i := range p.Parts {
		if start := starts[i]; w.limit.endsBy(start.Max) || start.Unlimited && w.limit.after > 0 {
			w.warnf(p.Parts[i].Path, "may never be tried: the branches before it may take %s, and %s ends it after %s",
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
