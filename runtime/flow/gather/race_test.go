package gather

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// contender answers whole, and commits only with its answer.
func (s *stage) contender(name string, takes time.Duration, err error) Contender[string] {
	run := s.play(name, takes, err)
	return Contender[string]{Name: name, Run: func(ctx context.Context, _ func() bool) (string, error) { return run(ctx) }}
}

// streamer commits after some time, and then streams for this long.
func (s *stage) streamer(t *testing.T, name string, content, streams time.Duration, err error) Contender[string] {
	t.Helper()
	think, stream := s.play(name+" thinks", content, nil), s.play(name+" streams", streams, err)
	return Contender[string]{Name: name, Run: func(ctx context.Context, commit func() bool) (string, error) {
		if _, err := think(ctx); err != nil {
			return "", err
		}
		if !commit() {
			return "", ErrLost
		}
		if !commit() {
			t.Errorf("%s lost what it had won", name)
		}
		_, err := stream(ctx)
		return name, err
	}}
}

func won(t *testing.T, o RaceOutcome[string], err error, winner int, value string) {
	t.Helper()
	if err != nil || o.Winner != winner || o.Value != value {
		t.Errorf("won %d with %q, %v; want %d with %q", o.Winner, o.Value, err, winner, value)
	}
	for i, r := range o.Results {
		if (r.Err == nil) != (i == winner) {
			t.Errorf("result %d is %+v", i, r)
		}
	}
}

func TestFirstTakesTheFirstSuccess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage()
		o, err := First(t.Context(), 0, []Contender[string]{
			s.contender("slow", time.Hour, nil), s.contender("bad", 50*ms, errBroken), s.contender("good", 100*ms, nil),
		})
		won(t, o, err, 2, "good")
		s.at(t, 100*ms)
		s.was(t, "slow", 0, 100*ms, ErrLost)
		if !errors.Is(o.Results[0].Err, ErrLost) || !errors.Is(o.Results[1].Err, errBroken) {
			t.Errorf("results %+v", o.Results)
		}
	})
}

func TestAHedgeStartsWhenDue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage()
		o, err := First(t.Context(), 100*ms, []Contender[string]{
			s.contender("a", time.Hour, nil), s.contender("b", time.Hour, nil), s.contender("c", 50*ms, nil), s.contender("d", 0, nil),
		})
		won(t, o, err, 2, "c")
		s.at(t, 250*ms)
		s.was(t, "a", 0, 250*ms, ErrLost)
		s.was(t, "b", 100*ms, 250*ms, ErrLost)
		s.was(t, "c", 200*ms, 250*ms, nil)
		s.never(t, "d")
		if !errors.Is(o.Results[3].Err, ErrLost) {
			t.Errorf("who never started: %v", o.Results[3].Err)
		}
	})
}

func TestAHedgeIsNotNeeded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage()
		o, err := First(t.Context(), 100*ms, []Contender[string]{s.contender("a", 99*ms, nil), s.contender("b", 0, nil)})
		won(t, o, err, 0, "a")
		s.at(t, 99*ms)
		s.never(t, "b")
	})
}

// And from then on, the delay starts again.
func TestAFailureStartsTheHedgeAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage()
		o, err := First(t.Context(), 100*ms, []Contender[string]{
			s.contender("a", 30*ms, errBroken), s.contender("b", time.Hour, nil), s.contender("c", 10*ms, nil),
		})
		won(t, o, err, 2, "c")
		s.was(t, "b", 30*ms, 140*ms, ErrLost)
		s.was(t, "c", 130*ms, 140*ms, nil)
	})
}

func TestFirstFailsWhenAllDid(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage()
		o, err := First(t.Context(), 100*ms, []Contender[string]{
			s.contender("a", 150*ms, errBroken), s.contender("b", 10*ms, context.Canceled), s.contender("c", 10*ms, errBroken),
		})
		const want = `no branch succeeded; branch "a": broken; branch "b": context canceled; branch "c": broken`
		if err == nil || err.Error() != want || !errors.Is(err, errBroken) || o.Winner != -1 {
			t.Errorf("got  %d, %v\nwant %s", o.Winner, err, want)
		}
		s.at(t, 150*ms)
	})
}

