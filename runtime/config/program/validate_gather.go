package program

import (
	"strings"

	"github.com/llmservice/llmservice/runtime/config"
	"github.com/llmservice/llmservice/runtime/expr"
)

var strategies = []string{config.GatherAll, config.GatherAllSettled, config.GatherFirst, config.GatherFallback, config.GatherVote}

func (v *validator) gather(path string, g *config.Gather, at *place) expr.Type {
	most := config.MaxBranches
	if g.Races() {
		most = config.MaxRacers
	}
	if len(g.Branches) < 2 || len(g.Branches) > most {
		v.addf(path+".branches", "has %d, want from 2 to %d", len(g.Branches), most)
	}
	v.settings(path, g)
	values := map[string]expr.Type{}
	results := make([]expr.Type, len(g.Branches))
	for i := range g.Branches {
		b, here := &g.Branches[i], config.Item(path+".branches", i)
		v.name(here+".name", b.Name, values, "branch")
		results[i] = v.branch(here, g.Strategy, b, at)
		values[b.Name] = results[i]
	}
	switch g.Strategy {
	case config.GatherAll:
		return expr.Object(values)
	case config.GatherAllSettled:
		return v.settledType(path, g, values)
	case config.GatherFirst, config.GatherFallback:
		return winnerType(g, results)
	case config.GatherVote:
		return v.vote(path+".vote", g, results, at)
	}
	v.addf(path+".strategy", "%q, want one of %s", g.Strategy, strings.Join(strategies, ", "))
	return expr.Dyn
}

// settings checks that only the strategy's own settings are there.
func (v *validator) settings(path string, g *config.Gather) {
	for _, s := range []struct {
		strategy, member string
		set              bool
	}{
		{config.GatherFirst, "first", g.First != nil},
		{config.GatherFallback, "fallback", g.Fallback != nil},
		{config.GatherVote, "vote", g.Vote != nil},
	} {
		if s.set && s.strategy != g.Strategy {
			v.addf(path+"."+s.member, "has no use where the strategy is %s", g.Strategy)
		}
	}
	if g.First != nil {
		v.notNegative(path+".first.hedgeDelay", g.First.HedgeDelay)
	}
	if g.Fallback != nil {
		v.notNegative(path+".fallback.firstToken", g.Fallback.FirstToken)
	}
}

func (v *validator) branch(path, strategy string, b *config.Branch, at *place) expr.Type {
	inner := *at
	inner.inRoute = false
	v.frame(path, b.When, &b.When, b.Timeout, &inner)
	gathersAll := strategy == config.GatherAll || strategy == config.GatherAllSettled
	if b.Required != nil && !gathersAll {
		v.addf(path+".required", "has no use where the strategy is %s", strategy)
	}
	result := expr.Dyn
	if v.oneKind(path, kindsOf(&b.Action), actionKinds) {
		result = v.action(path, &b.Action, &inner)
	}
	skipped := b.When != ""
	if gathersAll {
		skipped = skipped || !b.MustSucceed(strategy)
	} else if b.OnError != nil {
		v.addf(path+".onError", "has no use where the strategy is %s, which tells branches apart by their success", strategy)
	}
	result = v.settled(path+".onError", b.OnError, skipped, result, &inner)
	if !gathersAll && b.When != "" {
		return result.Unwrapped() // a branch that did not run cannot win
	}
	return result
}

func (v *validator) settledType(path string, g *config.Gather, values map[string]expr.Type) expr.Type {
	failures := map[string]expr.Type{}
	for i := range g.Branches {
		name := g.Branches[i].Name
		if name == "errors" {
			v.addf(config.Item(path+".branches", i)+".name", "errors is the name of what went wrong")
		}
		failures[name] = expr.Optional(errorType)
	}
	values["errors"] = expr.Object(failures)
	return expr.Object(values)
}

// winnerType is what the one branch that counts gives; of completions the text can be read without naming the value.
func winnerType(g *config.Gather, results []expr.Type) expr.Type {
	fields := map[string]expr.Type{"branch": expr.String, "value": common(results)}
	if allComplete(g) {
		fields["text"], fields["finishReason"] = expr.String, expr.String
	}
	return expr.Object(fields)
}

// allComplete says whether each branch asks a model.
func allComplete(g *config.Gather) bool {
	for i := range g.Branches {
		if !completes(&g.Branches[i].Action) {
			return false
		}
	}
	return true
}

func completes(a *config.Action) bool { return a.Chat != nil || a.Agent != nil }

func (v *validator) vote(path string, g *config.Gather, results []expr.Type, at *place) expr.Type {
	value := common(results)
	if g.Vote == nil {
		v.addf(path, "is required where the strategy is Vote")
		return expr.Dyn
	}
	v.expression(path+".key", &g.Vote.Key, at.with("result", value), expr.String)
	if g.Vote.Quorum != 0 {
		v.between(path+".quorum", g.Vote.Quorum, 1, len(g.Branches))
	}
	if g.Vote.Ties != config.TiesFail && g.Vote.Ties != config.TiesMostVotes {
		v.addf(path+".ties", "%q, want one of %s, %s", g.Vote.Ties, config.TiesFail, config.TiesMostVotes)
	}
	return expr.Object(map[string]expr.Type{
		"key": expr.String, "branch": expr.String, "value": value, "votes": expr.Map(expr.Int),
	})
}
