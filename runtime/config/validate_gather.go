package config

import (
	"strings"

	"github.com/llmservice/llmservice/runtime/expr"
)

var strategies = []string{GatherAll, GatherAllSettled, GatherFirst, GatherFallback, GatherVote}

func (v *validator) gather(path string, g *Gather, at *place) expr.Type {
	most := MaxBranches
	if g.Strategy == GatherFirst || g.Strategy == GatherFallback {
		most = MaxRacers
	}
	if len(g.Branches) < 2 || len(g.Branches) > most {
		v.addf(path+".branches", "has %d, want from 2 to %d", len(g.Branches), most)
	}
	v.settings(path, g)
	values := map[string]expr.Type{}
	results := make([]expr.Type, len(g.Branches))
	for i := range g.Branches {
		b, here := &g.Branches[i], indexed(path+".branches", i)
		v.name(here+".name", b.Name, values, "branch")
		results[i] = v.branch(here, g.Strategy, b, at)
		values[b.Name] = results[i]
	}
	switch g.Strategy {
	case GatherAll:
		return expr.Object(values)
	case GatherAllSettled:
		return v.settledType(path, g, values)
	case GatherFirst, GatherFallback:
		return winnerType(g, results)
	case GatherVote:
		return v.vote(path+".vote", g, results, at)
	}
	v.addf(path+".strategy", "%q, want one of %s", g.Strategy, strings.Join(strategies, ", "))
	return expr.Dyn
}

// settings checks that only the strategy's own settings are there.
func (v *validator) settings(path string, g *Gather) {
	for _, s := range []struct {
		strategy, member string
		set              bool
	}{
		{GatherFirst, "first", g.First != nil},
		{GatherFallback, "fallback", g.Fallback != nil},
		{GatherVote, "vote", g.Vote != nil},
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

// MustSucceed says whether a gather fails with the branch.
func (b *Branch) MustSucceed(strategy string) bool {
	if b.Required != nil {
		return *b.Required
	}
	return strategy == GatherAll
}

func (v *validator) branch(path, strategy string, b *Branch, at *place) expr.Type {
	inner := *at
	inner.inRoute = false
	v.frame(path, b.When, &b.When, b.Timeout, &inner)
	gathersAll := strategy == GatherAll || strategy == GatherAllSettled
	if b.Required != nil && !gathersAll {
		v.addf(path+".required", "has no use where the strategy is %s", strategy)
	}
	result := expr.Dyn
	if v.oneKind(path, b.kinds(), actionKinds) {
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

func (v *validator) settledType(path string, g *Gather, values map[string]expr.Type) expr.Type {
	failures := map[string]expr.Type{}
	for i := range g.Branches {
		name := g.Branches[i].Name
		if name == "errors" {
			v.addf(indexed(path+".branches", i)+".name", "errors is the name of what went wrong")
		}
		failures[name] = expr.Optional(errorType)
	}
	values["errors"] = expr.Object(failures)
	return expr.Object(values)
}

// winnerType is what the one branch that counts gives; of completions the text can be read without naming the value.
func winnerType(g *Gather, results []expr.Type) expr.Type {
	fields := map[string]expr.Type{"branch": expr.String, "value": common(results)}
	if g.completes() {
		fields["text"], fields["finishReason"] = expr.String, expr.String
	}
	return expr.Object(fields)
}

// MayBeSkipped says whether so many branches may be left out, by their when, that none can win.
func (g *Gather) MayBeSkipped() bool {
	certain := 0
	for i := range g.Branches {
		if g.Branches[i].When == "" {
			certain++
		}
	}
	switch g.Strategy {
	case GatherFirst, GatherFallback:
		return certain == 0
	case GatherVote:
		return certain < g.Vote.Needed(len(g.Branches))
	}
	return false
}

// Needed is how many of so many branches have to vote for there to be a winner at all.
func (v *Vote) Needed(branches int) int {
	switch {
	case v == nil || v.Ties == TiesMostVotes:
		return 1
	case v.Quorum > 0:
		return v.Quorum
	}
	return branches/2 + 1
}

// completes says whether each branch asks a model.
func (g *Gather) completes() bool {
	for i := range g.Branches {
		if !g.Branches[i].completes() {
			return false
		}
	}
	return true
}

func (a *Action) completes() bool { return a.Chat != nil || a.Agent != nil }

func (v *validator) vote(path string, g *Gather, results []expr.Type, at *place) expr.Type {
	value := common(results)
	if g.Vote == nil {
		v.addf(path, "is required where the strategy is Vote")
		return expr.Dyn
	}
	v.expression(path+".key", &g.Vote.Key, at.with("result", value), expr.String)
	if g.Vote.Quorum != 0 {
		v.between(path+".quorum", g.Vote.Quorum, 1, len(g.Branches))
	}
	if g.Vote.Ties != TiesFail && g.Vote.Ties != TiesMostVotes {
		v.addf(path+".ties", "%q, want one of %s, %s", g.Vote.Ties, TiesFail, TiesMostVotes)
	}
	return expr.Object(map[string]expr.Type{
		"key": expr.String, "branch": expr.String, "value": value, "votes": expr.Map(expr.Int),
	})
}