func TestCommitWinsTheRace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage()
		o, err := First(t.Context(), 100*ms, []Contender[string]{
			s.contender("whole", 160*ms, nil), s.streamer(t, "stream", 50*ms, time.Second, nil), s.contender("waiting", 0, nil),
		})
		won(t, o, err, 1, "stream")
		s.was(t, "whole", 0, 150*ms, ErrLost) // at the commit, not at the end
		s.was(t, "stream streams", 150*ms, 1150*ms, nil)
		s.never(t, "waiting") // though due at 200 ms
		s.at(t, 1150*ms)
	})
}

// What was sent cannot be taken back: no other may answer, and the failure is the result.
func TestWhoFailsAfterCommitHasWon(t *testing.T) {
	for name, strategy := range map[string]func(context.Context, time.Duration, []Contender[string]) (RaceOutcome[string], error){
		"First": First[string], "Fallback": Fallback[string],
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newStage()
				o, err := strategy(t.Context(), 300*ms, []Contender[string]{
					s.streamer(t, "stream", 50*ms, 500*ms, errBroken), s.contender("waiting", 0, nil),
				})
				failed, ok := errors.AsType[*BranchError](err)
				if !ok || failed.Branch != "stream" || !errors.Is(err, errBroken) || o.Winner != 0 || o.Value != "stream" {
					t.Errorf("got %+v, %v, want the winner's failure", o, err)
				}
				s.never(t, "waiting")
				s.at(t, 550*ms)
			})
		})
	}
}

func TestFallbackGoesOnAfterAFailure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage()
		o, err := Fallback(t.Context(), 0, []Contender[string]{
			s.contender("a", time.Minute, errBroken), s.contender("b", 10*ms, nil), s.contender("c", 0, nil),
		})
		won(t, o, err, 1, "b")
		s.was(t, "b", time.Minute, time.Minute+10*ms, nil)
		s.never(t, "c")
	})
}

func TestFallbackGoesOnAfterTheFirstTokenTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage()
		o, err := Fallback(t.Context(), 100*ms, []Contender[string]{
			s.contender("a", 30*ms, errBroken),
			s.contender("silent", time.Hour, nil),
			s.streamer(t, "stream", 99*ms, time.Second, nil), // committed in time, so it may stream on
			s.contender("c", 0, nil),
		})
		won(t, o, err, 2, "stream")
		s.was(t, "silent", 30*ms, 130*ms, ErrFirstToken)
		s.was(t, "stream thinks", 130*ms, 229*ms, nil)
		s.at(t, 1229*ms)
		s.never(t, "c")
		if !errors.Is(o.Results[1].Err, ErrFirstToken) {
			t.Errorf("the silent one: %v", o.Results[1].Err)
		}
	})
}

// The last one cannot hand over, and neither can one after which no other may run.
func TestFallbackLeavesTheLastOneItsTime(t *testing.T) {
	no := func(context.Context) bool { return false }
	for name, after := range map[string][]func(context.Context) bool{"the last": nil, "others that may not run": {no, no}} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newStage()
				contenders := []Contender[string]{s.contender("a", time.Hour, nil), s.contender("b", time.Minute, nil)}
				for _, mayRun := range after {
					absent := s.contender("absent", 0, errBroken)
					absent.MayRun = mayRun
					contenders = append(contenders, absent)
				}
				o, err := Fallback(t.Context(), 100*ms, contenders)
				won(t, o, err, 1, "b")
				s.was(t, "a", 0, 100*ms, ErrFirstToken)
				s.was(t, "b", 100*ms, time.Minute+100*ms, nil)
				s.never(t, "absent")
			})
		})
	}
}

// One that may not run is passed over, and the next one that may takes the place of the silent one.
func TestFallbackPassesOverWhoMayNotRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage()
		absent, last := s.contender("absent", 0, errBroken), s.contender("last", 10*ms, nil)
		absent.MayRun = func(context.Context) bool { return false }
		last.MayRun = func(context.Context) bool { return true }
		o, err := Fallback(t.Context(), 100*ms, []Contender[string]{s.contender("a", time.Hour, nil), absent, last})
		won(t, o, err, 2, "last")
		s.was(t, "a", 0, 100*ms, ErrFirstToken)
		s.at(t, 110*ms)
	})
}

