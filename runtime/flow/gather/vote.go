package gather

import "context"

// Voter is one of the calls of a vote.
type Voter[T any] struct {
	Name string
	Run  func(ctx context.Context) (T, error)
}

// VoteOptions configure how votes are read and counted.
type VoteOptions[T any] struct {
	// Key returns the key for which a value votes. Its error is a failure of the voter, who then has no vote.
	Key func(ctx context.Context, value T) (string, error)
	// Quorum is how many votes elect a key; 0 means more than half of all voters, including those that fail.
	Quorum int
	// MostVotes elects the key with the most votes if none reaches the quorum; in a tie, that of the first voter in order.
	// Without it, such a vote is undecided.
	MostVotes bool
	// Limit is how many voters run at once; 0 means all.
	Limit int
}

// Election is the result of a vote.
type Election[T any] struct {
	// Key is the key that has won.
	Key string
	// Winner is the index of the first voter, in order, that voted for Key; -1 if the vote is undecided.
	Winner int
	// Value is that of the winner.
	Value T
	// Votes counts the votes for each key, up to the decision.
	Votes map[string]int
	// Results has one for each voter.
	Results []CallResult[T]
}

// Vote asks all voters, and stops as soon as no missing vote could change the result: those voters are cancelled (ErrDecided).
// The error is an UndecidedError if no key wins.
func Vote[T any](ctx context.Context, o VoteOptions[T], voters []Voter[T]) (Election[T], error) {
	rule := rule{quorum: o.Quorum, mostVotes: o.MostVotes}
	if rule.quorum <= 0 {
		rule.quorum = len(voters)/2 + 1
	}
	ballots := make([]ballot, len(voters))
	run := func(ctx context.Context, i int) (vote[T], error) { return ask(ctx, voters[i].Run, o.Key) }
	results, err := fan(ctx, len(voters), o.Limit, run, func(i int, r CallResult[vote[T]]) error {
		ballots[i] = ballot{in: true, spoilt: r.Err != nil, key: r.Value.key}
		if _, state := rule.decide(count(ballots)); state == open {
			return nil
		}
		return ErrDecided
	})
	election := announce(ballots, results)
	if err != nil {
		return election, err
	}
	leader, state := rule.decide(count(ballots))
	if state != elected {
		return election, undecided(rule.quorum, leader.votes, voters, ballots, results)
	}
	election.Key, election.Winner, election.Value = leader.key, leader.first, results[leader.first].Value.value
	return election, nil
}

// vote is a voter's value, and the key for which it votes.
type vote[T any] struct {
	value T
	key   string
}

func ask[T any](
	ctx context.Context, run func(context.Context) (T, error), key func(context.Context, T) (string, error),
) (v vote[T], err error) {
	if v.value, err = run(ctx); err == nil {
		v.key, err = key(ctx, v.value)
	}
	return v, err
}

// announce is the part of an election that does not depend on whether a key won.
func announce[T any](ballots []ballot, results []CallResult[vote[T]]) Election[T] {
	e := Election[T]{Winner: -1, Votes: map[string]int{}, Results: make([]CallResult[T], len(results))}
	for i, r := range results {
		e.Results[i] = CallResult[T]{Value: r.Value.value, Err: r.Err}
		if ballots[i].valid() {
			e.Votes[ballots[i].key]++
		}
	}
	return e
}

func undecided[T any](quorum, most int, voters []Voter[T], ballots []ballot, results []CallResult[vote[T]]) error {
	e := &UndecidedError{Quorum: quorum, Most: most}
	for i, b := range ballots {
		if b.spoilt {
			e.Failed = append(e.Failed, &BranchError{Branch: voters[i].Name, Err: results[i].Err})
		}
	}
	return e
}
