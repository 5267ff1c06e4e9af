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
	reserved, err := f.budget.reserveTokens(ctx, request.TokenLimit(), f.siblings)
	if err != nil {
		return nil, err
	}
	var used openai.Tokens
	defer func() { f.budget.spend(reserved, used) }()
	asked := *request
	asked.MaxTokens, asked.Stream = reserved, tokens != nil
	asked.IncludeUsage = tokens != nil && tokens.writer != nil || reserved > 0
	done, err := f.ask(ctx, u, &asked, tokens)
	if err != nil {
		return nil, err
	}
	used = done.Tokens
	return done, nil
}

// ask makes the call. The request as JSON is in memory for as long.
func (f *frame) ask(
	ctx context.Context, u *upstream.Upstream, request *openai.Chat, tokens *outlet,
) (*openai.Completion, error) {
	encoded := relay.Copies * request.Size()
	if err := f.reserve(ctx, encoded); err != nil {
		return nil, err
	}
	defer f.memory.Return(encoded)
	plan := chatPlan(u, request)
	plan.Memory = f.memory
	if tokens != nil {
		return f.completeStreamed(ctx, plan, tokens)
	}
	return f.completeWhole(ctx, plan)
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

// wholeCopies is how often a model's whole answer is held: as it came, as text, and as what templates see of the message.
const wholeCopies = 3

func (f *frame) completeWhole(ctx context.Context, plan *upstream.Plan) (*openai.Completion, error) {
	var done *openai.Completion
	_, err := f.fetch(ctx, plan, upstream.Expect{Check: func(a *upstream.Fetched) error {
		return f.replace(ctx, a.Body, wholeCopies*len(a.Body), func() (err error) { //nolint:contextcheck // it takes turns, and not long
			done, err = openai.ParseCompletion(a.Body)
			return err
		})
	}})
	return done, err
}

// fetch gets a whole answer within the request's budget.
func (f *frame) fetch(ctx context.Context, plan *upstream.Plan, want upstream.Expect) (*upstream.Fetched, error) {
	if err := f.budget.open(); err != nil {
		return nil, err
	}
	room := f.budget.room()
	want.MaxBytes, want.Keep, want.Drop = room, f.budget.keep, f.budget.drop
	plan.Memory = f.memory
	answer, failure := upstream.Fetch(ctx, f.env.Client, f.budget.counted(plan.Attempts()), want, f.env.Observe)
	if failure.Kind != relay.NoFailure {
		if errors.Is(failure.Err, relay.ErrTooLong) && room < upstream.MaxWhole {
			failure.Kind = relay.FailedBudget
		}
		return nil, failure
	}
	return answer, nil
}

// replace builds something of so many bytes of a text that relay.ReadAll has read, and that nobody needs any more then.
// What is built is admitted before.
func (f *frame) replace(ctx context.Context, text []byte, size int, build func() error) error {
	more := max(size+cap(text)-relay.Held(text), 0)
	if err := f.memory.Reserve(ctx, more); err != nil {
		return err //nolint:wrapcheck // it is a Failure already
	}
	if err := build(); err != nil {
		f.memory.Return(more)
		return err
	}
	f.memory.Return(relay.Held(text) + more - size)
	return nil
}

// collectedCopies is how often a streamed answer is held: as it is collected, then as text, as a message, and as what
// templates see of that.
const collectedCopies = 4

func (f *frame) completeStreamed(ctx context.Context, plan *upstream.Plan, tokens *outlet) (*openai.Completion, error) {
	if err := f.budget.open(); err != nil {
		return nil, err
	}
	kept := collected{frame: f, memory: relay.Meter{Memory: f.memory}}
	tap := func() relay.Tap {
		kept.drop()
		kept.Collector = openai.NewCollector(func(bytes int) error { return kept.keep(ctx, bytes) })
		if tokens.unread {
			kept.Forget()
		}
		return openai.NewTapWith(openai.TapOptions{Writer: tokens.writer, Collector: kept.Collector, HoldDone: true})
	}
	failure := upstream.Stream(ctx, f.env.Client, f.budget.counted(plan.Attempts()), tap, tokens, f.env.Observe)
	if failure.Kind != relay.NoFailure {
		kept.drop()
		return nil, failure
	}
	done := kept.Completion()
	return done, tokens.stream.note(ctx, f.request, done.Text)
}

// collected is what is kept of a streamed answer.
type collected struct {
	*openai.Collector

	frame  *frame
	bytes  int
	memory relay.Meter
}

func (c *collected) keep(ctx context.Context, bytes int) error {
	if err := c.frame.budget.keep(bytes); err != nil {
		return err
	}
	c.bytes += bytes
	return c.memory.Grow(ctx, collectedCopies*bytes) //nolint:wrapcheck // it is a Failure already
}

// drop forgets an attempt.
func (c *collected) drop() {
	c.frame.budget.drop(c.bytes)
	c.memory.Empty()
	c.bytes = 0
}
