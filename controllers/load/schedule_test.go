package load

import (
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/types"
)

// TestEachLaneAsksItsOwn: a pod that hangs is asked in the slow lane alone, and one that answers at once in the quick one alone.
// Otherwise those that hang would take the slots of those that do not.
func TestEachLaneAsksItsOwn(t *testing.T) {
	at := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	turns := newSchedule()
	turns.follow([]target{{uid: "hangs"}, {uid: "answers"}}, at)
	asked := func(of lane, now time.Time) map[types.UID]bool {
		uids := map[types.UID]bool{}
		for _, target := range turns.due(of, now) {
			uids[target.uid] = true
			took, failed := time.Millisecond, false
			if target.uid == "hangs" {
				took, failed = of.timeout, true
			}
			turns.settle(of, target, now, now.Add(took), failed)
		}
		return uids
	}
	if got := asked(quickLane, at); !got["hangs"] || !got["answers"] {
		t.Fatalf("asked at first: %v, want both", got)
	}
	for range 20 {
		at = at.Add(maxPause)
		if got := asked(quickLane, at); got["hangs"] || !got["answers"] {
			t.Fatalf("asked in the quick lane: %v, want the one that answers", got)
		}
		if got := asked(slowLane, at); !got["hangs"] || got["answers"] {
			t.Fatalf("asked in the slow lane: %v, want the one that hangs", got)
		}
	}
}
