package flow

import (
	"context"
	"errors"

	"github.com/llmservice/llmservice/runtime/flow/gather"
	"github.com/llmservice/llmservice/runtime/relay"
	"github.com/llmservice/llmservice/runtime/requestlog"
)

// The error of a step stays what it is, a relay.Failure or an error with a *problem.Error, wrapped in errors that say where it
// happened, until upstream.Problem turns it into a client's.

// because replaces the error to which the end of a context led by the reason for that end.
func because(ctx context.Context, err error) error {
	if err == nil || ctx.Err() == nil {
		return err
	}
	return requestlog.InPlaceOf(err, relay.FailureOf(ctx, err, relay.FailedTimeout))
}

// errorValue is an error as templates see it, without an upstream's own words.
func (f *frame) errorValue(err error) map[string]any {
	e := f.reported(err)
	return map[string]any{"code": string(e.Code), "message": e.Message}
}

// tellPanics reports the calls that panicked, even those on which nothing depended.
func tellPanics[T any](f *frame, results []gather.CallResult[T]) {
	for i := range results {
		if p, ok := errors.AsType[*gather.PanicError](results[i].Err); ok {
			f.env.Panicked(p.Type, p.Stack)
		}
	}
}
