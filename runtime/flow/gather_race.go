package flow

import (
	"context"
	"time"

	"github.com/llmservice/llmservice/runtime/flow/gather"
)

// first takes the first success; further branches start after their delay, or when others fail.
type first struct{ hedgeDelay time.Duration }

// First implements config.Strategies.
func (s strategies) First() strategy { return first{s.wait()} }

func (s first) combine(ctx context.Context, f *frame, branches []*branch) (any, error) {
	outcome, err := gather.First(ctx, s.hedgeDelay, contenders(f, branches))
	tellPanics(f, outcome.Results)
	return winner(branches, outcome, err)
}

// fallback takes the first branch, in order, that succeeds.
type fallback struct{ firstToken time.Duration }

// Fallback implements config.Strategies.
func (s strategies) Fallback() strategy { return fallback{s.wait()} }

func (s fallback) combine(ctx context.Context, f *frame, branches []*branch) (any, error) {
	outcome, err := gather.Fallback(ctx, s.firstToken, contenders(f, branches))
	tellPanics(f, outcome.Results)
	return winner(branches, outcome, err)
}

// contenders are branches of which one wins. If the gather is streamed, the branch that sends the first content wins.
func contenders(f *frame, branches []*branch) []gather.Contender[any] {
	all := make([]gather.Contender[any], len(branches))
	for i, b := range branches {
		all[i] = gather.Contender[any]{
			Name: b.name, MayRun: b.mayRun(f),
			Run: func(ctx context.Context, commit func() bool) (any, error) {
				inner := b.frame(f)
				if f.tokens != nil {
					inner.tokens = f.tokens // the gather itself is streamed
				}
				inner.tokens = inner.tokens.contested(commit)
				return b.wins(ctx, inner)
			},
		}
	}
	return all
}

// mayRun reports whether a branch would not be skipped. If its when fails, it runs, and fails.
func (b *branch) mayRun(f *frame) func(context.Context) bool {
	if b.When == nil {
		return nil
	}
	return func(ctx context.Context) bool {
		wanted, err := b.wanted(ctx, b.frame(f))
		return wanted || err != nil
	}
}

func winner(branches []*branch, outcome gather.RaceOutcome[any], err error) (any, error) {
	if err != nil {
		if unwanted(outcome.Results) == len(branches) {
			err = errAllSkipped
		}
		return nil, err //nolint:wrapcheck // it names the branches
	}
	value := map[string]any{"branch": branches[outcome.Winner].name, "value": outcome.Value}
	if completion, ok := outcome.Value.(map[string]any); ok {
		for _, name := range []string{"text", "finishReason", "usage", "upstream"} {
			if member, has := completion[name]; has {
				value[name] = member
			}
		}
	}
	return value, nil
}
