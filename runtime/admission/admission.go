// Package admission bounds what a replica does at once.
package admission

import (
	"context"
	"fmt"
	"sync/atomic"

	"golang.org/x/sync/semaphore"
)

// heavyBytes is the size from which checking a body counts as CPU-heavy work.
const heavyBytes = 64 << 10

// Admission counts the requests in flight and admits new ones up to a limit.
type Admission struct {
	limit    atomic.Int64
	inFlight atomic.Int64
	heavy    *semaphore.Weighted
}

// New returns an admission for a replica of so many workers, which admits nothing until SetLimit. CPU-heavy work
// is admitted to all workers but one, at least to one, so that light work always finds a worker.
func New(workers int) *Admission {
	return &Admission{heavy: semaphore.NewWeighted(int64(max(workers-1, 1)))}
}

// SetLimit sets how many requests may be in flight; those that are stay.
func (a *Admission) SetLimit(n int) { a.limit.Store(int64(n)) }

// InFlight is the number of requests being served now.
func (a *Admission) InFlight() int64 { return a.inFlight.Load() }

// Enter admits a request, or says that the replica is full. The release is to be called once.
func (a *Admission) Enter() (release func(), ok bool) {
	if a.inFlight.Add(1) > a.limit.Load() {
		a.inFlight.Add(-1)
		return nil, false
	}
	return func() { a.inFlight.Add(-1) }, true
}

// Heavy waits for leave to work on a body of so many bytes; small ones have it at once. It fails when ctx ends.
func (a *Admission) Heavy(ctx context.Context, size int) (release func(), err error) {
	if size < heavyBytes {
		return func() {}, nil
	}
	if err := a.heavy.Acquire(ctx, 1); err != nil {
		return nil, fmt.Errorf("wait for a worker: %w", err)
	}
	return func() { a.heavy.Release(1) }, nil
}
