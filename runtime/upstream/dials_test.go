package upstream

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

// A wait for one address does not hold up those for another; each wait has its own bound; and nothing is kept of an address
// once it is done with.
func TestConnectionsToOneAddressAreOpenedInTurns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var d dials
		var ends []func()
		for range dialsAtOnce {
			end, err := d.begin(t.Context(), "a:80")
			if err != nil {
				t.Fatal(err)
			}
			ends = append(ends, end)
		}
		if end, err := d.begin(t.Context(), "b:80"); err != nil {
			t.Errorf("another address: %v", err)
		} else {
			end()
		}
		hurried, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := d.begin(hurried, "a:80"); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("one more: %v, want to wait until the deadline", err)
		}
		next := make(chan func())
		go func() {
			end, err := d.begin(t.Context(), "a:80")
			if err != nil {
				t.Errorf("the next: %v", err)
			}
			next <- end
		}()
		synctest.Wait()
		select {
		case <-next:
			t.Error("it had no turn, and began")
		default:
		}
		ends[0]()
		ends[0] = <-next
		for _, end := range ends {
			end()
		}
		if len(d.open) != 0 {
			t.Errorf("%d addresses are kept, want none", len(d.open))
		}
	})
}
