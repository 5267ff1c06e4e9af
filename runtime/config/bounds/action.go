package bounds

import (
	"fmt"
	"slices"
	"strings"

	"github.com/llmservice/llmservice/runtime/config"
)

// surveyor looks at the work of a step, a branch or an item, and sets what its part may cost.
type surveyor struct {
	walk

	part *Part
	mode mode
}

// surveyed is what is left to say once the part has its cost.
type surveyed struct{}

// action is the work of a branch or an item. Validate refuses one of no kind.
func (w walk) action(p *Part, a *config.Action, m mode) {
	config.OfAction[surveyed](a, surveyor{w, p, m})
}

func (s surveyor) is(kind, of string) { s.part.Kind, s.part.Of = kind, of }

func (s surveyor) Chat(c *config.Chat) surveyed {
	s.is("chat", anyOf(c.Candidates()))
	s.part.Cost = s.chat(s.part.Path+".chat", c, s.mode)
	return surveyed{}
}

func (s surveyor) Embeddings(e *config.Embeddings) surveyed {
	s.is("embeddings", anyOf(e.Candidates()))
	s.part.Cost = s.worst(e.Candidates(), func(u *config.Upstream) Cost { return attempts(u, whole) })
	return surveyed{}
}

func (s surveyor) HTTP(h *config.HTTPCall) surveyed {
	s.is("http", anyOf(h.Candidates()))
	s.part.Cost = s.http(h)
	return surveyed{}
}

func (s surveyor) Call(c *config.Call) surveyed {
	s.is("call", c.Function)
	if f := s.config.Streaming(c.Function); f != nil && s.mode != whole {
		s.part.Cost = s.streamed(f, s.mode)
	} else {
		s.part.Cost = s.function(c.Function)
	}
	s.part.Latency.By = "function " + c.Function
	return surveyed{}
}

func (s surveyor) Agent(a *config.Agent) surveyed {
	s.is("agent", anyOf(a.Candidates()))
	s.agent(s.part, a, s.mode)
	return surveyed{}
}

func (s surveyor) Gather(g *config.Gather) surveyed {
	s.is("gather "+g.Strategy, "")
	s.gather(s.part, g, s.mode)
	return surveyed{}
}

func (s surveyor) ForEach(f *config.ForEach) surveyed {
	s.is("forEach", "")
	s.forEach(s.part, f)
	return surveyed{}
}

func (s surveyor) Set(*config.Set) surveyed {
	s.is("set", "")
	return surveyed{}
}

func (s surveyor) Respond(*config.Respond) surveyed {
	s.is("respond", "")
	return surveyed{}
}

func (s *survey) upstream(name string) *config.Upstream {
	for i := range s.config.Upstreams {
		if s.config.Upstreams[i].Name == name {
			return &s.config.Upstreams[i]
		}
	}
	return &config.Upstream{} // Validate refuses it
}

// anyOf names the upstreams of which one is chosen.
func anyOf(among []string) string { return strings.Join(among, " or ") }

// worst is what the call of one of several upstreams may take, whichever it is.
func (s *survey) worst(among []string, of func(*config.Upstream) Cost) Cost {
	all := of(s.upstream(among[0]))
	for _, name := range among[1:] {
		c := of(s.upstream(name))
		all.Latency = slower(all.Latency, c.Latency)
		all.Calls = Calls{Min: min(all.Calls.Min, c.Calls.Min), Max: max(all.Calls.Max, c.Calls.Max)}
	}
	return all
}

// attempts is one call of an upstream, whose endpoints are each tried once unless its retries say otherwise.
func attempts(u *config.Upstream, m mode) Cost {
	n, pauses := u.Attempts()
	c := Cost{Calls: Calls{Min: 1, Max: n}}
	switch m {
	case whole:
		c.Latency = Latency{Max: waited(u) + u.Timeouts.Total}.times(n).plus(Latency{Max: config.Duration(pauses)})
		c.Latency.By = tried(u, "total", u.Timeouts.Total)
	case untilContent:
		c.Latency = Latency{Max: waited(u) + u.Timeouts.FirstToken}.times(n).plus(Latency{Max: config.Duration(pauses)})
		c.Latency.By = tried(u, "firstToken", u.Timeouts.FirstToken)
	case toTheEnd:
		c.Latency = Latency{Unlimited: true, By: fmt.Sprintf("streamed: only timeouts.idle of %s, %s", u.Name, short(u.Timeouts.Idle))}
	}
	return c
}

// waited is how long a call may wait for another to end.
func waited(u *config.Upstream) config.Duration {
	_, wait, _ := u.Limited()
	return config.Duration(wait)
}

func tried(u *config.Upstream, timeout string, d config.Duration) string {
	by := fmt.Sprintf("timeouts.%s of %s, %s", timeout, u.Name, short(d))
	if wait := waited(u); wait > 0 {
		by += fmt.Sprintf(", after a wait of queue.timeout, %s", short(wait))
	}
	if n, _ := u.Attempts(); u.Retries != nil && u.Retries.Attempts > 1 {
		by += fmt.Sprintf(", in %d attempts", n)
	} else if n > 1 {
		by += fmt.Sprintf(", at %d endpoints in turn", n)
	}
	return by
}

// http calls are sent once where repeating them might do something twice (RFC 9110, section 9.2.2). An endpoint that
// cannot be reached is sent nothing, and another is tried.
func (w walk) http(h *config.HTTPCall) Cost {
	return w.worst(h.Candidates(), func(u *config.Upstream) Cost { return httpAt(u, h) })
}

