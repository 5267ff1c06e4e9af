package rollout

import (
	"slices"
	"testing"
	"time"
)

// watched are Turns with a clock, of which the test knows who was called.
type watched struct {
	*Turns

	now    time.Time
	called []string
}

// newWatched are the turns of three services that the API server has: nobody was looked at.
func newWatched(recorded map[Service]State) *watched {
	w := &watched{now: time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)}
	w.Turns = NewTurns(1, func(Service) (int64, bool) { return 0, true },
		func(s Service) { w.called = append(w.called, s.Name) }, func() time.Time { return w.now })
	w.Open([]Service{named("a"), named("b"), named("c")}, recorded)
	return w
}

// look has a service be looked at, and returns where it stands.
func (w *watched) look(name string, state State) Standing {
	w.Begin(named(name))
	answer := w.Ask(named(name), state)
	w.Heard(named(name), false)
	return answer.Standing
}

// fails has a service not be looked at, again and again, for a while.
func (w *watched) fails(name string, during time.Duration) {
	w.Begin(named(name))
	w.Heard(named(name), true)
	w.now = w.now.Add(during)
	w.Begin(named(name))
	w.Heard(named(name), true)
}

var wants = State{Wants: true, Whole: true}

// A service that can never be looked at holds up the others for a while only, also if it had a turn, and counts again once it can be.
func TestAServiceThatCannotBeLookedAt(t *testing.T) {
	for name, recorded := range map[string]map[Service]State{
		"without a turn": nil,
		"with a turn":    {named("c"): {Generation: 2, Turn: TurnTaken}},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWatched(recorded)
			w.look("b", State{})
			if got := w.look("a", wants); got != Unheard {
				t.Errorf("before the others were looked at, a is %q", got)
			}
			w.fails("c", LookWithin-time.Second)
			if len(w.called) > 0 || w.Lost(named("c")) || w.Counts().Lost != 0 {
				t.Errorf("after less than %v, called are %v, %+v", LookWithin, w.called, w.Counts())
			}
			w.fails("c", time.Second)
			if !slices.Contains(w.called, "a") || w.Standing(named("a")) != Called {
				t.Errorf("after %v, called are %v; a is %q", LookWithin, w.called, w.Standing(named("a")))
			}
			if got := w.Counts(); !w.Lost(named("c")) || got.Lost != 1 || got.UnderWay != 0 {
				t.Errorf("the counts are %+v", got)
			}
			w.Wrote(named("a"), "", 2, TurnTaken)
			w.look("a", State{Generation: 2})
			w.look("c", recorded[named("c")])
			if w.Lost(named("c")) || w.Counts().Lost != 0 {
				t.Errorf("once it was looked at, the counts are %+v", w.Counts())
			}
			want := Called
			if recorded != nil {
				want = Waiting
			}
			if got := w.look("b", wants); got != want {
				t.Errorf("then b is %q, want %q", got, want)
			}
		})
	}
}

// One that was called, and then cannot be looked at, is passed over.
func TestAServiceThatIsCalledAndCannotBeLookedAt(t *testing.T) {
	w := newWatched(nil)
	w.look("c", State{})
	w.look("b", State{Wants: true})
	w.look("a", wants)
	w.fails("a", 0)
	if w.Standing(named("a")) != Called || w.Standing(named("b")) != Waiting {
		t.Fatalf("a is %q, b is %q", w.Standing(named("a")), w.Standing(named("b")))
	}
	w.fails("a", LookWithin)
	if w.Standing(named("b")) != Called || w.Standing(named("a")) == Called {
		t.Errorf("a is %q, b is %q", w.Standing(named("a")), w.Standing(named("b")))
	}
	w.Forget(named("a"))
	if got := w.Counts(); got.Lost != 0 || len(w.failing) != 0 {
		t.Errorf("of a service that is deleted, there is %+v", got)
	}
}

// A new template that was seen to fail stops the others, also when the service can no longer be looked at.
func TestALostServiceThatFailed(t *testing.T) {
	w := newWatched(nil)
	w.look("b", State{})
	w.look("c", State{Generation: 2, Turn: TurnTaken, Stuck: true})
	w.look("a", wants)
	w.fails("c", LookWithin)
	w.look("b", State{}) // which has all turns looked at again
	if got := w.Standing(named("a")); got != Halted {
		t.Errorf("a is %q", got)
	}
}
