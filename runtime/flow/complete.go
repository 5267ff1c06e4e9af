package flow

import (
	"context"
	"errors"

	"github.com/llmservice/llmservice/runtime/protocol/openai"
	"github.com/llmservice/llmservice/runtime/relay"
	"github.com/llmservice/llmservice/runtime/upstream"
)

// complete asks a model for a completion within the request's budget. Tokens, where not nil, gets the text as it comes.
func (f *frame) complete(
	ctx context.Context, u *upstream.Upstream, request *openai.Chat, tokens *outlet,
) (*openai.Completion, error) {
	left, err := f.budget.tokensLeft()
	if err != nil {
		return nil, err
	}
	asked := *request
	asked.MaxTokens, asked.Stream = left, tokens != nil
	asked.IncludeUsage = tokens != nil && tokens.writer != nil || left > 0
	plan := chatPlan(u, &asked)
	var done *openai.Completion
	if tokens != nil {
		done, err = f.streamed(ctx, plan, tokens)
	} else {
		done, err = f.whole(ctx, plan)
	}
	if err != nil {
		return nil, err
	}
	f.budget.spend(done.Tokens)
	return done, nil
}

func chatPlan(u *upstream.Upstream, request *openai.Chat) *upstream.Plan {
	plan := &upstream.Plan{
		Upstreams: []*upstream.Upstream{u},
		Path:      openai.ChatPath,
		Accept:    "application/json",
		Body:      func(u *upstream.Upstream) ([]byte, error) { return request.Body(u.Model) },
	}
	if request.Stream {
		plan.Accept = "text/event-stream"
	}
	return plan
}

func (f *frame) whole(ctx context.Context, plan *upstream.Plan) (*openai.Completion, error) {
	var done *openai.Completion
	_, err := f.fetch(ctx, plan, upstream.Expect{Check: func(a *upstream.Fetched) (err error) {
		done, err = openai.ParseCompletion(a.Body)
		return err
	}})
	return done, err
}

// fetch gets a whole answer within the request's budget.
func (f *frame) fetch(ctx context.Context, plan *upstream.Plan, want upstream.Expect) (*upstream.Fetched, error) {
	room, err := f.budget.room()
	if err != nil {
		return nil, err
	}
	want.MaxBytes = room
	answer, failure := upstream.Fetch(ctx, f.env.Client, f.budget.counted(plan.Attempts()), want, f.env.Observe)
	if failure.Kind != relay.NoFailure {
		if failure.Kind == relay.FailedTooLarge && room < upstream.MaxWhole {
			failure.Kind = relay.FailedBudget
		}
		return nil, failure
	}
	return answer, f.budget.keep(len(answer.Body))
}

func (f *frame) streamed(ctx context.Context, plan *upstream.Plan, tokens *outlet) (*openai.Completion, error) {
	room, err := f.budget.room()
	if err != nil {
		return nil, err
	}
	var collector *openai.Collector
	tap := func() relay.Tap {
		collector = openai.NewCollector(room)
		return openai.NewTapWith(openai.TapOptions{Writer: tokens.writer, Collector: collector, HoldDone: true})
	}
	failure := upstream.Stream(ctx, f.env.Client, f.budget.counted(plan.Attempts()), tap, tokens, f.env.Observe)
	switch {
	case failure.Kind == relay.FailedTooLarge && errors.Is(failure, openai.ErrTooLong):
		return nil, relay.Failure{Kind: relay.FailedBudget}
	case failure.Kind != relay.NoFailure:
		return nil, failure
	}
	done := collector.Completion()
	tokens.stream.note(done.Text)
	return done, f.budget.keep(len(done.Message))
}