// A contender that is stuck does not delay its successor, and may not answer when it continues; and if it ends when the next
// one runs, no other starts.
func TestFallbackDoesNotWaitForWhoIsStuck(t *testing.T) {
	for name, late := range map[string]func(commit func() bool) (string, error){
		"value":  func(func() bool) (string, error) { return "late", nil },
		"error":  func(func() bool) (string, error) { return "", errBroken },
		"commit": func(commit func() bool) (string, error) { return "late", map[bool]error{false: ErrLost}[commit()] },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newStage()
				o, err := Fallback(t.Context(), 100*ms, []Contender[string]{
					{Name: "stuck", Run: func(_ context.Context, commit func() bool) (string, error) {
						time.Sleep(150 * ms)
						return late(commit)
					}},
					s.contender("next", 90*ms, nil),
					s.contender("waiting", 0, nil),
				})
				won(t, o, err, 1, "next")
				s.was(t, "next", 100*ms, 190*ms, nil)
				s.never(t, "waiting")
				if !errors.Is(o.Results[0].Err, ErrFirstToken) {
					t.Errorf("the stuck one: %v", o.Results[0].Err)
				}
			})
		})
	}
}

// All that commit at the same instant get consistent answers.
func TestOnlyOneCommits(t *testing.T) {
	for range 500 {
		var told atomic.Int32
		gate := make(chan struct{})
		var ready atomic.Int32
		field := make([]Contender[int], 8)
		for i := range field {
			field[i] = Contender[int]{Name: fmt.Sprint(i), Run: func(ctx context.Context, commit func() bool) (int, error) {
				if ready.Add(1) == int32(len(field)) {
					close(gate)
				}
				<-gate
				if i%4 == 3 {
					return i, nil // commits with that
				}
				if !commit() {
					if cause := context.Cause(ctx); !errors.Is(cause, ErrLost) {
						t.Errorf("%d was told that it lost, but its context ended with %v", i, cause)
					}
					return 0, ErrLost
				}
				told.Add(1)
				return i, nil
			}}
		}
		o, err := First(t.Context(), 0, field)
		if err != nil || o.Value != o.Winner || told.Load() > 1 || (told.Load() == 1) == (o.Winner%4 == 3) {
			t.Fatalf("%d were told that they won; %d did, with %d (%v)", told.Load(), o.Winner, o.Value, err)
		}
		won := 0
		for _, r := range o.Results {
			if r.Err == nil {
				won++
			}
		}
		if won != 1 {
			t.Fatalf("%d results without an error", won)
		}
	}
}

// At the very instant of the timeout, either may come first, but not both.
func TestCommitAtTheTimeout(t *testing.T) {
	for range 200 {
		synctest.Test(t, func(t *testing.T) {
			s := newStage()
			o, err := Fallback(t.Context(), 100*ms, []Contender[string]{
				s.streamer(t, "a", 100*ms, 100*ms, nil), s.streamer(t, "b", 50*ms, 100*ms, nil),
			})
			if o.Winner == 0 {
				won(t, o, err, 0, "a")
				s.never(t, "b thinks")
				s.at(t, 200*ms)
				return
			}
			won(t, o, err, 1, "b")
			s.never(t, "a streams")
			s.at(t, 250*ms)
		})
	}
}

// There is nobody left to answer.
func TestNobodyCommitsAfterTheParentsEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(50*ms, cancel)
		deaf := Contender[string]{Name: "deaf", Run: func(_ context.Context, commit func() bool) (string, error) {
			time.Sleep(100 * ms)
			if commit() {
				t.Error("committed")
			}
			return "late", nil
		}}
		o, err := First(ctx, 0, []Contender[string]{deaf, deaf})
		if !errors.Is(err, context.Canceled) || o.Winner != -1 || o.Value != "" {
			t.Errorf("got %+v, %v", o, err)
		}
	})
}

func TestReplaces(t *testing.T) {
	for _, c := range []struct {
		relieve         bool
		failed, started int
		want            bool
	}{
		{failed: 0, started: 1, want: true},
		{failed: 0, started: 2, want: true},
		{relieve: true, failed: 1, started: 2, want: true},
		{relieve: true, failed: 0, started: 2, want: false},
	} {
		if got := (schedule{relieve: c.relieve}).replaces(c.failed, c.started); got != c.want {
			t.Errorf("%+v: %v", c, got)
		}
	}
}
