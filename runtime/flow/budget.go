package flow

import (
	"context"
	"errors"
	"sync/atomic"

	"github.com/llmservice/llmservice/runtime/allowance"
	"github.com/llmservice/llmservice/runtime/config"
	"github.com/llmservice/llmservice/runtime/llm"
	"github.com/llmservice/llmservice/runtime/relay"
	"github.com/llmservice/llmservice/runtime/upstream"
)

// budget is what one request may spend, in everything that is done for it. Calls that run at once reserve what they may use
// before, so that together they do not use more than one after the other.
type budget struct {
	limits config.Budget

	calls  atomic.Int64
	bytes  allowance.Allowance
	tokens *allowance.Allowance // nil means no bound
}

func (b *budget) grant(limits config.Budget) {
	b.limits = limits
	b.bytes.Grant(int64(limits.MaxBytes))
	if limits.MaxTokens > 0 {
		b.tokens = allowance.New(int64(limits.MaxTokens))
	}
}

func errBudget() error { return relay.Failure{Kind: relay.FailedBudget} }

// counted lets a chooser of attempts choose as long as calls are left.
func (b *budget) counted(next upstream.Next) upstream.Next {
	return func(ctx context.Context, after relay.Failure) (*upstream.Attempt, relay.Failure) {
		attempt, final := next(ctx, after)
		if attempt == nil {
			return nil, final
		}
		if b.calls.Add(1) > int64(b.limits.MaxCalls) {
			attempt.Release()
			return nil, relay.Failure{Kind: relay.FailedBudget}
		}
		return attempt, final
	}
}

// keep counts bytes of an upstream's answer, before they are kept.
func (b *budget) keep(bytes int) error {
	if !b.bytes.Take(int64(bytes)) {
		return errBudget()
	}
	return nil
}

// drop gives back bytes of an answer that is not kept after all.
func (b *budget) drop(bytes int) { b.bytes.Settle(0, -int64(bytes)) }

// kept is how many bytes of answers are kept.
func (b *budget) kept() int { return b.limits.MaxBytes - b.room() }

// room is how many bytes may still be kept.
func (b *budget) room() int { return int(b.bytes.Unused()) }

// open returns an error if no bytes are left.
func (b *budget) open() error {
	if b.room() == 0 {
		return errBudget()
	}
	return nil
}

// reserveTokens reserves the tokens that a call's answer may have; 0 means no bound. If wanted is 0, because the call sets no
// limit, it is an equal share of the unused tokens among the given number of calls of models that may run at once. It waits for
// running calls if they have reserved everything that is left.
func (b *budget) reserveTokens(ctx context.Context, wanted int64, atOnce int) (int64, error) {
	if b.tokens == nil {
		return 0, nil
	}
	if wanted <= 0 {
		wanted = b.tokens.Unused() / int64(max(atOnce, 1))
	}
	reserved, err := b.tokens.Reserve(ctx, wanted)
	if errors.Is(err, allowance.ErrSpent) {
		return 0, errBudget()
	}
	if err != nil {
		return 0, relay.FailureOf(ctx, err, relay.FailedTimeout)
	}
	return reserved, nil
}

// charge is the part of the budget's tokens that one call of a model takes.
type charge struct {
	*frame

	reserved int64 // for its answer; 0 means no bound
	used     int64 // by all of its attempts, no matter how they ended

	plan  upstream.Plan
	asked [1]*upstream.Upstream // by the plan
	done  *llm.Completion       // once a whole answer was read
}

// charge reserves tokens for the answer of a call; if wanted is 0, an equal share of those that are left. Settle has to follow.
func (f *frame) charge(ctx context.Context, wanted int64) (*charge, error) {
	reserved, err := f.budget.reserveTokens(ctx, wanted, f.siblings)
	return &charge{frame: f, reserved: reserved}, err
}

// spend records the usage of an attempt. What the upstream does not report is estimated, so a call that is cancelled counts,
// too.
func (c *charge) spend(s upstream.Spent) {
	c.used += s.Tokens.Total
	c.request.spend(s)
}

// settle replaces the tokens that were reserved for the call by those that it has used.
func (c *charge) settle() {
	if c.budget.tokens != nil {
		c.budget.tokens.Settle(c.reserved, c.used)
	}
}

// bill adds up the usage of one step's calls.
type bill struct {
	calls  int
	tokens llm.Tokens
}

// add replaces a completion's usage by that of the step so far. The usage of a single call stays as the upstream wrote it.
func (b *bill) add(done *llm.Completion) {
	b.calls++
	b.tokens.Add(done.Tokens)
	if b.calls > 1 {
		done.Usage = llm.UsageOf(b.tokens)
	}
}
