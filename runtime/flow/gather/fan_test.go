package gather

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

func values[T any](results []CallResult[T]) []T {
	all := make([]T, 0, len(results))
	for _, r := range results {
		all = append(all, r.Value)
	}
	return all
}

func TestThreeCallsTakeAsLongAsOne(t *testing.T) {
	for name, all := range map[string]func(context.Context, int, []Branch[string]) ([]CallResult[string], error){
		"All": All[string], "AllSettled": AllSettled[string],
	} {
		for limit, want := range map[int]time.Duration{0: 300 * ms, 1: 900 * ms, 2: 600 * ms, 3: 300 * ms, 9: 300 * ms} {
			synctest.Test(t, func(t *testing.T) {
				s := newStage()
				results, err := all(t.Context(), limit, []Branch[string]{
					s.branch("a", 300*ms, nil), s.branch("b", 300*ms, nil), s.branch("c", 300*ms, nil),
				})
				if diff := cmp.Diff([]string{"a", "b", "c"}, values(results)); err != nil || diff != "" {
					t.Errorf("%s, limit %d: %v %s", name, limit, err, diff)
				}
				s.at(t, want)
			})
		}
	}
}

func TestAllFailsFast(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage()
		results, err := All(t.Context(), 3, []Branch[string]{
			s.branch("slow", time.Hour, nil),
			s.branch("quick", 10*ms, nil),
			s.branch("bad", 100*ms, errBroken),
			s.optional("next", 200*ms, nil),
			s.branch("waiting", time.Hour, nil),
		})
		if failed, ok := errors.AsType[*BranchError](err); !ok || failed.Branch != "bad" || !errors.Is(err, errBroken) {
			t.Errorf("got %v, want that bad is broken", err)
		}
		s.at(t, 100*ms)
		s.was(t, "slow", 0, 100*ms, ErrSiblingFailed)
		s.was(t, "next", 10*ms, 100*ms, ErrSiblingFailed) // took the place of quick
		s.never(t, "waiting")
		cause := s.calls["slow"].Cause
		if !strings.Contains(cause.Error(), `"bad"`) {
			t.Errorf("the cause %q does not name the branch that failed", cause)
		}
		// Its siblings must not take the failure for their own.
		if errors.Is(cause, errBroken) {
			t.Errorf("the cause %q wraps the sibling's error", cause)
		}
		for _, i := range []int{0, 3, 4} {
			if !errors.Is(results[i].Err, ErrSiblingFailed) {
				t.Errorf("result %d is %v, want %v", i, results[i].Err, ErrSiblingFailed)
			}
		}
		if results[1].Value != "quick" || results[1].Err != nil || !errors.Is(results[2].Err, errBroken) {
			t.Errorf("results %+v", results)
		}
	})
}

// Only the first failure ends the whole: the errors with which the others answer their cancellation are not further failures.
func TestAllNamesTheFirstFailure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage()
		_, err := All(t.Context(), 0, []Branch[string]{
			{Name: "victim", Required: true, Run: func(ctx context.Context) (string, error) {
				<-ctx.Done()
				return "", errors.New("its own words")
			}},
			s.branch("bad", 100*ms, errBroken),
		})
		if failed, ok := errors.AsType[*BranchError](err); !ok || failed.Branch != "bad" {
			t.Errorf("got %v, want bad's", err)
		}
	})
}

func TestAllLeavesOptionalFailuresInTheirResults(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage()
		results, err := All(t.Context(), 0, []Branch[string]{
			s.optional("bad", 100*ms, errBroken), s.branch("good", 300*ms, nil),
		})
		if err != nil || !errors.Is(results[0].Err, errBroken) || results[1].Value != "good" || results[1].Err != nil {
			t.Errorf("got %+v, %v", results, err)
		}
		s.was(t, "good", 0, 300*ms, nil)
	})
}

// A failure before the parent's end stays the reason, even if a branch takes its time to end.
func TestWhatIsDecidedStaysDecided(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage()
		ctx, cancel := context.WithTimeout(t.Context(), 110*ms)
		defer cancel()
		_, err := All(ctx, 0, []Branch[string]{
			s.branch("bad", 100*ms, errBroken),
			{Name: "tidy", Run: func(ctx context.Context) (string, error) {
				<-ctx.Done()
				time.Sleep(50 * ms)
				return "", ctx.Err()
			}},
		})
		if !errors.Is(err, errBroken) || errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v, want bad's failure", err)
		}
		s.at(t, 150*ms)
	})
}

func TestAllSettledLetsEachRunToItsEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage()
		results, err := AllSettled(t.Context(), 0, []Branch[string]{
			s.optional("bad", 100*ms, errBroken), s.branch("good", 300*ms, nil),
		})
		if err != nil || !errors.Is(results[0].Err, errBroken) || results[1].Value != "good" || results[1].Err != nil {
			t.Errorf("got %+v, %v", results, err)
		}
		s.at(t, 300*ms)
	})
}

