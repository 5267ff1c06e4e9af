package flow

import (
	"context"
	"errors"

	"github.com/llmservice/llmservice/runtime/flow/gather"
	"github.com/llmservice/llmservice/runtime/relay"
	"github.com/llmservice/llmservice/runtime/requestlog"
)

// What goes wrong in a step stays the error that it is, a relay.Failure or one with a *problem.Error, in whatever says where it
// happened, until a client is told of it: upstream.Problem.

// because puts the reason for which a context ended in place of what that led to.
func because(ctx context.Context, err error) error {
	if err == nil || ctx.Err() == nil {
		return err
	}
	return requestlog.InPlaceOf(err, relay.FailureOf(ctx, err, relay.FailedTimeout))
}

// errorValue is what templates see of an error. An upstream's own words are not among it.
func (f *frame) errorValue(err error) map[string]any {
	e := f.reported(err)
	return map[string]any{"code": string(e.Code), "message": e.Message}
}

// answeredError ends a route with an answer that a step made.
type answeredError struct {
	reply *relay.Reply
	// instead is the failure in whose place the answer stands; nil for none.
	instead error
}

func (*answeredError) Error() string { return "the route has been answered" }

// reason is why the answer is what it is.
func (e *answeredError) reason() error {
	if e.instead != nil {
		return loggable(e.instead)
	}
	return e
}

func answered(err error) (*answeredError, bool) { return errors.AsType[*answeredError](err) }

// tellPanics reports the calls that panicked, also those on which nothing depended.
func tellPanics[T any](f *frame, results []gather.CallResult[T]) {
	for i := range results {
		if p, ok := errors.AsType[*gather.PanicError](results[i].Err); ok {
			f.env.Panicked(p.Type, p.Stack)
		}
	}
}
