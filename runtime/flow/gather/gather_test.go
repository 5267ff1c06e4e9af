package gather

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const ms = time.Millisecond

var errBroken = errors.New("broken")

// seen is the course of a call, in times since the stage was set.
type seen struct {
	Started, Ended time.Duration
	Cause          error // of its context, if that ended it
}

// stage plays calls in virtual time, and remembers them.
type stage struct {
	begun time.Time
	mu    sync.Mutex
	calls map[string]seen
}

func newStage() *stage { return &stage{begun: time.Now(), calls: map[string]seen{}} }

func (s *stage) now() time.Duration { return time.Since(s.begun) }

// play is a call that takes this long, and then returns its name or the error.
func (s *stage) play(name string, takes time.Duration, err error) func(context.Context) (string, error) {
	return func(ctx context.Context) (string, error) {
		call := seen{Started: s.now()}
		defer func() {
			call.Ended = s.now()
			s.mu.Lock()
			defer s.mu.Unlock()
			s.calls[name] = call
		}()
		if !pause(ctx, takes) {
			call.Cause = context.Cause(ctx)
			return "", ctx.Err()
		}
		return name, err
	}
}

// pause is false if ctx ended before.
func pause(ctx context.Context, d time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(d):
		return true
	}
}

func (s *stage) branch(name string, takes time.Duration, err error) Branch[string] {
	return Branch[string]{Name: name, Required: true, Run: s.play(name, takes, err)}
}

func (s *stage) optional(name string, takes time.Duration, err error) Branch[string] {
	return Branch[string]{Name: name, Run: s.play(name, takes, err)}
}

func (s *stage) at(t *testing.T, want time.Duration) {
	t.Helper()
	if got := s.now(); got != want {
		t.Errorf("returned at %v, want %v", got, want)
	}
}

// was checks the course of a call: cause must be in the error that ended its context.
func (s *stage) was(t *testing.T, name string, started, ended time.Duration, cause error) {
	t.Helper()
	got, ran := s.calls[name]
	if !ran || got.Started != started || got.Ended != ended || !errors.Is(got.Cause, cause) {
		t.Errorf("call %s (ran: %v) was %+v, want %v to %v, cause %v", name, ran, got, started, ended, cause)
	}
}

func (s *stage) never(t *testing.T, name string) {
	t.Helper()
	if got, ran := s.calls[name]; ran {
		t.Errorf("call %s was %+v, want none", name, got)
	}
}

// strategies has each strategy as a function that runs three of the same call.
var strategies = map[string]func(context.Context, func(context.Context) (string, error)) error{
	"All": func(ctx context.Context, run func(context.Context) (string, error)) error {
		_, err := All(ctx, 0, []Branch[string]{{"a", true, run}, {"b", true, run}, {"c", true, run}})
		return err
	},
	"All, optional": func(ctx context.Context, run func(context.Context) (string, error)) error {
		_, err := All(ctx, 1, []Branch[string]{{"a", false, run}, {"b", false, run}, {"c", false, run}})
		return err
	},
	"AllSettled": func(ctx context.Context, run func(context.Context) (string, error)) error {
		_, err := AllSettled(ctx, 0, []Branch[string]{{"a", false, run}, {"b", false, run}, {"c", false, run}})
		return err
	},
	"Each": func(ctx context.Context, run func(context.Context) (string, error)) error {
		_, err := Each(ctx, EachOptions{Limit: 2}, []int{1, 2, 3}, func(ctx context.Context, _, _ int) (string, error) { return run(ctx) })
		return err
	},
	"Each, settled": func(ctx context.Context, run func(context.Context) (string, error)) error {
		_, err := Each(ctx, EachOptions{Settle: true}, []int{1, 2, 3}, func(ctx context.Context, _, _ int) (string, error) { return run(ctx) })
		return err
	},
	"First": func(ctx context.Context, run func(context.Context) (string, error)) error {
		_, err := First(ctx, 0, contenders(run))
		return err
	},
	"First, hedged": func(ctx context.Context, run func(context.Context) (string, error)) error {
		_, err := First(ctx, 10*ms, contenders(run))
		return err
	},
	"Fallback": func(ctx context.Context, run func(context.Context) (string, error)) error {
		_, err := Fallback(ctx, 0, contenders(run))
		return err
	},
	"Vote": func(ctx context.Context, run func(context.Context) (string, error)) error {
		_, err := Vote(ctx, VoteOptions[string]{Key: itself}, []Voter[string]{{"a", run}, {"b", run}, {"c", run}})
		return err
	},
	"Vote, most votes": func(ctx context.Context, run func(context.Context) (string, error)) error {
		_, err := Vote(ctx, VoteOptions[string]{Key: itself, MostVotes: true}, []Voter[string]{{"a", run}, {"b", run}, {"c", run}})
		return err
	},
}

