package flow

import (
	"context"
	"errors"
	"fmt"

	"github.com/llmservice/llmservice/runtime/expr"
	"github.com/llmservice/llmservice/runtime/upstream"
)

// target is the upstream of a step: the only one, or one that an expression chooses for each request.
type target struct {
	only   *upstream.Upstream
	choice *expr.Template // nil if there is only one
	among  map[string]*upstream.Upstream
}

// target finds the upstreams that a step may ask.
func (c *compiler) target(among []string, choice *expr.Template) (target, error) {
	t := target{choice: choice, among: map[string]*upstream.Upstream{}}
	for _, name := range among {
		u, ok := c.env.Upstreams[name]
		if !ok {
			return t, fmt.Errorf("there is no upstream %q", name)
		}
		t.only, t.among[name] = u, u
	}
	return t, nil
}

var errNotAmong = errors.New("upstream: the expression returned a name that is not one of upstreams")

// of is the upstream that is asked in the frame.
func (t *target) of(ctx context.Context, f *frame) (*upstream.Upstream, error) {
	if t.choice == nil {
		return t.only, nil
	}
	value, err := f.value(ctx, t.choice)
	if err != nil {
		return nil, fmt.Errorf("upstream: %w", err)
	}
	name, _ := value.(string)
	if u, ok := t.among[name]; ok {
		return u, nil
	}
	return nil, f.misfit(t.choice.Reads(), "returns the name of an upstream that this route does not choose from", errNotAmong)
}
