package gather

import "testing"

// every calls see with each way to fill the marked ballots with one of the choices.
func every(ballots []ballot, choices []ballot, see func([]ballot)) {
	for i, b := range ballots {
		if b.in {
			continue
		}
		for _, choice := range choices {
			ballots[i] = choice
			every(ballots, choices, see)
		}
		ballots[i] = ballot{}
		return
	}
	see(ballots)
}

var (
	spoilt  = ballot{in: true, spoilt: true}
	choices = []ballot{{in: true, key: ""}, {in: true, key: "b"}, {in: true, key: "c"}, spoilt}
)

// partial calls see with every state that a vote of n can be in.
func partial(n int, see func([]ballot)) {
	pending := ballot{in: true, key: "pending"}
	every(make([]ballot, n), append([]ballot{pending}, choices...), func(states []ballot) {
		ballots := make([]ballot, n)
		for i, b := range states {
			if b != pending {
				ballots[i] = b
			}
		}
		see(ballots)
	})
}

// The most votes decide as soon as all possible continuations of the vote elect the same key, and not before.
func TestMostVotesStopAsSoonAsNothingCanChange(t *testing.T) {
	const n = 5
	most := rule{quorum: n + 1, mostVotes: true}
	partial(n, func(ballots []ballot) {
		ends := map[standing]bool{}
		every(ballots, append([]ballot{{in: true, key: "new"}}, choices...), func(all []ballot) {
			leader := count(all).leader()
			ends[standing{key: leader.key, votes: min(leader.votes, 1)}] = true // who wins, if anybody
		})
		leader, got := most.decide(count(ballots))
		want := open
		if len(ends) == 1 {
			want = elected
			if ends[standing{}] {
				want = undecidable
			}
		}
		if got != want || want == elected && !ends[standing{key: leader.key, votes: 1}] {
			t.Errorf("%+v: %v for %+v, want %v", ballots, got, leader, want)
		}
	})
}

// A vote with a quorum is over when a key has it, or none can get it, and not before.
func TestAQuorumStopsWhenItIsReachedOrOutOfReach(t *testing.T) {
	const n = 5
	for quorum := 1; quorum <= n+1; quorum++ {
		partial(n, func(ballots []ballot) {
			within := false
			every(ballots, append([]ballot{{in: true, key: "new"}}, choices...), func(all []ballot) {
				within = within || count(all).leader().votes >= quorum
			})
			want := undecidable
			if count(ballots).leader().votes >= quorum {
				want = elected
			} else if within {
				want = open
			}
			if leader, got := (rule{quorum: quorum}).decide(count(ballots)); got != want {
				t.Errorf("quorum %d, %+v: %v for %+v, want %v", quorum, ballots, got, leader, want)
			}
		})
	}
}

func TestCount(t *testing.T) {
	got := count([]ballot{{}, {in: true, key: "b"}, spoilt, {in: true, key: "a"}, {in: true, key: "b"}, {}})
	leader := got.leader()
	if leader != (standing{key: "b", votes: 2, first: 1}) || got.out != 2 || got.firstOut != 0 || len(got.standings) != 2 {
		t.Errorf("got %+v, leader %+v", got, leader)
	}
}
