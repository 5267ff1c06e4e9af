package flow

import (
	"context"
	"fmt"
	"net/http"

	"github.com/llmservice/llmservice/runtime/config"
	"github.com/llmservice/llmservice/runtime/expr"
	"github.com/llmservice/llmservice/runtime/relay"
)

// set names a value.
type set struct{ value *expr.Tree }

func (s *set) perform(ctx context.Context, f *frame) (any, error) {
	value, err := f.tree(ctx, s.value)
	if err != nil {
		return nil, fmt.Errorf("set.value: %w", err)
	}
	return value, nil
}

// respond ends the route with an answer.
type respond struct {
	status int
	body   *expr.Tree
}

func (c *compiler) respond(r *config.Respond) *respond {
	return &respond{status: r.Status, body: c.program.Tree(&r.Body)}
}

func (r *respond) perform(ctx context.Context, f *frame) (any, error) {
	reply := &relay.Reply{Status: r.status, Header: http.Header{}}
	if r.body != nil {
		body, err := f.json(ctx, r.body)
		if err != nil {
			return nil, fmt.Errorf("respond.body: %w", err)
		}
		reply = relay.JSON(body)
		reply.Status = r.status
	}
	return nil, &answeredError{reply: reply}
}
