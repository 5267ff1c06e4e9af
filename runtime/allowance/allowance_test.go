package allowance

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

func TestReserve(t *testing.T) {
	a := New(10)
	for _, tt := range []struct{ want, got int64 }{{4, 4}, {0, 1}, {100, 5}} {
		if got, err := a.Reserve(t.Context(), tt.want); got != tt.got || err != nil {
			t.Errorf("of what is left %d is wanted: %d, %v, want %d", tt.want, got, err, tt.got)
		}
	}
	if a.Take(1) || a.Unused() != 10 {
		t.Errorf("what is reserved can be taken, or counts as used: %d", a.Unused())
	}
	if !a.Settle(5, 5) || !a.Settle(1, 1) || a.Settle(4, 5) {
		t.Error("only the last has used more than there was")
	}
	if _, err := a.Reserve(t.Context(), 1); !errors.Is(err, ErrSpent) || a.Unused() != 0 {
		t.Errorf("%v with %d left", err, a.Unused())
	}
}

func TestTakeIsAllOrNothing(t *testing.T) {
	a := New(10)
	if a.Take(11) || !a.Take(10) || a.Take(1) {
		t.Error("want all or nothing")
	}
	a.Settle(0, -4) // given back
	if !a.Take(4) {
		t.Error("what was given back cannot be taken")
	}
}

// All that is left is reserved: others wait, and have what comes back.
func TestReserveWaitsForThoseThatRun(t *testing.T) {
	for name, tt := range map[string]struct {
		used int64
		want int64
		err  error
	}{
		"some comes back":    {7, 3, nil},
		"nothing comes back": {10, 0, ErrSpent},
		"less than nothing":  {99, 0, ErrSpent},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a := New(10)
				if _, err := a.Reserve(t.Context(), 10); err != nil {
					t.Fatal(err)
				}
				began := time.Now()
				time.AfterFunc(time.Second, func() { a.Settle(10, tt.used) })
				got, err := a.Reserve(t.Context(), 5)
				if got != tt.want || !errors.Is(err, tt.err) || time.Since(began) != time.Second {
					t.Errorf("%d, %v after %s; want %d, %v", got, err, time.Since(began), tt.want, tt.err)
				}
			})
		})
	}
}

func TestTheWaitEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := New(1)
		if _, err := a.Reserve(t.Context(), 1); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := a.Reserve(ctx, 1); !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
	})
}

// However many run at once, of those that use no more than they reserved the sum is what there was.
func TestTogetherTheyUseWhatThereIs(t *testing.T) {
	a := New(1000)
	var wg sync.WaitGroup
	var mu sync.Mutex
	total := int64(0)
	for range 20 {
		wg.Go(func() {
			for {
				got, err := a.Reserve(t.Context(), 7)
				if err != nil {
					return
				}
				used := (got + 1) / 2
				mu.Lock()
				total += used
				mu.Unlock()
				a.Settle(got, used)
			}
		})
	}
	wg.Wait()
	if total != 1000 {
		t.Errorf("used %d of 1000", total)
	}
}
