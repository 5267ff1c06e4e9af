package gather

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// voter answers "KEY of NAME".
func (s *stage) voter(name, key string, takes time.Duration, err error) Voter[string] {
	run := s.play(name, takes, err)
	return Voter[string]{Name: name, Run: func(ctx context.Context) (string, error) {
		_, err := run(ctx)
		return key + " of " + name, err
	}}
}

func keyOf(_ context.Context, value string) (string, error) {
	key, _, _ := strings.Cut(value, " of ")
	if key == "?" {
		return "", errBroken
	}
	return key, nil
}

func TestVote(t *testing.T) {
	type vote struct {
		key  string
		at   time.Duration
		fail error
	}
	const hour = time.Hour
	for name, c := range map[string]struct {
		options VoteOptions[string]
		votes   []vote
		key     string
		winner  int // -1 if undecided
		counts  map[string]int
		at      time.Duration
	}{
		"a majority stops it": {
			votes: []vote{{"yes", hour, nil}, {"no", 100 * ms, nil}, {"yes", 200 * ms, nil}, {"yes", 300 * ms, nil}, {"yes", 400 * ms, nil}},
			key:   "yes", winner: 2, counts: map[string]int{"yes": 3, "no": 1}, at: 400 * ms,
		},
		"half is no majority": {
			votes:  []vote{{"yes", 100 * ms, nil}, {"yes", 200 * ms, nil}, {"no", 300 * ms, nil}, {"no", 400 * ms, nil}},
			winner: -1, counts: map[string]int{"yes": 2, "no": 2}, at: 400 * ms,
		},
		"a quorum below the majority": {
			options: VoteOptions[string]{Quorum: 1},
			votes:   []vote{{"yes", hour, nil}, {"no", 100 * ms, nil}},
			key:     "no", winner: 1, counts: map[string]int{"no": 1}, at: 100 * ms,
		},
		"out of reach at once": {
			options: VoteOptions[string]{Quorum: 3},
			votes:   []vote{{"yes", 100 * ms, nil}, {"no", 200 * ms, nil}, {"yes", hour, nil}},
			winner:  -1, counts: map[string]int{"yes": 1, "no": 1}, at: 200 * ms,
		},
		"failures put it out of reach": {
			votes:  []vote{{"yes", hour, nil}, {"", 100 * ms, errBroken}, {"?", 200 * ms, nil}},
			winner: -1, counts: map[string]int{}, at: 200 * ms,
		},
		"failures are outvoted": {
			votes: []vote{{"yes", 300 * ms, nil}, {"", 100 * ms, errBroken}, {"yes", 200 * ms, nil}},
			key:   "yes", winner: 0, counts: map[string]int{"yes": 2}, at: 300 * ms,
		},
		"most votes": {
			options: VoteOptions[string]{MostVotes: true},
			votes:   []vote{{"a", 100 * ms, nil}, {"b", 200 * ms, nil}, {"c", 300 * ms, nil}, {"b", 400 * ms, nil}, {"", 500 * ms, errBroken}},
			key:     "b", winner: 1, counts: map[string]int{"a": 1, "b": 2, "c": 1}, at: 500 * ms,
		},
		"of equal ones the first": {
			options: VoteOptions[string]{MostVotes: true},
			votes:   []vote{{"a", 300 * ms, nil}, {"b", 100 * ms, nil}, {"c", 200 * ms, nil}},
			key:     "a", winner: 0, counts: map[string]int{"a": 1, "b": 1, "c": 1}, at: 300 * ms,
		},
		"a lead that nobody can catch": {
			options: VoteOptions[string]{MostVotes: true, Quorum: 5},
			votes:   []vote{{"a", 100 * ms, nil}, {"b", hour, nil}, {"a", 200 * ms, nil}, {"c", 300 * ms, nil}, {"a", 400 * ms, nil}},
			key:     "a", winner: 0, counts: map[string]int{"a": 3, "c": 1}, at: 400 * ms,
		},
		"a tie that comes too late in the order": {
			options: VoteOptions[string]{MostVotes: true, Quorum: 3},
			votes:   []vote{{"a", 100 * ms, nil}, {"b", 200 * ms, nil}, {"", 300 * ms, errBroken}, {"a", 400 * ms, nil}, {"b", hour, nil}},
			key:     "a", winner: 0, counts: map[string]int{"a": 2, "b": 1}, at: 400 * ms,
		},
		"nobody votes": {
			options: VoteOptions[string]{MostVotes: true},
			votes:   []vote{{"", 100 * ms, errBroken}, {"", 200 * ms, errBroken}},
			winner:  -1, counts: map[string]int{}, at: 200 * ms,
		},
		"one after the other": {
			options: VoteOptions[string]{Limit: 1},
			votes:   []vote{{"yes", 100 * ms, nil}, {"yes", 200 * ms, nil}, {"yes", hour, nil}},
			key:     "yes", winner: 0, counts: map[string]int{"yes": 2}, at: 300 * ms,
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newStage()
				c.options.Key = keyOf
				var voters []Voter[string]
				for i, v := range c.votes {
					voters = append(voters, s.voter(string(rune('0'+i)), v.key, v.at, v.fail))
				}
				e, err := Vote(t.Context(), c.options, voters)
				s.at(t, c.at)
				if diff := cmp.Diff(c.counts, e.Votes); diff != "" || e.Key != c.key || e.Winner != c.winner {
					t.Errorf("won %d with %q: %v %s", e.Winner, e.Key, err, diff)
				}
				var undecided *UndecidedError
				switch {
				case c.winner < 0 && !errors.As(err, &undecided):
					t.Errorf("got %v, want an UndecidedError", err)
				case c.winner >= 0 && (err != nil || e.Value != c.key+" of "+voters[c.winner].Name):
					t.Errorf("got %q, %v", e.Value, err)
				}
				for i, v := range c.votes {
					if v.at == hour && !errors.Is(e.Results[i].Err, ErrDecided) {
						t.Errorf("voter %d, who was not needed: %v", i, e.Results[i].Err)
					}
				}
			})
		})
	}
}

func TestALateVoterIsCancelledAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage()
		_, err := Vote(t.Context(), VoteOptions[string]{Key: keyOf}, []Voter[string]{
			s.voter("late", "no", time.Hour, nil), s.voter("a", "yes", 100*ms, nil), s.voter("b", "yes", 200*ms, nil),
		})
		if err != nil {
			t.Error(err)
		}
		s.was(t, "late", 0, 200*ms, ErrDecided)
	})
}

// Keys are made from models' answers.
func TestAnUndecidedVoteNamesFailuresButNoKeys(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage()
		_, err := Vote(t.Context(), VoteOptions[string]{Key: keyOf, Quorum: 3}, []Voter[string]{
			s.voter("a", "private", 100*ms, nil), s.voter("b", "", 200*ms, errBroken), s.voter("c", "?", 300*ms, nil),
			s.voter("cancelled", "private", time.Hour, nil),
		})
		const want = `no quorum: the strongest key has 1 of the 3 votes that it needs; branch "b": broken; branch "c": broken`
		if err == nil || err.Error() != want || !errors.Is(err, errBroken) {
			t.Errorf("got  %v\nwant %s", err, want)
		}
	})
}

// The votes so far do not decide after the client has left.
func TestAVoteDoesNotOutliveItsParent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage()
		ctx, cancel := context.WithTimeout(t.Context(), 200*ms)
		defer cancel()
		e, err := Vote(ctx, VoteOptions[string]{Key: keyOf, MostVotes: true}, []Voter[string]{
			s.voter("a", "yes", 100*ms, nil), s.voter("b", "no", time.Hour, nil), s.voter("c", "no", time.Hour, nil),
		})
		if !errors.Is(err, context.DeadlineExceeded) || e.Winner != -1 || e.Key != "" {
			t.Errorf("got %+v, %v", e, err)
		}
	})
}
