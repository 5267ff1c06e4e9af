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

// budget is what one request may spend, in all that is done for it. What calls that run at once might use is reserved
// before, so that together they do not use more than one after the other.
type budget struct {
	limits config.Budget

	calls  atomic.Int64
	bytes  *allowance.Allowance
	tokens *allowance.Allowance // nil for no bound
}

func newBudget(limits config.Budget) *budget {
	b := &budget{limits: limits, bytes: allowance.New(int64(limits.MaxBytes))}
	if limits.MaxTokens > 0 {
		b.tokens = allowance.New(int64(limits.MaxTokens))
	}
	return b
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

// drop takes back bytes of an answer that is not kept after all.
func (b *budget) drop(bytes int) { b.bytes.Settle(0, -int64(bytes)) }

// kept is how many bytes of answers are kept.
func (b *budget) kept() int { return b.limits.MaxBytes - b.room() }

// room is how many bytes may still be kept.
func (b *budget) room() int { return int(b.bytes.Unused()) }

// open reports whether any may.
func (b *budget) open() error {
	if b.room() == 0 {
		return errBudget()
	}
	return nil
}

// reserveTokens takes the tokens that a call's answer may have, 0 for no bound: those that the call wants, or where it says
// nothing (0) its share of what no call has used, if so many calls ask models at once. It waits for those that run where
// they have reserved all that is left.
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

// charge is what one call of a model takes of the budget's tokens.
type charge struct {
	*frame

	reserved int64 // for its answer; 0 for no bound
	used     int64 // by all of its attempts, whatever became of them
}

// charge reserves tokens for a call, of which the answer is to have so many; 0 is as many as there are. Settle follows.
func (f *frame) charge(ctx context.Context, wanted int64) (*charge, error) {
	reserved, err := f.budget.reserveTokens(ctx, wanted, f.siblings)
	return &charge{frame: f, reserved: reserved}, err
}

// spend is told what an attempt took. What the upstream does not report is estimated, so that a call that is cancelled counts, too.
func (c *charge) spend(s upstream.Spent) {
	c.used += s.Tokens.Total
	c.request.spend(s)
}

// settle puts the tokens that the call has used in place of those that were reserved for it.
func (c *charge) settle() {
	if c.budget.tokens != nil {
		c.budget.tokens.Settle(c.reserved, c.used)
	}
}

// bill adds up what the calls of one step have used.
type bill struct {
	calls  int
	tokens llm.Tokens
}

// add makes a completion's usage that of the step so far. The one of a single call stays as the upstream gave it.
func (b *bill) add(done *llm.Completion) {
	b.calls++
	b.tokens.Add(done.Tokens)
	if b.calls > 1 {
		done.Usage = llm.UsageOf(b.tokens)
	}
}
