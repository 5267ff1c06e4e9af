package program

import (
	"strings"

	"github.com/llmservice/llmservice/runtime/config"
	"github.com/llmservice/llmservice/runtime/expr"
)

func (v *validator) gather(path string, g *config.Gather, at *place) typedWork {
	how, compiled := g.How(), &Gather{Gather: g}
	if len(g.Branches) < 2 || len(g.Branches) > how.MaxBranches {
		v.addf(path+".branches", "has %d, want from 2 to %d", len(g.Branches), how.MaxBranches)
	}
	v.settings(path, g)
	values := map[string]expr.Type{}
	results := make([]expr.Type, len(g.Branches))
	for i := range g.Branches {
		b, here := &g.Branches[i], config.Item(path+".branches", i)
		v.name(here+".name", b.Name, values, "branch")
		branch, result := v.branch(here, how, b, at)
		results[i], values[b.Name] = result, result
		compiled.add(branch, how)
	}
	gives, ok := config.OfStrategy[expr.Type](g.Strategy, gathering{v, path, compiled, values, results, at})
	if !ok {
		v.addf(path+".strategy", "%q, want one of %s", g.Strategy, strings.Join(strategyNames(), ", "))
		return typedWork{compiled, expr.Dyn}
	}
	return typedWork{compiled, gives}
}

func (g *Gather) add(b *Branch, how config.Strategy) {
	g.Branches = append(g.Branches, b)
	switch {
	case !asks(b.Work):
	case how.Order == config.InTurn:
		g.Asking = 1
	default:
		g.Asking++
	}
}

func strategyNames() []string {
	names := make([]string, len(config.AllStrategies))
	for i := range config.AllStrategies {
		names[i] = config.AllStrategies[i].Name
	}
	return names
}

// gathering gives the type of a gather's value by its strategy, and checks and compiles what is special to that.
type gathering struct {
	*validator

	path    string
	gather  *Gather
	values  map[string]expr.Type // of the branches, by name
	results []expr.Type          // the same, in order
	at      *place
}

func (g gathering) All() expr.Type { return expr.Object(g.values) }

func (g gathering) AllSettled() expr.Type {
	failures := map[string]expr.Type{}
	for i, b := range g.gather.Branches {
		if b.Name == "errors" {
			g.addf(config.Item(g.path+".branches", i)+".name",
				"errors is the name of the member that holds the errors of branches, want another")
		}
		failures[b.Name] = expr.Optional(errorType)
	}
	g.values["errors"] = expr.Object(failures)
	return expr.Object(g.values)
}

func (g gathering) First() expr.Type {
	if first := g.gather.First; first != nil {
		g.notNegative(g.path+".first.hedgeDelay", first.HedgeDelay)
	}
	return g.winner()
}

func (g gathering) Fallback() expr.Type {
	if fallback := g.gather.Fallback; fallback != nil {
		g.notNegative(g.path+".fallback.firstToken", fallback.FirstToken)
	}
	return g.winner()
}

// winner is the type of what the one branch that counts gives; of completions the text can be read without naming the value.
func (g gathering) winner() expr.Type {
	fields := map[string]expr.Type{"branch": expr.String, "value": common(g.results)}
	if g.allComplete(g.gather.Gather) {
		fields["text"], fields["finishReason"], fields["upstream"] = expr.String, expr.String, expr.String
	}
	return expr.Object(fields)
}

func (g gathering) Vote() expr.Type {
	path, value, vote := g.path+".vote", common(g.results), g.gather.Vote
	if vote == nil {
		g.addf(path, "is required when the strategy is Vote")
		return expr.Dyn
	}
	g.gather.VoteKey, _ = g.expression(path+".key", vote.Key, g.at.with("result", value), expr.String)
	if vote.Quorum != 0 {
		g.between(path+".quorum", vote.Quorum, 1, len(g.results))
	}
	if vote.Ties != config.TiesFail && vote.Ties != config.TiesMostVotes {
		g.addf(path+".ties", "%q, want one of %s, %s", vote.Ties, config.TiesFail, config.TiesMostVotes)
	}
	return expr.Object(map[string]expr.Type{
		"key": expr.String, "branch": expr.String, "value": value, "votes": expr.Map(expr.Int),
	})
}

// settings checks that only the strategy's own settings are there.
func (v *validator) settings(path string, g *config.Gather) {
	for _, s := range config.AllStrategies {
		if s.Own == nil || s.Name == g.Strategy {
			continue
		}
		if member, set := s.Own(g); set {
			v.addf(path+"."+member, "is not allowed when the strategy is %s", g.Strategy)
		}
	}
}

func (v *validator) branch(path string, how config.Strategy, b *config.Branch, at *place) (*Branch, expr.Type) {
	inner := at.within()
	compiled := &Branch{Name: b.Name, Required: how.MustSucceed(b), Guard: v.guard(path, b.When, b.Timeout, inner)}
	if b.Required != nil && how.Needed != nil {
		v.addf(path+".required", "is not allowed when the strategy is %s", how.Name)
	}
	result := v.action(path, &b.Action, inner)
	compiled.Work = result.work
	skipped := b.When != ""
	if how.Needed == nil {
		skipped = skipped || !compiled.Required
	} else if b.OnError != nil {
		v.addf(path+".onError", "is not allowed when the strategy is %s, which selects branches by their success", how.Name)
	}
	var gives expr.Type
	compiled.OnError, gives = v.settled(path+".onError", b.OnError, skipped, result.gives, inner)
	if how.Needed != nil && b.When != "" {
		return compiled, gives.Unwrapped() // a branch that did not run cannot win
	}
	return compiled, gives
}

// allComplete reports whether each branch has tokens.
func (v *validator) allComplete(g *config.Gather) bool {
	for i := range g.Branches {
		if !v.source.Completes(&g.Branches[i].Action) {
			return false
		}
	}
	return true
}
