package flow

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/llmservice/llmservice/runtime/config"
	"github.com/llmservice/llmservice/runtime/expr"
	"github.com/llmservice/llmservice/runtime/relay"
)

// action is the work of a step.
type action interface {
	perform(ctx context.Context, f *frame) (any, error)
}

// guarded is work with what steps, branches and the items of a forEach have around it alike.
type guarded struct {
	when    *expr.Template
	timeout time.Duration
	onError *onError
	action  action
}

// settled is how guarded work ended: with a value, without one, or with an error.
type settled struct {
	value any
	// ran is false where there is no value: the work was skipped, or failed and may.
	ran bool
}

func (g *guarded) runGuarded(ctx context.Context, f *frame) (settled, error) {
	wanted, err := g.wanted(ctx, f)
	if err != nil || !wanted {
		if err == nil {
			f.tellStep(stateSkipped)
		}
		return settled{}, err
	}
	f.tellStep(stateStarted)
	value, err := g.attempt(ctx, f)
	if errors.Is(err, errAllSkipped) {
		f.tellStep(stateSkipped)
		return settled{}, nil
	}
	if err == nil {
		f.tellStep(stateSucceeded)
		return settled{value: value, ran: true}, nil
	}
	if _, done := answered(err); done {
		return settled{}, err
	}
	f.tellStep(stateFailed)
	if g.onError == nil || ctx.Err() != nil {
		return settled{}, err
	}
	return g.onError.settle(ctx, f, err)
}

func (g *guarded) wanted(ctx context.Context, f *frame) (bool, error) {
	if g.when == nil {
		return true, nil
	}
	value, err := f.value(ctx, g.when)
	if err != nil {
		return false, fmt.Errorf("when: %w", err)
	}
	wanted, ok := value.(bool)
	if !ok {
		return false, fmt.Errorf("when: is %T, want true or false", value)
	}
	return wanted, nil
}

func (g *guarded) attempt(ctx context.Context, f *frame) (any, error) {
	ctx, cancel := within(ctx, g.timeout)
	defer cancel()
	value, err := g.action.perform(ctx, f)
	return value, because(ctx, err)
}

// within bounds a context by a timeout of the manifest's; 0 sets none.
func within(ctx context.Context, timeout time.Duration) (context.Context, context.CancelFunc) {
	if timeout <= 0 {
		return ctx, func() {}
	}
	return context.WithTimeoutCause(ctx, timeout, relay.Failure{Kind: relay.FailedTimeout})
}

// step is guarded work whose value others can refer to.
type step struct {
	name string
	guarded
}

// runSteps runs the steps in order; their values are added to the frame's.
func runSteps(ctx context.Context, steps []*step, f *frame) error {
	values := map[string]any{}
	f.vars["steps"], f.running = values, steps
	for _, s := range steps {
		result, err := s.runGuarded(ctx, f.ofStep(s.name))
		if err != nil {
			return fmt.Errorf("step %s: %w", s.name, err)
		}
		if result.ran {
			values[s.name] = result.value
		}
	}
	return nil
}

// onError says what becomes of work that failed.
type onError struct {
	value   *expr.Tree
	respond *respond
}

func (c *compiler) onError(o *config.OnError) *onError {
	if o == nil {
		return nil
	}
	compiled := &onError{value: c.program.Tree(&o.Value)}
	if o.Respond != nil {
		compiled.respond = c.respond(o.Respond)
	}
	return compiled
}

func (o *onError) settle(ctx context.Context, f *frame, failed error) (settled, error) {
	f = f.with("error", f.errorValue(failed))
	switch {
	case o.respond != nil:
		_, err := o.respond.perform(ctx, f)
		if ended, ok := answered(err); ok {
			ended.instead = failed
		}
		return settled{}, err
	case o.value != nil:
		value, err := f.tree(ctx, o.value)
		if err != nil {
			return settled{}, fmt.Errorf("onError.value: %w", err)
		}
		return settled{value: value, ran: true}, nil
	}
	return settled{}, nil
}
