package gather

import (
	"context"
	"slices"
	"sync"
	"time"
)

// Contender is one of the calls of First and Fallback, of which one wins.
type Contender[T any] struct {
	Name string
	// Run calls commit before it sends anything that cannot be taken back, such as a stream's first content event. True means
	// that this contender has won, however it ends; false that it has lost, and must send nothing. If a contender returns a
	// value without a call of commit, it commits with that.
	Run func(ctx context.Context, commit func() bool) (T, error)
	// MayRun reports whether Run would not return an error at once; nil if that is unknown. Fallback calls it before it gives
	// up a contender for the next.
	MayRun func(ctx context.Context) bool
}

// RaceOutcome is the result of First or Fallback.
type RaceOutcome[T any] struct {
	// Winner is the index of the contender that won, or -1. One that failed after it had committed has won, too.
	Winner int
	// Value is what the winner returned.
	Value T
	// Results has one for each contender.
	Results []CallResult[T]
}

// schedule is when contenders start. If one fails, another also starts at once in its place.
type schedule struct {
	// together is how many start in the beginning.
	together int
	// pace is the time from one start to the next; 0 means that only a failure starts another.
	pace time.Duration
	// relieve takes a contender out of the race when the next is due, so that never more than one may win. If it has no
	// successor, it stays.
	relieve bool
}

// replaces reports whether the failure of a contender starts another, when this many have started. One that was relieved has
// its successor already.
func (s schedule) replaces(failed, started int) bool { return !s.relieve || failed == started-1 }

// race runs contenders until none runs; the first to commit wins.
type race[T any] struct {
	*crew[T]
	schedule

	contenders []Contender[T]

	mu      sync.Mutex
	winner  int
	cancels []context.CancelCauseFunc // of those that started
}

func newRace[T any](contenders []Contender[T], s schedule) *race[T] {
	return &race[T]{crew: newCrew[T](len(contenders)), schedule: s, contenders: contenders, winner: -1}
}

func (r *race[T]) run(ctx context.Context) (RaceOutcome[T], error) {
	due := time.NewTimer(r.pace)
	due.Stop() // until a start sets it
	next := func() {
		if r.enter(ctx) && r.pace > 0 {
			due.Reset(r.pace)
		}
	}
	for range r.together {
		next()
	}
	for r.running > 0 {
		select {
		case e := <-r.ended:
			r.settle(e)
			if e.result.Err != nil && r.replaces(e.index, r.started) {
				next()
			}
		case <-due.C:
			if r.relieve && !r.hasSuccessor(ctx) {
				continue
			}
			if r.relieve {
				r.drop(r.started - 1)
			}
			next()
		}
	}
	return r.outcome(ctx)
}

// enter starts the next contender, if there is one, and the race is open.
func (r *race[T]) enter(parent context.Context) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.waiting() == 0 || r.winner >= 0 || parent.Err() != nil {
		return false
	}
	i := r.started
	ctx, cancel := context.WithCancelCause(parent)
	r.cancels = append(r.cancels, cancel)
	r.start(func() (T, error) {
		defer cancel(nil)
		value, err := r.contenders[i].Run(ctx, func() bool { return r.commit(ctx, i) })
		if err == nil && !r.commit(ctx, i) {
			err = context.Cause(ctx)
		}
		return value, because(ctx, err)
	})
	return true
}

// hasSuccessor reports whether any waiting contender may run.
func (r *race[T]) hasSuccessor(ctx context.Context) bool {
	return slices.ContainsFunc(r.contenders[r.started:], func(c Contender[T]) bool { return c.MayRun == nil || c.MayRun(ctx) })
}

// commit makes a contender the winner, unless another is, or its own context has ended: it was relieved, or is no longer
// needed. The others are cancelled before it returns.
func (r *race[T]) commit(ctx context.Context, i int) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.winner < 0 && ctx.Err() == nil {
		r.winner = i
		for other, cancel := range r.cancels {
			if other != i {
				cancel(ErrLost)
			}
		}
	}
	return r.winner == i
}

// drop takes a contender out of the race, unless it has won.
func (r *race[T]) drop(i int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.winner != i {
		r.cancels[i](ErrFirstToken)
	}
}

func (r *race[T]) outcome(ctx context.Context) (RaceOutcome[T], error) {
	if r.winner < 0 {
		results := r.finish(context.Cause(ctx))
		return RaceOutcome[T]{Winner: -1, Results: results}, r.lost(ctx)
	}
	results := r.finish(ErrLost)
	won := RaceOutcome[T]{Winner: r.winner, Value: results[r.winner].Value, Results: results}
	if err := results[r.winner].Err; err != nil {
		return won, &BranchError{Branch: r.contenders[r.winner].Name, Err: err}
	}
	return won, nil
}

// lost is the error of a race without a winner.
func (r *race[T]) lost(ctx context.Context) error {
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	failed := make([]error, len(r.results))
	for i, result := range r.results {
		failed[i] = &BranchError{Branch: r.contenders[i].Name, Err: result.Err}
	}
	return &joinedError{what: "no branch succeeded", errs: failed}
}
