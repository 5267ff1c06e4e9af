package expr

import (
	"context"
	"errors"
	"slices"
	"sync/atomic"

	"github.com/llmservice/llmservice/runtime/allowance"
)

// What one Template or Tree may cost, all its expressions taken together, even if its CostBudget has more left.
const (
	// MaxCost is in CEL's units of cost, of which a simple operation takes one and a scan of text one for ten
	// characters. This many take about a tenth of a second.
	MaxCost = 1_000_000
	// MaxOutput bounds the result, in bytes: of text or JSON, or what a value would take as such.
	MaxOutput = 1 << 20
)

// CostBudget is what all evaluations for one request may cost together. It may be used from many goroutines at once. Each
// evaluation reserves what it may cost before it runs, and settles what it has cost: one that the rest no longer allows
// waits for those that run, and of those that run only the last may go over what there is, by less than MaxCost.
type CostBudget struct {
	cost  allowance.Allowance
	bytes atomic.Int64
	whole *CostBudget // whose cost and bytes count: itself, or the one that it is a part of
	given atomic.Int64
}

// NewCostBudget allows that cost, in CEL's units as MaxCost is, and that many bytes of output.
func NewCostBudget(cost uint64, bytes int) *CostBudget {
	b := &CostBudget{}
	b.whole = b
	b.cost.Grant(int64(min(cost, 1<<62)))
	b.bytes.Store(int64(bytes))
	return b
}

// Apart is the same budget, which counts for itself what evaluations give.
func (b *CostBudget) Apart() *CostBudget { return &CostBudget{whole: b.whole} }

// Given is the memory that the values take which evaluations have given, in bytes.
func (b *CostBudget) Given() int { return int(b.given.Load()) }

// ErrSpent is what an Error wraps if a bound was reached: one of a single evaluation, or the request's.
var ErrSpent = errors.New("a limit on expressions was reached")

const (
	errCost        = refusal("takes more work than is allowed")
	errOutput      = refusal("gives more output than is allowed")
	errCostSpent   = refusal("takes more work than the request has left")
	errOutputSpent = refusal("gives more output than the request has left")
)

// isBound reports whether an evaluation failed for what it costs.
func isBound(err error) bool {
	reason, ok := errors.AsType[refusal](err)
	return ok && slices.Contains([]refusal{errCost, errOutput, errCostSpent, errOutputSpent}, reason)
}

// reserve takes the cost that an evaluation may have. No budget has no bound but the evaluation's own; likewise below.
func (b *CostBudget) reserve(ctx context.Context, cost uint64) (int64, error) {
	if b == nil {
		return int64(min(cost, MaxCost)), nil
	}
	reserved, err := b.whole.cost.Reserve(ctx, int64(min(cost, MaxCost)))
	if errors.Is(err, allowance.ErrSpent) {
		err = errCostSpent
	}
	return reserved, err
}

// settle puts the cost that an evaluation has had in place of what was reserved.
func (b *CostBudget) settle(reserved int64, cost uint64) error {
	if b != nil && !b.whole.cost.Settle(reserved, int64(min(cost, 1<<32))) {
		return errCostSpent
	}
	return nil
}

func (b *CostBudget) give(bytes int) {
	if b != nil {
		b.given.Add(int64(bytes))
	}
}

func (b *CostBudget) spendBytes(n int) error {
	if b != nil && b.whole.bytes.Add(-int64(n)) < 0 {
		return errOutputSpent
	}
	return nil
}
