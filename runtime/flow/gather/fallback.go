package gather

import (
	"context"
	"time"
)

// Fallback tries one contender after the other, in order: the next one when one failed or, with a firstToken above 0, when
// in that time it has neither committed nor ended; then it is cancelled (ErrFirstToken), unless no other may run after it. A
// successor does not wait until that one has ended, which Fallback itself does. Errors are those of First.
func Fallback[T any](ctx context.Context, firstToken time.Duration, contenders []Contender[T]) (RaceOutcome[T], error) {
	return newRace(contenders, schedule{together: 1, pace: firstToken, relieve: true}).run(ctx)
}
