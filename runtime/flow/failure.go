package flow

import (
	"errors"

	"github.com/llmservice/llmservice/runtime/flow/gather"
	"github.com/llmservice/llmservice/runtime/problem"
	"github.com/llmservice/llmservice/runtime/relay"
	"github.com/llmservice/llmservice/runtime/upstream"
)

// problemOf turns what went wrong in a step into what clients are told.
func problemOf(err error) *problem.Error {
	if e, ok := errors.AsType[*problem.Error](err); ok {
		return e
	}
	if f, ok := errors.AsType[relay.Failure](err); ok {
		return upstream.Problem(f)
	}
	return problem.New(problem.Internal).WithCause(err)
}

// failureOf turns what went wrong in a step into how a stream failed.
func failureOf(err error) relay.Failure {
	if f, ok := errors.AsType[relay.Failure](err); ok {
		return f
	}
	return relay.Failure{Kind: relay.FailedStep, Err: problemOf(err)}
}

// errorValue is what templates see of an error. An upstream's own words are not among it.
func errorValue(err error) map[string]any {
	e := problemOf(err)
	return map[string]any{"code": string(e.Code), "message": e.Message}
}

// answeredError ends a route with an answer that a step made.
type answeredError struct{ reply *relay.Reply }

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
