package flow

import (
	"context"
	"fmt"
	"net/http"

	"github.com/llmservice/llmservice/runtime/config/program"
	"github.com/llmservice/llmservice/runtime/relay"
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
	reply := &relay.Reply{Status: r.Status, Header: http.Header{}}
	if r.Body != nil {
		body, err := f.json(ctx, r.Body)
		if err != nil {
			return nil, fmt.Errorf("respond.body: %w", err)
		}
		reply = relay.JSON(body)
		reply.Status = r.Status
	}
	return nil, &answeredError{reply: reply}
}
