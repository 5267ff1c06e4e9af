package upstream

import (
	"context"

	"github.com/llmservice/llmservice/runtime/llm"
	"github.com/llmservice/llmservice/runtime/relay"
	"github.com/llmservice/llmservice/runtime/requestlog"
)

// Spent is the usage of one call of an upstream's model.
type Spent struct {
	Upstream string
	Tokens   llm.Tokens
	// Estimated means that the upstream did not report its tokens; it cannot if the call breaks off or is cancelled.
	Estimated bool
	// Cost is the price of the tokens. Priced is false if the upstream has no prices.
	Cost   float64
	Priced bool
}

// Prices are the prices of a million tokens, in any currency. Cached and reasoning tokens are not counted among the others.
type Prices struct{ Input, CachedInput, Output, Reasoning float64 }

const perMillion = 1e6

func (p *Prices) of(t llm.Tokens) float64 {
	input, cached, output, reasoning := t.Parts()
	sum := float64(input)*p.Input + float64(cached)*p.CachedInput + float64(output)*p.Output + float64(reasoning)*p.Reasoning
	return sum / perMillion
}

// account reports the usage of a call that was made in ctx. What the upstream does not report is estimated: the input from the
// length of the request, and the output from the part of the answer that came.
func (p *Plan) account(ctx context.Context, u *Upstream, q *Question, f relay.Failure) {
	if q.Used == nil || !worked(f) {
		return
	}
	s := Spent{Upstream: u.Name}
	tokens, reported := q.Used.Tokens()
	if !reported {
		tokens = llm.Tokens{Prompt: llm.Estimate(q.Body.Len()), Completion: q.Used.Said}
		tokens.Total, s.Estimated = tokens.Prompt+tokens.Completion, true
	}
	s.Tokens = tokens
	input, cached, output, reasoning := tokens.Parts()
	requestlog.Used(ctx, requestlog.Usage{Input: input + cached, Output: output + reasoning, Estimated: s.Estimated})
	if u.prices != nil {
		s.Cost, s.Priced = u.prices.of(tokens), true
	}
	if p.Spend != nil {
		p.Spend(s)
	}
}

// worked reports whether the upstream worked on a call that ended so. If it refused the call, or the call was never sent, it
// did not.
func worked(f relay.Failure) bool {
	switch f.Kind { //nolint:exhaustive // in all other cases the upstream was at work on it
	case relay.FailedStatus, relay.FailedConnect, relay.FailedDial, relay.FailedAddress, relay.FailedCredential, relay.FailedBusy:
		return false
	}
	return !f.Unsent
}
