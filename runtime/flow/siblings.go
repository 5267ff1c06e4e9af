package flow

import (
	"slices"

	"github.com/llmservice/llmservice/runtime/config"
)

// asking is how many branches of a gather may ask models at once: these share a budget of tokens.
func (c *compiler) asking(g *config.Gather) int {
	if g.Strategy == config.GatherFallback { // one after the other
		return 1
	}
	n := 0
	for i := range g.Branches {
		if c.asks(&g.Branches[i].Action) {
			n++
		}
	}
	return n
}

// asks says whether an action may ask a model. Functions do not call each other in circles.
func (c *compiler) asks(a *config.Action) bool {
	switch {
	case a.Chat != nil, a.Agent != nil, a.Embeddings != nil:
		return true
	case a.Call != nil:
		f, ok := c.functions[a.Call.Function]
		return ok && c.stepsAsk(f.config.Steps)
	}
	return false
}

func (c *compiler) stepsAsk(steps []config.Step) bool {
	return slices.ContainsFunc(steps, func(s config.Step) bool {
		switch {
		case s.Gather != nil:
			return slices.ContainsFunc(s.Gather.Branches, func(b config.Branch) bool { return c.asks(&b.Action) })
		case s.ForEach != nil:
			return c.asks(&s.ForEach.Do.Action)
		}
		return c.asks(&s.Action)
	})
}