func contenders(run func(context.Context) (string, error)) []Contender[string] {
	c := Contender[string]{Name: "c", Run: func(ctx context.Context, _ func() bool) (string, error) { return run(ctx) }}
	return []Contender[string]{c, c, c}
}

func itself(_ context.Context, s string) (string, error) { return s, nil }

func TestAStrategyEndsWithItsParent(t *testing.T) {
	errGone := errors.New("the client left")
	for name, strategy := range strategies {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newStage()
				ctx, cancel := context.WithCancelCause(t.Context())
				time.AfterFunc(50*ms, func() { cancel(errGone) })
				if err := strategy(ctx, s.play("call", time.Hour, nil)); err == nil || err.Error() != errGone.Error() {
					t.Errorf("got %v, want the parent's cause alone", err)
				}
				s.at(t, 50*ms)
			})
		})
	}
}

// If a parent ends, a strategy still does not return before its branches: each goroutine has an owner that waits for it.
func TestAStrategyWaitsForItsCalls(t *testing.T) {
	for name, strategy := range strategies {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newStage()
				ctx, cancel := context.WithCancel(t.Context())
				time.AfterFunc(50*ms, cancel)
				err := strategy(ctx, func(ctx context.Context) (string, error) {
					<-ctx.Done()
					time.Sleep(7 * ms) // tidies up
					return "", ctx.Err()
				})
				if !errors.Is(err, context.Canceled) {
					t.Errorf("got %v, want the parent's cause", err)
				}
				s.at(t, 57*ms)
			})
		})
	}
}

// A parent may live long after: resources that a call attached to its context must be released with the call.
func TestContextsEndWithTheirCalls(t *testing.T) {
	for name, strategy := range strategies {
		t.Run(name, func(t *testing.T) {
			var mu sync.Mutex
			var contexts []context.Context
			err := strategy(t.Context(), func(ctx context.Context) (string, error) {
				mu.Lock()
				defer mu.Unlock()
				contexts = append(contexts, ctx)
				return "", nil
			})
			if err != nil || len(contexts) == 0 {
				t.Fatalf("%d calls, %v", len(contexts), err)
			}
			for i, ctx := range contexts {
				if ctx.Err() == nil {
					t.Errorf("the context of call %d is still open", i)
				}
			}
		})
	}
}

func TestBecause(t *testing.T) {
	ended, cancel := context.WithCancelCause(t.Context())
	cancel(ErrLost)
	for name, c := range map[string]struct {
		ctx  context.Context
		err  error
		want string
	}{
		"no failure":               {ended, nil, "<nil>"},
		"a context that is open":   {t.Context(), errBroken, "broken"},
		"a context that ended":     {ended, context.Canceled, "superseded: another branch won: context canceled"},
		"the cause itself":         {ended, ErrLost, "superseded: another branch won"},
		"a failure of another ilk": {ended, errBroken, "superseded: another branch won: broken"},
	} {
		if got := because(c.ctx, c.err); fmt.Sprint(got) != c.want || !errors.Is(got, c.err) {
			t.Errorf("%s: %v, want %s", name, got, c.want)
		}
	}
}

