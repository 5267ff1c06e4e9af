package flow

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/llmservice/llmservice/runtime/config/program"
	"github.com/llmservice/llmservice/runtime/relay"
	"github.com/llmservice/llmservice/runtime/requestlog"
)

// action is the work of a step.
type action interface {
	perform(ctx context.Context, f *frame) (any, error)
}

// guarded is work with the settings that steps, branches and the items of a forEach share.
type guarded struct {
	program.Guard
	action action
}

// settled is how guarded work ended: with a value, without one, or with an error.
type settled struct {
	value any
	// ran is false if there is no value: the work was skipped, or failed and is allowed to.
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
		if err = f.sendValue(ctx, value); err != nil {
			return settled{}, err
		}
		f.tellStep(stateSucceeded)
		return settled{value: value, ran: true}, nil
	}
	if _, done := answered(err); done {
		return settled{}, err
	}
	f.tellStep(stateFailed)
	if g.OnError == nil || ctx.Err() != nil {
		return settled{}, err
	}
	result, err := settle(ctx, f, g.OnError, err)
	if err == nil && result.ran {
		err = f.sendValue(ctx, result.value)
	}
	return result, err
}

func (g *guarded) wanted(ctx context.Context, f *frame) (bool, error) {
	if g.When == nil {
		return true, nil
	}
	value, err := f.value(ctx, g.When)
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
	ctx, cancel := within(ctx, g.Timeout)
	defer cancel()
	value, err := g.action.perform(ctx, f)
	return value, because(ctx, err)
}

// within bounds a context by the timeout of the step, branch or function that it is of; 0 sets none.
func within(ctx context.Context, timeout time.Duration) (context.Context, context.CancelFunc) {
	if timeout <= 0 {
		return ctx, func() {}
	}
	cause := relay.Failure{Kind: relay.FailedTimeout}
	if at := requestlog.PlaceIn(ctx); at != "" {
		cause.Limit = fmt.Sprintf("%s took longer than its timeout, which is %s.", at, timeout)
	}
	return context.WithTimeoutCause(ctx, timeout, cause)
}

// step is guarded work with a value to which others can refer.
type step struct {
	name string
	guarded
}

// runSteps runs the steps in order; their values are added to the frame's.
func runSteps(ctx context.Context, steps []*step, f *frame) error {
	values := map[string]any{}
	f.vars["steps"], f.running = values, steps
	for _, s := range steps {
		at := requestlog.At(ctx, "steps", s.name)
		result, err := s.runGuarded(at, f.ofStep(s.name))
		if err != nil {
			return fmt.Errorf("step %s: %w", s.name, requestlog.Placed(at, err))
		}
		if result.ran {
			values[s.name] = result.value
		}
	}
	return nil
}

// settle handles the failure of work as onError says.
func settle(ctx context.Context, f *frame, o *program.OnError, failed error) (settled, error) {
	f = f.with("error", f.errorValue(failed))
	switch {
	case o.Respond != nil:
		_, err := (&respond{o.Respond}).perform(ctx, f)
		if ended, ok := answered(err); ok {
			ended.instead = failed
		}
		return settled{}, err
	case o.Value != nil:
		value, err := f.tree(ctx, o.Value)
		if err != nil {
			return settled{}, fmt.Errorf("onError.value: %w", err)
		}
		return settled{value: value, ran: true}, nil
	}
	return settled{}, nil
}
