package scenario

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestAwait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		asked := 0
		took, err := Await(t.Context(), time.Minute, "three answers", func(context.Context) error {
			if asked++; asked < 3 {
				return errors.New("not yet")
			}
			return nil
		})
		if err != nil || took != 2*askEvery {
			t.Errorf("Await = %s, %v; want success after %s", took, err, 2*askEvery)
		}
	})
}

func TestAwaitFailsWithWhatItSaw(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		took, err := Await(t.Context(), time.Minute, "the moon", func(ctx context.Context) error {
			if ctx.Err() != nil {
				return ctx.Err() // says nothing about the moon
			}
			return errors.New("clouds")
		})
		if took != time.Minute || err == nil || !strings.Contains(err.Error(), "the moon: not within 1m0s: clouds") {
			t.Errorf("Await = %s, %v; want what was seen, after a minute", took, err)
		}
	})
}

func TestAwaitBoundsEachQuestion(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		asked := 0
		took, err := Await(t.Context(), time.Minute, "an answer", func(ctx context.Context) error {
			if asked++; asked == 1 {
				<-ctx.Done()
				return ctx.Err()
			}
			return nil
		})
		if err != nil || took < askWithin || took > askWithin+askEvery {
			t.Errorf("Await = %s, %v; want the second question after %s", took, err, askWithin)
		}
	})
}

func TestAwaitEndsWithItsContext(t *testing.T) {
	interrupted := errors.New("interrupted")
	ctx, cancel := context.WithCancelCause(t.Context())
	_, err := Await(ctx, time.Minute, "the moon", func(context.Context) error {
		cancel(interrupted)
		return errors.New("clouds")
	})
	if !errors.Is(err, interrupted) {
		t.Errorf("Await = %v, want the cause", err)
	}
}
