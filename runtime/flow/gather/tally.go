package gather

// ballot is the vote of one voter, if any.
type ballot struct {
	in     bool // the voter has ended
	spoilt bool // without a vote
	key    string
}

func (b ballot) valid() bool { return b.in && !b.spoilt }

// standing is the position of a key.
type standing struct {
	key   string
	votes int
	first int // the first voter, in order, that voted for it
}

// beats orders standings: by votes, then by the order of voters.
func (s standing) beats(o standing) bool {
	return s.votes > o.votes || s.votes == o.votes && s.first < o.first
}

// tally is a count of ballots.
type tally struct {
	standings []standing // in the order of their first voters
	out       int        // voters that have not ended
	firstOut  int        // the first of them, in order
}

func count(ballots []ballot) tally {
	var t tally
	place := map[string]int{}
	for i, b := range ballots {
		switch {
		case !b.in:
			if t.out == 0 {
				t.firstOut = i
			}
			t.out++
		case !b.spoilt:
			at, known := place[b.key]
			if !known {
				at = len(t.standings)
				place[b.key] = at
				t.standings = append(t.standings, standing{key: b.key, first: i})
			}
			t.standings[at].votes++
		}
	}
	return t
}

// leader is the zero standing if nobody has voted.
func (t tally) leader() (best standing) {
	for _, s := range t.standings {
		if s.beats(best) {
			best = s
		}
	}
	return best
}

// settled reports whether the leader stays ahead no matter how the remaining voters vote. The best case for any other key, even
// one without votes so far, is that all of them vote for it.
func (t tally) settled(leader standing) bool {
	if t.out == 0 {
		return true
	}
	if (standing{votes: t.out, first: t.firstOut}).beats(leader) {
		return false
	}
	for _, s := range t.standings {
		best := standing{votes: s.votes + t.out, first: min(s.first, t.firstOut)}
		if s.key != leader.key && best.beats(leader) {
			return false
		}
	}
	return true
}

// state is the state of a vote.
type state int

const (
	open state = iota
	elected
	undecidable
)

// rule decides when a key is elected.
type rule struct {
	quorum    int
	mostVotes bool // decide even if no key reaches the quorum
}

// decide returns the leading key, and the state of the vote.
func (r rule) decide(t tally) (standing, state) {
	leader := t.leader()
	switch {
	case leader.votes >= r.quorum:
		return leader, elected
	case !r.mostVotes && leader.votes+t.out < r.quorum, leader.votes+t.out == 0:
		return leader, undecidable
	case r.mostVotes && t.settled(leader):
		return leader, elected
	}
	return leader, open
}