func TestNothingStartsUnderAParentThatHasEnded(t *testing.T) {
	for name, strategy := range strategies {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			cancel()
			err := strategy(ctx, func(context.Context) (string, error) {
				t.Error("a call was made")
				return "", nil
			})
			if !errors.Is(err, context.Canceled) {
				t.Errorf("got %v, want the parent's cause", err)
			}
		})
	}
}

func TestDeadlinesShrinkDownTheTree(t *testing.T) {
	for outer, around := range strategies {
		t.Run(outer, func(t *testing.T) {
			for inner, within := range strategies {
				synctest.Test(t, func(t *testing.T) {
					s := newStage()
					leaf := s.play("leaf", time.Hour, nil)
					ctx, cancel := context.WithTimeout(t.Context(), 300*ms)
					defer cancel()
					err := around(ctx, func(ctx context.Context) (string, error) {
						longer, cancel := context.WithTimeout(ctx, time.Minute)
						defer cancel()
						return "", within(longer, func(ctx context.Context) (string, error) {
							if deadline, ok := ctx.Deadline(); !ok || deadline.Sub(s.begun) != 300*ms {
								t.Errorf("%s in %s: deadline %v", inner, outer, deadline)
							}
							return leaf(ctx)
						})
					})
					if !errors.Is(err, context.DeadlineExceeded) {
						t.Errorf("%s in %s: %v", inner, outer, err)
					}
					s.at(t, 300*ms)
				})
			}
		})
	}
}

// A shorter deadline of a call's own ends that call, and is its failure: the strategy goes on.
func TestACallsOwnDeadlineIsItsFailure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage()
		slow := s.play("slow", time.Hour, nil)
		results, err := AllSettled(t.Context(), 0, []Branch[string]{
			{Name: "slow", Run: func(ctx context.Context) (string, error) {
				ctx, cancel := context.WithTimeoutCause(ctx, 100*ms, errBroken)
				defer cancel()
				return slow(ctx)
			}},
			s.branch("good", 300*ms, nil),
		})
		if err != nil || !errors.Is(results[0].Err, context.DeadlineExceeded) || results[1].Value != "good" {
			t.Errorf("got %+v, %v", results, err)
		}
		s.was(t, "slow", 0, 100*ms, errBroken)
		s.at(t, 300*ms)
	})
}

func TestAPanicIsTheCallsError(t *testing.T) {
	for name, strategy := range strategies {
		t.Run(name, func(t *testing.T) {
			err := strategy(t.Context(), func(context.Context) (string, error) { panic(errors.New("a private matter")) })
			if settles := name == "AllSettled" || name == "Each, settled" || name == "All, optional"; settles {
				if err != nil {
					t.Errorf("failed with %v", err)
				}
				return
			}
			fault, ok := errors.AsType[*PanicError](err)
			if !ok {
				t.Fatalf("got %v, want a PanicError", err)
			}
			if fault.Type != "*errors.errorString" || !strings.Contains(string(fault.Stack), "TestAPanicIsTheCallsError") {
				t.Errorf("type %s, stack %s", fault.Type, fault.Stack)
			}
			if strings.Contains(err.Error(), "private") || strings.Contains(string(fault.Stack), "private") {
				t.Errorf("the value shows in %v", err)
			}
		})
	}
}

func TestACallMayEndItsGoroutine(t *testing.T) {
	for name, strategy := range strategies {
		t.Run(name, func(t *testing.T) {
			err := strategy(t.Context(), func(context.Context) (string, error) {
				runtime.Goexit()
				return "", nil
			})
			if settles := name == "AllSettled" || name == "Each, settled" || name == "All, optional"; !settles && !errors.Is(err, errExited) {
				t.Errorf("got %v, want %v", err, errExited)
			}
		})
	}
}