func httpAt(u *config.Upstream, h *config.HTTPCall) Cost {
	c := attempts(u, whole)
	n, pauses := u.Attempts()
	if n > 1 && h.Once() && u.RetriesOnce() {
		dial := min(2*u.Timeouts.Connect, u.Timeouts.Total) // for the connection, and for TLS
		c.Latency = Latency{Max: waited(u) + dial}.times(n - 1).plus(Latency{Max: waited(u) + u.Timeouts.Total + config.Duration(pauses)})
		c.Latency.By = fmt.Sprintf("timeouts.total of %s, %s, after endpoints that cannot be reached within timeouts.connect, %s",
			u.Name, short(u.Timeouts.Total), short(u.Timeouts.Connect))
	}
	return c
}

// completion is one answer of a model. An attempt that fails may have been written, and charged for, to its end.
func (w walk) completion(path string, among []string, parameters []byte, m mode) Cost {
	c := w.worst(among, func(u *config.Upstream) Cost { return attempts(u, m) })
	limit, limited := completionLimit(parameters)
	if w.budget.MaxTokens > 0 && (!limited || limit > w.budget.MaxTokens) {
		limit, limited = w.budget.MaxTokens, true
	}
	if !limited {
		w.boundless = append(w.boundless, path+".parameters")
		c.Tokens.Unlimited = true
		return c
	}
	c.Tokens.Max = times(limit, c.Calls.Max)
	return c
}

func (w walk) chat(path string, c *config.Chat, m mode) Cost {
	if c.Output == nil {
		return w.completion(path, c.Candidates(), c.Parameters, m)
	}
	// Nothing is streamed before it satisfies the schema.
	once := w.completion(path, c.Candidates(), c.Parameters, whole)
	all := once.repeated(1 + c.Output.RepairAttempts)
	all.Calls.Min = once.Calls.Min
	all.Latency.By = once.Latency.By
	if n := c.Output.RepairAttempts; n > 0 {
		all.Latency.By += fmt.Sprintf(", and output.repairAttempts %d", n)
	}
	return all
}

// agent is a model's turns with rounds of tools between them. A model may ask for any number of tools at once; those that
// take time call upstreams, and budget.maxCalls limits these calls.
func (w walk) agent(p *Part, a *config.Agent, m mode) {
	path := p.Path + ".agent"
	if a.Output != nil {
		m = whole
	} else if m == untilContent && a.MaxTurns > 1 {
		m = toTheEnd // content may come with the last turn only
	}
	turn := w.completion(path, a.Candidates(), a.Parameters, m)
	each := Part{Path: path, Name: fmt.Sprintf("each of %d turns", a.MaxTurns), Kind: "chat", Of: anyOf(a.Candidates()), Cost: turn}
	if m == toTheEnd {
		each.Latency = each.Latency.within(w.stream.after, w.stream.field)
	}
	p.Parts = append(p.Parts, each)
	var tool Cost // the worst in each respect
	for i, name := range a.Tools {
		c := w.function(name)
		p.Parts = append(p.Parts, Part{Path: config.Item(path+".tools", i), Name: name, Kind: "tool", Cost: c})
		tool.Latency = slower(tool.Latency, c.Latency)
		tool.Calls.Max = max(tool.Calls.Max, c.Calls.Max)
		tool.Tokens = TokenBound{Max: max(tool.Tokens.Max, c.Tokens.Max), Unlimited: tool.Tokens.Unlimited || c.Tokens.Unlimited}
	}
	used := 0
	if a.MaxTurns > 1 { // those of the last turn are not called
		used = w.toolsUsed(&tool)
	}
	rounds := roundsOf(used, a.MaxTurns-1, a.MaxParallel)
	p.Cost = turn.repeated(a.MaxTurns).spending(tool.repeated(used))
	p.Calls.Min = 1
	if w.budget.MaxCalls > 0 {
		p.Calls.Max = min(p.Calls.Max, max(w.budget.MaxCalls, times(turn.Calls.Max, a.MaxTurns)))
	}
	p.Latency = p.Latency.plus(tool.Latency.times(rounds))
	p.Latency.By = fmt.Sprintf("%d turns, with the %s rounds of tools that budget.maxCalls leaves", a.MaxTurns, count(rounds))
	if m != whole {
		p.Latency.By = turn.Latency.By
	}
}

// toolsUsed is how many calls of tools can take time.
func (w walk) toolsUsed(tool *Cost) int {
	switch {
	case tool.Calls.Max == 0:
		return 0
	case w.budget.MaxCalls == 0:
		return many
	}
	return max(0, w.budget.MaxCalls-1) // the first turn takes one
}

// roundsOf is how many rounds n calls of tools can take after that many turns, some at once: each turn's last round may
// have one call alone.
func roundsOf(n, turns, parallel int) int {
	parallel = max(1, parallel)
	return min(n, (n+turns*(parallel-1))/parallel)
}

func slower(a, b Latency) Latency {
	if a.Unlimited || !b.longerThan(a.Max) {
		return a
	}
	return b
}

func (w walk) forEach(p *Part, f *config.ForEach) {
	parallel := max(1, f.MaxParallel)
	one := Part{Path: p.Path + ".forEach.do", Name: fmt.Sprintf("each of %d items", f.MaxItems)}
	w.action(&one, &f.Do.Action, whole)
	w.guard(&one, "", f.Do.Timeout, f.Do.OnError, whole)
	rounds := (f.MaxItems + parallel - 1) / parallel
	p.Parts = []Part{one}
	p.Cost = one.repeated(f.MaxItems)
	p.Latency = one.Latency.times(rounds)
	p.Latency.By = fmt.Sprintf("%d items, %d at once", f.MaxItems, parallel)
}

// fewest adds up the n smallest.
func fewest(counts []int, n int) int {
	slices.Sort(counts)
	sum := 0
	for _, c := range counts[:min(n, len(counts))] {
		sum = plus(sum, c)
	}
	return sum
}
