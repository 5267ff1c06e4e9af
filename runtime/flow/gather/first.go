package gather

import (
	"context"
	"time"
)

// First takes the first success, and cancels the others at once (ErrLost). If hedgeDelay is above 0, contenders start one by
// one, each when the delay has passed since the start before it, or at once when a running one has failed; otherwise all start
// together. If none succeeds, the error joins a BranchError for each. If the winner fails after it has committed, the error is
// the winner's BranchError.
func First[T any](ctx context.Context, hedgeDelay time.Duration, contenders []Contender[T]) (RaceOutcome[T], error) {
	return newRace(contenders, hedged(hedgeDelay, len(contenders))).run(ctx)
}

func hedged(delay time.Duration, contenders int) schedule {
	if delay <= 0 {
		return schedule{together: contenders}
	}
	return schedule{together: 1, pace: delay}
}
