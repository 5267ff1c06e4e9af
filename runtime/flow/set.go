package flow

import (
	"context"
	"fmt"

	"github.com/llmservice/llmservice/runtime/config/program"
)

// set names a value.
type set struct{ *program.Set }

func (c *compiler) Set(s *program.Set) made { return made{action: &set{s}} }

func (s *set) perform(ctx context.Context, f *frame) (any, error) {
	value, err := f.tree(ctx, s.Value)
	if err != nil {
		return nil, fmt.Errorf("set.value: %w", err)
	}
	return value, nil
}

// respond ends the route with an answer.
type respond struct{ *program.Respond }

func (c *compiler) Respond(r *program.Respond) made { return made{action: &respond{r}} }

func (r *respond) perform(ctx context.Context, f *frame) (any, error) {
	var body []byte
	if r.Body != nil {
		var err error
		if body, err = f.json(ctx, r.Body); err != nil {
			return nil, fmt.Errorf("respond.body: %w", err)
		}
	}
	reply, err := f.reply(ctx, r.Head, r.Body, body)
	if err != nil {
		return nil, fmt.Errorf("respond.%w", err)
	}
	reply.Status = r.Status
	return nil, &answeredError{reply: reply, body: body}
}
