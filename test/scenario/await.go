package scenario

import (
	"context"
	"errors"
	"fmt"
	"time"
)

const (
	askEvery = 200 * time.Millisecond
	// askWithin bounds one question, so that an answer that never comes does not hide the ones before it.
	askWithin = 10 * time.Second
)

var errTooLate = errors.New("too late")

// Await asks until ok returns nil, and returns how long that took. After limit, or when ctx ends, it fails with the
// last answer.
func Await(
	ctx context.Context, limit time.Duration, what string, ok func(context.Context) error,
) (time.Duration, error) {
	begun := time.Now()
	ctx, cancel := context.WithTimeoutCause(ctx, limit, errTooLate)
	defer cancel()
	tick := time.NewTicker(askEvery)
	defer tick.Stop()
	last := errors.New("nothing was answered")
	for {
		err := ask(ctx, ok)
		if err == nil {
			return time.Since(begun), nil
		}
		if ctx.Err() == nil {
			last = err // what was seen, not that the look was cut short
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			if cause := context.Cause(ctx); !errors.Is(cause, errTooLate) {
				return time.Since(begun), fmt.Errorf("%s: %w; last seen: %w", what, cause, last)
			}
			return time.Since(begun), fmt.Errorf("%s: not within %s: %w", what, limit, last)
		}
	}
}

func ask(ctx context.Context, ok func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, askWithin)
	defer cancel()
	return ok(ctx)
}
