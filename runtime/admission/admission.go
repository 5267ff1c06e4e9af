// Package admission bounds what a replica does at once.
package admission

import (
	"context"
	"fmt"
	"sync/atomic"

	"golang.org/x/sync/semaphore"

	"github.com/llmservice/llmservice/runtime/relay"
)

// heavyBytes is the size from which checking a body counts as CPU-heavy work.
const heavyBytes = 64 << 10

// Admission counts the requests in flight and admits new ones up to a limit.
type Admission struct {
	// Bytes is what requests reserve before they read or build anything large.
	Bytes    Bytes
	budget   int
	limit    atomic.Int64
	inFlight atomic.Int64
	heavy    *semaphore.Weighted
}

// New returns an admission for a replica with that many workers and bytes of memory (Limit), which admits nothing until
// SetLimit. CPU-heavy work is admitted to all workers but one, at least to one, so that light work always finds a
// worker.
func New(workers int, memory int64) *Admission {
	return &Admission{heavy: semaphore.NewWeighted(int64(max(workers-1, 1))), budget: budget(memory)}
}

// SetLimit sets how many requests may be in flight; those that are stay. It is wanted, as far as memory allows, or 0 for as
// many as memory suggests. What each of them takes in any case is set aside; the rest of the memory is what Bytes has.
func (a *Admission) SetLimit(wanted int) {
	limit := inFlight(a.budget, wanted)
	a.limit.Store(int64(limit))
	a.Bytes.SetTotal(a.budget - limit*Flat)
}

// Limit is how many requests may be in flight.
func (a *Admission) Limit() int64 { return a.limit.Load() }

// InFlight is the number of requests being served now.
func (a *Admission) InFlight() int64 { return a.inFlight.Load() }

// Enter admits the request whose hold h is, which is new, or returns false if the replica is full. The caller must call Release on
// the hold of one that was admitted.
func (a *Admission) Enter(h *Hold) bool {
	if a.inFlight.Add(1) > a.limit.Load() {
		a.inFlight.Add(-1)
		return false
	}
	h.admission, h.bytes = a, &a.Bytes
	return true
}

// Heavy waits for permission to work on a body of n bytes; small ones get it at once. It fails when ctx ends, with the Failure that
// ended ctx: a context below it may not have learned of its end yet.
func (a *Admission) Heavy(ctx context.Context, size int) (release func(), err error) {
	if size < heavyBytes {
		return func() {}, nil
	}
	if err := a.heavy.Acquire(ctx, 1); err != nil {
		return nil, fmt.Errorf("wait for a worker: %w", relay.FailureOf(ctx, err, relay.FailedClient))
	}
	return func() { a.heavy.Release(1) }, nil
}