func TestAllSettledFailsForRequiredBranches(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage()
		results, err := AllSettled(t.Context(), 0, []Branch[string]{
			s.branch("late", 200*ms, errBroken),
			s.optional("optional", 50*ms, errBroken),
			s.branch("good", 300*ms, nil),
			s.branch("early", 100*ms, context.Canceled),
		})
		const want = `required branches failed; branch "late": broken; branch "early": context canceled`
		if err == nil || err.Error() != want || !errors.Is(err, errBroken) {
			t.Errorf("got  %v\nwant %s", err, want)
		}
		if results[2].Value != "good" {
			t.Errorf("results %+v", results)
		}
		s.was(t, "good", 0, 300*ms, nil)
		s.at(t, 300*ms)
	})
}

func TestEachKeepsItsOrderAndItsBound(t *testing.T) {
	items := make([]int, 20)
	for i := range items {
		items[i] = 20 - i // the last ends first
	}
	for limit, bound := range map[int]int{0: 20, 1: 1, 3: 3, 50: 20} {
		synctest.Test(t, func(t *testing.T) {
			var mu sync.Mutex
			running, most := 0, 0
			count := func(n int) {
				mu.Lock()
				defer mu.Unlock()
				running += n
				most = max(most, running)
			}
			results, err := Each(t.Context(), EachOptions{Limit: limit}, items, func(ctx context.Context, i, item int) (int, error) {
				count(1)
				defer count(-1)
				pause(ctx, time.Duration(item)*ms)
				return i * 100, nil
			})
			want := make([]int, 20)
			for i := range want {
				want[i] = i * 100
			}
			if diff := cmp.Diff(want, values(results)); err != nil || diff != "" {
				t.Errorf("limit %d: %v %s", limit, err, diff)
			}
			if most != bound {
				t.Errorf("limit %d: %d ran at once, want %d", limit, most, bound)
			}
		})
	}
}

func TestEachFailsFast(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage()
		names := []string{"a", "b", "c", "d", "e"}
		results, err := Each(t.Context(), EachOptions{Limit: 2}, names, func(ctx context.Context, i int, name string) (string, error) {
			return s.play(name, time.Duration(i+1)*100*ms, map[string]error{"c": errBroken}[name])(ctx)
		})
		// a to 100, b to 200, c from 100 to 400, d from 200
		if failed, ok := errors.AsType[*ItemError](err); !ok || failed.Index != 2 || !errors.Is(err, errBroken) {
			t.Errorf("got %v, want that item 2 is broken", err)
		}
		s.at(t, 400*ms)
		s.was(t, "d", 200*ms, 400*ms, ErrSiblingFailed)
		s.never(t, "e")
		if !slices.Equal(values(results), []string{"a", "b", "c", "", ""}) || !errors.Is(results[4].Err, ErrSiblingFailed) {
			t.Errorf("results %+v", results)
		}
	})
}

func TestEachMaySettle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage()
		names := []string{"a", "b", "c", "d"}
		results, err := Each(t.Context(), EachOptions{Limit: 2, Settle: true}, names, func(ctx context.Context, _ int, name string) (string, error) {
			return s.play(name, 100*ms, map[string]error{"a": errBroken}[name])(ctx)
		})
		if err != nil || !errors.Is(results[0].Err, errBroken) || !slices.Equal(values(results[1:]), []string{"b", "c", "d"}) {
			t.Errorf("got %+v, %v", results, err)
		}
		s.at(t, 200*ms)
	})
}

func TestNoCallsAreAtOnceDone(t *testing.T) {
	ctx := t.Context()
	if results, err := All[int](ctx, 0, nil); len(results) != 0 || err != nil {
		t.Errorf("All: %v, %v", results, err)
	}
	if results, err := Each(ctx, EachOptions{}, nil, func(context.Context, int, int) (int, error) { return 0, nil }); len(results) != 0 || err != nil {
		t.Errorf("Each: %v, %v", results, err)
	}
	if o, err := First[int](ctx, 0, nil); o.Winner != -1 || err == nil {
		t.Errorf("First: %+v, %v", o, err)
	}
	if e, err := Vote[int](ctx, VoteOptions[int]{MostVotes: true}, nil); e.Winner != -1 || err == nil {
		t.Errorf("Vote: %+v, %v", e, err)
	}
}

func TestStarts(t *testing.T) {
	for _, c := range []struct {
		waiting, running, limit int
		over                    bool
		want                    int
	}{
		{waiting: 5, want: 5},
		{waiting: 5, limit: 2, want: 2},
		{waiting: 5, running: 1, limit: 2, want: 1},
		{waiting: 5, running: 2, limit: 2, want: 0},
		{waiting: 1, running: 0, limit: 2, want: 1},
		{waiting: 0, running: 1, limit: 2, want: 0},
		{waiting: 5, over: true, want: 0},
	} {
		if got := starts(c.waiting, c.running, c.limit, c.over); got != c.want {
			t.Errorf("%+v: %d", c, got)
		}
	}
}
