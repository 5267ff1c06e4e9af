package admission

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/llmservice/llmservice/runtime/relay"
)

func TestEnterBoundsWhatIsInFlight(t *testing.T) {
	a := New(2, 1<<30)
	if a.Enter(&Hold{}) {
		t.Fatal("admitted before a limit was set")
	}
	a.SetLimit(2)
	var first, second, third Hold
	ok1, ok2 := a.Enter(&first), a.Enter(&second)
	if ok3 := a.Enter(&third); !ok1 || !ok2 || ok3 {
		t.Fatalf("admitted %v %v %v, want true true false", ok1, ok2, ok3)
	}
	first.Release()
	if !a.Enter(&Hold{}) {
		t.Error("not admitted after a release")
	}
	if got := a.InFlight(); got != 2 {
		t.Errorf("in flight %d, want 2", got)
	}
}

func TestEnterUnderContention(t *testing.T) {
	a := New(2, 1<<30)
	a.SetLimit(10)
	var wg sync.WaitGroup
	for range 50 {
		wg.Go(func() {
			for range 200 {
				if hold := (&Hold{}); a.Enter(hold) {
					if n := a.InFlight(); n > 60 {
						t.Errorf("in flight %d", n)
					}
					hold.Release()
				}
			}
		})
	}
	wg.Wait()
	if got := a.InFlight(); got != 0 {
		t.Errorf("in flight %d after all were released", got)
	}
}

func TestHeavyLeavesAWorkerFree(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := New(3, 1<<30)
		for range 2 {
			if _, err := a.Heavy(t.Context(), heavyBytes); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := a.Heavy(t.Context(), heavyBytes-1); err != nil {
			t.Errorf("light work waits: %v", err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		result := make(chan error, 1)
		go func() { _, err := a.Heavy(ctx, heavyBytes); result <- err }()
		synctest.Wait()
		select {
		case err := <-result:
			t.Fatalf("a third heavy work was admitted: %v", err)
		default:
		}
		cancel()
		if err := <-result; !errors.Is(err, context.Canceled) {
			t.Errorf("error %v, want context.Canceled", err)
		}
		late, end := context.WithTimeoutCause(t.Context(), time.Second, relay.Failure{Kind: relay.FailedTimeout})
		defer end()
		if _, err := a.Heavy(late, heavyBytes); relay.FailureKindOf(err) != relay.FailedTimeout {
			t.Errorf("error %v, want what ended its context", err)
		}
	})
}

func TestOneWorkerStillDoesHeavyWork(t *testing.T) {
	if _, err := New(1, 1<<30).Heavy(t.Context(), heavyBytes); err != nil {
		t.Error(err)
	}
}
