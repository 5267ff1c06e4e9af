package flow

import (
	"context"
	"errors"

	"github.com/llmservice/llmservice/runtime/llm"
	"github.com/llmservice/llmservice/runtime/relay"
	"github.com/llmservice/llmservice/runtime/upstream"
)

// complete asks a model for a completion within the request's budget, which decides some of the chat. If tokens is not nil, it gets
// the text as it comes.
func (f *frame) complete(
	ctx context.Context, u *upstream.Upstream, request *llm.Chat, tokens *outlet,
) (*llm.Completion, error) {
	tokens = tokens.speaking(u.Dialect)
	c, err := f.charge(ctx, u.Dialect.TokenLimit(request.Parameters))
	if err != nil {
		return nil, err
	}
	defer c.settle()
	request.MaxTokens, request.Stream = c.reserved, tokens != nil
	request.CountUsage = true
	request.IncludeUsage = tokens != nil && tokens.writer != nil || c.reserved > 0
	return c.ask(ctx, u, request, tokens)
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
	return c.planOf(u, func(u *upstream.Upstream) (*upstream.Question, error) {
		q, hide, err := chatQuestion(u, request)
		if err == nil {
			reads(q, hide)
		}
		return q, err
	})
}

// chatQuestion is the question in the upstream's dialect; hide means that a stream's usage is only for the gateway.
func chatQuestion(u *upstream.Upstream, request *llm.Chat) (q *upstream.Question, hide bool, err error) {
	asked, err := u.Dialect.AskChat(request, u.Model)
	if err != nil {
		return nil, false, err //nolint:wrapcheck // it names the member
	}
	return upstream.NewQuestion(asked), asked.HideUsage, nil
}

// planOf asks an upstream on behalf of the charge.
func (c *charge) planOf(u *upstream.Upstream, ask func(u *upstream.Upstream) (*upstream.Question, error)) *upstream.Plan {
	c.asked[0] = u
	c.plan = upstream.Plan{Upstreams: c.asked[:], Memory: c.memory, Spend: c.spend, Ask: ask}
	if c.env.HashKeys[u.Name] != nil {
		c.plan.Key = c.key
	}
	return &c.plan
}

// wholeCopies is how often a model's whole answer is in memory: as it came, as text, and as the message for templates.
const wholeCopies = 3

func (c *charge) completeWhole(ctx context.Context, u *upstream.Upstream, request *llm.Chat) (*llm.Completion, error) {
	plan := c.planOf(u, func(u *upstream.Upstream) (*upstream.Question, error) {
		q, _, err := chatQuestion(u, request)
		if err == nil {
			q.Read = func(a *upstream.Fetched) error { return c.read(ctx, u.Dialect, q.Used, a.Body) }
		}
		return q, err
	})
	_, err := c.fetch(ctx, plan, upstream.Expect{})
	return c.done, err
}

// read reads a whole answer.
func (c *charge) read(ctx context.Context, d llm.Dialect, used *llm.Used, body []byte) error {
	return c.replace(ctx, body, wholeCopies*len(body), func() (err error) {
		if c.done, err = d.ReadCompletion(body); err != nil {
			return err //nolint:wrapcheck // it names what is wrong with the answer
		}
		used.Count(c.done.Tokens, c.done.Bytes())
		return nil
	})
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
