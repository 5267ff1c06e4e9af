package gather

import (
	"context"
	"time"
)

// Fallback tries one contender after the other, in order. The next one starts when one has failed or, if firstToken is above 0,
// when one has neither committed nor ended in that time; that one is then cancelled (ErrFirstToken), unless no other may run
// after it. Its successor does not wait until it has ended, but Fallback does. The errors are those of First.
func Fallback[T any](ctx context.Context, firstToken time.Duration, contenders []Contender[T]) (RaceOutcome[T], error) {
	return newRace(contenders, schedule{together: 1, pace: firstToken, relieve: true}).run(ctx)
}
