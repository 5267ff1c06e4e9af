package flow

import (
	"context"
	"errors"

	"github.com/llmservice/llmservice/runtime/llm"
	"github.com/llmservice/llmservice/runtime/relay"
	"github.com/llmservice/llmservice/runtime/upstream"
)

// complete asks a model for a completion within the request's budget. If tokens is not nil, it gets the text as it comes.
func (f *frame) complete(
	ctx context.Context, u *upstream.Upstream, request *llm.Chat, tokens *outlet,
) (*llm.Completion, error) {
	tokens = tokens.speaking(u.Dialect)
	c, err := f.charge(ctx, u.Dialect.TokenLimit(request.Parameters))
	if err != nil {
		return nil, err
	}
	defer c.settle()
	asked := *request
	asked.MaxTokens, asked.Stream = c.reserved, tokens != nil
	asked.CountUsage = true
	asked.IncludeUsage = tokens != nil && tokens.writer != nil || c.reserved > 0
	return c.ask(ctx, u, &asked, tokens)
}

// ask makes the call. The request stays in memory as JSON until the end.
func (c *charge) ask(
	ctx context.Context, u *upstream.Upstream, request *llm.Chat, tokens *outlet,
) (*llm.Completion, error) {
	encoded := relay.Copies * request.Size()
	if err := c.reserve(ctx, encoded); err != nil {
		return nil, err
	}
	defer c.memory.Return(encoded)
	if tokens != nil {
		return c.completeStreamed(ctx, u, request, tokens)
	}
	return c.completeWhole(ctx, u, request)
}

// chatPlan asks an upstream, in its dialect. reads sets, for each attempt, how its answer is read; hide means that the usage is
// only for the gateway.
func (c *charge) chatPlan(u *upstream.Upstream, request *llm.Chat, reads func(q *upstream.Question, hide bool)) *upstream.Plan {
	return &upstream.Plan{
		Upstreams: []*upstream.Upstream{u},
		Key:       c.key,
		Memory:    c.memory,
		Spend:     c.spend,
		Ask: func(u *upstream.Upstream) (*upstream.Question, error) {
			asked, err := u.Dialect.AskChat(request, u.Model)
			if err != nil {
				return nil, err //nolint:wrapcheck // it names the member
			}
			q := upstream.NewQuestion(asked)
			reads(q, asked.HideUsage)
			return q, nil
		},
	}
}

// wholeCopies is how often a model's whole answer is in memory: as it came, as text, and as the message for templates.
const wholeCopies = 3

func (c *charge) completeWhole(ctx context.Context, u *upstream.Upstream, request *llm.Chat) (*llm.Completion, error) {
	var done *llm.Completion
	plan := c.chatPlan(u, request, func(q *upstream.Question, _ bool) {
		q.Read = func(a *upstream.Fetched) error {
			return c.replace(ctx, a.Body, wholeCopies*len(a.Body), func() (err error) {
				if done, err = u.Dialect.ReadCompletion(a.Body); err != nil {
					return err //nolint:wrapcheck // it names what is wrong with the answer
				}
				q.Used.Count(done.Tokens, done.Bytes())
				return nil
			})
		}
	})
	_, err := c.fetch(ctx, plan, upstream.Expect{})
	return done, err
}

// fetch gets a whole answer within the request's budget.
func (f *frame) fetch(ctx context.Context, plan *upstream.Plan, want upstream.Expect) (*upstream.Fetched, error) {
	if err := f.budget.open(); err != nil {
		return nil, err
	}
	room := f.budget.room()
	want.MaxBytes, want.Keep, want.Drop = room, f.budget.keep, f.budget.drop
	answer, err := upstream.Fetch(ctx, f.env.Client, f.budget.counted(plan.Attempts()), want, f.env.Observe)
	if errors.Is(err, relay.ErrTooLong) && room < upstream.MaxWhole {
		return nil, relay.Failure{Kind: relay.FailedBudget, Err: errors.Unwrap(err)}
	}
	return answer, err //nolint:wrapcheck // it is a Failure already
}

// replace builds a value of this many bytes from a text of relay.ReadAll that nobody needs afterwards. Memory for the value is
// reserved before.
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

// collectedCopies is how often a streamed answer is in memory: in the collecting buffer, in the buffer before it while it
// grows, and as text, which templates and the next turn share.
const collectedCopies = 4

func (c *charge) completeStreamed(
	ctx context.Context, u *upstream.Upstream, request *llm.Chat, tokens *outlet,
) (*llm.Completion, error) {
	if err := c.budget.open(); err != nil {
		return nil, err
	}
	kept := collected{frame: c.frame, memory: relay.Meter{Memory: c.memory}}
	plan := c.chatPlan(u, request, func(q *upstream.Question, hide bool) {
		kept.drop()
		kept.Collector = llm.NewCollector(func(bytes int) error { return kept.keep(ctx, bytes) })
		if tokens.unread {
			kept.Forget()
		}
		q.Tap = llm.NewTap(u.Dialect, llm.TapOptions{
			Writer: tokens.writer, Rest: tokens.rest, Collector: kept.Collector, HoldDone: true,
			HideUsage: hide, Used: q.Used,
		})
	})
	if err := upstream.Stream(ctx, c.env.Client, c.budget.counted(plan.Attempts()), tokens, c.env.Observe); err != nil {
		kept.drop()
		return nil, err //nolint:wrapcheck // it is a Failure already
	}
	done := kept.Completion()
	return done, tokens.stream.note(ctx, c.request, done.Text)
}

// collected is the part of a streamed answer that is kept.
type collected struct {
	*llm.Collector

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
