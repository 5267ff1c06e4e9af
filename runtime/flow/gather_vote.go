package flow

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/llmservice/llmservice/runtime/config"
	"github.com/llmservice/llmservice/runtime/config/program"
	"github.com/llmservice/llmservice/runtime/flow/gather"
	"github.com/llmservice/llmservice/runtime/problem"
)

// vote takes the value on which most branches agree.
type vote struct {
	*program.Gather

	needed int // the number of votes without which there cannot be a winner
}

// Vote implements config.Strategies.
func (s strategies) Vote() strategy { return vote{s.Gather, s.How().Needed(s.Gather.Gather)} }

func (s vote) combine(ctx context.Context, f *frame, branches []*branch) (any, error) {
	voters := make([]gather.Voter[any], len(branches))
	for i, b := range branches {
		voters[i] = gather.Voter[any]{Name: b.name, Run: func(ctx context.Context) (any, error) {
			return b.wins(ctx, b.frame(f))
		}}
	}
	key := func(ctx context.Context, value any) (string, error) {
		voted := f.with("result", value).knowing("result", func([]any) origin { return originOfAll(f, branches) })
		text, err := voted.text(ctx, s.VoteKey)
		if err != nil {
			return "", fmt.Errorf("vote.key: %w", err)
		}
		return text, nil
	}
	decides := gather.VoteOptions[any]{Key: key, Quorum: s.Vote.Quorum, MostVotes: s.Vote.Ties == config.TiesMostVotes}
	election, err := gather.Vote(ctx, decides, voters)
	tellPanics(f, election.Results)
	if err != nil {
		if len(branches)-unwanted(election.Results) < s.needed && onlySkipped(err) {
			return nil, errAllSkipped
		}
		return nil, undecided(err)
	}
	votes := map[string]any{}
	for k, n := range election.Votes {
		votes[k] = int64(n)
	}
	return map[string]any{
		"key": election.Key, "branch": branches[election.Winner].name, "value": election.Value, "votes": votes,
	}, nil
}

// undecided distinguishes a vote in which all voters disagree from one that lacks the votes of failed branches, and returns the
// branches' error for that one.
func undecided(err error) error {
	if onlySkipped(err) {
		return problem.New(problem.VoteUndecided).WithCause(err)
	}
	return err
}

// onlySkipped reports whether a vote is undecided without a failed branch.
func onlySkipped(err error) bool {
	e, ok := errors.AsType[*gather.UndecidedError](err)
	return ok && !slices.ContainsFunc(e.Failed, func(failed error) bool { return !errors.Is(failed, errSkipped) })
}
