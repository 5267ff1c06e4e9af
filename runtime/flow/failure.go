package flow

import (
	"context"
	"errors"

	"github.com/llmservice/llmservice/runtime/expr"
	"github.com/llmservice/llmservice/runtime/flow/gather"
	"github.com/llmservice/llmservice/runtime/problem"
	"github.com/llmservice/llmservice/runtime/relay"
	"github.com/llmservice/llmservice/runtime/upstream"
)

// An attempt fails with a relay.Failure, which becomes a *problem.Error once: here, for the client. A step that fails for a reason
// of its own fails with an error that carries the problem, which a stream's Failure then carries as it is.

// faultOf is the first of an error's causes that says how clients are told of it: a *problem.Error, or a relay.Failure.
// It is nil for a fault of the gateway or of its configuration.
func faultOf(err error) error {
	switch e := err.(type) { //nolint:errorlint // it walks the tree itself, and stops at the outermost
	case *problem.Error, relay.Failure:
		return e
	case *expr.Error:
		if errors.Is(e, expr.ErrSpent) {
			return relay.Failure{Kind: relay.FailedBudget, Err: e}
		}
		return faultOf(e.Unwrap())
	case interface{ Unwrap() error }:
		return faultOf(e.Unwrap())
	case interface{ Unwrap() []error }:
		for _, inner := range e.Unwrap() {
			if fault := faultOf(inner); fault != nil {
				return fault
			}
		}
	}
	return nil
}

// problemOf turns what went wrong in a step into what clients are told.
func problemOf(err error) *problem.Error {
	switch fault := faultOf(err).(type) { //nolint:errorlint // it is one of these as it stands
	case *problem.Error:
		return fault
	case relay.Failure:
		return upstream.Problem(fault)
	}
	return problem.New(problem.Internal).WithCause(err)
}

// failureOf turns what went wrong in a step into how a stream failed.
func failureOf(err error) relay.Failure {
	if f, ok := faultOf(err).(relay.Failure); ok { //nolint:errorlint // likewise
		return f
	}
	return relay.Failure{Kind: relay.FailedStep, Err: problemOf(err)}
}

// failedBy says whether an error is a failure of the kind.
func failedBy(err error, kind relay.FailureKind) bool {
	f, ok := faultOf(err).(relay.Failure) //nolint:errorlint // likewise
	return ok && f.Kind == kind
}

// because puts the reason for which a context ended in the place of what that led to.
func because(ctx context.Context, err error) error {
	if err == nil || ctx.Err() == nil {
		return err
	}
	return relay.FailureOf(ctx, err, relay.FailedTimeout)
}

// errorValue is what templates see of an error. An upstream's own words are not among it.
func (f *frame) errorValue(err error) map[string]any {
	e := f.problem(err)
	return map[string]any{"code": string(e.Code), "message": e.Message}
}

// answeredError ends a route with an answer that a step made.
type answeredError struct {
	reply *relay.Reply
	// instead is the failure in whose place the answer stands; nil for none.
	instead error
}

func (*answeredError) Error() string { return "the route has been answered" }

func answered(err error) (*answeredError, bool) { return errors.AsType[*answeredError](err) }

// tellPanics reports the calls that panicked, also those on which nothing depended.
func tellPanics[T any](f *frame, results []gather.Result[T]) {
	for i := range results {
		if p, ok := errors.AsType[*gather.PanicError](results[i].Err); ok {
			f.env.Panicked(p.Type, p.Stack)
		}
	}
}
