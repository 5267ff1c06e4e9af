package upstream

import (
	"github.com/llmservice/llmservice/runtime/llm"
	"github.com/llmservice/llmservice/runtime/relay"
)

// Spent is what one call of an upstream's model took.
type Spent struct {
	Upstream string
	Tokens   llm.Tokens
	// Estimated says that the upstream did not report its tokens: one that breaks off, or is cancelled, cannot.
	Estimated bool
	// Cost is the price of the tokens. Priced says that the upstream has any.
	Cost   float64
	Priced bool
}

// Prices are what a million tokens cost, in whatever currency. Cached and reasoning tokens are not among the others.
type Prices struct{ Input, CachedInput, Output, Reasoning float64 }

const perMillion = 1e6

func (p *Prices) of(t llm.Tokens) float64 {
	input, cached, output, reasoning := t.Parts()
	sum := float64(input)*p.Input + float64(cached)*p.CachedInput + float64(output)*p.Output + float64(reasoning)*p.Reasoning
	return sum / perMillion
}

// account tells what a call took. What the upstream does not report is estimated: the input by the length of the request, and the
// output by what has come of the answer.
func (p *Plan) account(u *Upstream, q *Question, f relay.Failure) {
	if p.Spend == nil || q.Used == nil || !worked(f) {
		return
	}
	s := Spent{Upstream: u.Name}
	tokens, reported := q.Used.Tokens()
	if !reported {
		tokens = llm.Tokens{Prompt: llm.Estimate(len(q.Body)), Completion: q.Used.Said}
		tokens.Total, s.Estimated = tokens.Prompt+tokens.Completion, true
	}
	s.Tokens = tokens
	if u.prices != nil {
		s.Cost, s.Priced = u.prices.of(tokens), true
	}
	p.Spend(s)
}

// worked says whether the upstream had anything to do for a call that ended so. One that refused it, or was never sent it, had not.
func worked(f relay.Failure) bool {
	switch f.Kind { //nolint:exhaustive // whatever else ended the call, the upstream was at work on it
	case relay.FailedStatus, relay.FailedConnect, relay.FailedDial, relay.FailedAddress, relay.FailedCredential, relay.FailedBusy:
		return false
	}
	return !f.Unsent
}
