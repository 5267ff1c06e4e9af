package expr

import (
	"errors"
	"slices"
	"sync/atomic"
)

// What one Template or Tree may cost, all its expressions taken together, whatever its Budget has left.
const (
	// MaxCost is in CEL's units of cost, of which a simple operation takes one and a scan of text one for ten
	// characters. This many take about a tenth of a second.
	MaxCost = 1_000_000
	// MaxOutput bounds the result, in bytes: of text or JSON, or what a value would take as such.
	MaxOutput = 1 << 20
)

// Budget is what all evaluations for one request may cost together. It may be used from many goroutines at once. An
// expression's cost is known when it has run, so that as many as run at once may each run to its end, of at most MaxCost.
type Budget struct {
	cost  atomic.Int64
	bytes atomic.Int64
}

// NewBudget allows so much cost, in CEL's units as MaxCost is, and so many bytes of output.
func NewBudget(cost uint64, bytes int) *Budget {
	b := &Budget{}
	b.cost.Store(int64(min(cost, 1<<62)))
	b.bytes.Store(int64(bytes))
	return b
}

// ErrSpent is what an Error wraps where a bound was met: one of a single evaluation, or the request's.
var ErrSpent = errors.New("a bound on expressions was met")

const (
	errCost        = refusal("takes more work than is allowed")
	errOutput      = refusal("gives more output than is allowed")
	errCostSpent   = refusal("takes more work than the request has left")
	errOutputSpent = refusal("gives more output than the request has left")
)

// isBound says whether an evaluation failed for what it costs.
func isBound(err error) bool {
	reason, ok := errors.AsType[refusal](err)
	return ok && slices.Contains([]refusal{errCost, errOutput, errCostSpent, errOutputSpent}, reason)
}

// open says whether anything may still run.
func (b *Budget) open() error {
	if b.cost.Load() <= 0 {
		return errCostSpent
	}
	return nil
}

func (b *Budget) spendCost(cost uint64) error {
	if b.cost.Add(-int64(min(cost, 1<<32))) < 0 {
		return errCostSpent
	}
	return nil
}

func (b *Budget) spendBytes(n int) error {
	if b.bytes.Add(-int64(n)) < 0 {
		return errOutputSpent
	}
	return nil
}
