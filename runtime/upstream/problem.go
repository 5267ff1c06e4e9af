package upstream

import (
	"time"

	"github.com/llmservice/llmservice/runtime/problem"
	"github.com/llmservice/llmservice/runtime/relay"
)

// retrySoon is the Retry-After that clients get if no better time is known.
const retrySoon = time.Second

// Problem returns what a client gets for an error, without the upstream's text, which may repeat keys and prompts (but see
// Told). Only this function turns a relay.Failure into a problem. An error in the route's own steps is a problem already, and
// stays as it is; an error that is neither is a fault of the gateway.
func Problem(err error) *problem.Error {
	switch fault := relay.FaultOf(err).(type) { //nolint:errorlint // not wrapped
	case *problem.Error:
		return fault
	case relay.Failure:
		return describe(fault).WithCause(fault)
	}
	return problem.New(problem.Internal).WithCause(err)
}

func describe(f relay.Failure) *problem.Error {
	switch f.Kind {
	case relay.FailedStatus:
		return problem.FromUpstream(f.Status, f.RetryAfter)
	case relay.FailedConnect, relay.FailedAddress:
		return problem.New(problem.UpstreamUnreachable)
	case relay.FailedDial, relay.FailedHeader, relay.FailedFirstToken, relay.FailedIdle, relay.FailedTotal:
		return late(f.Kind)
	case relay.FailedTruncated:
		return problem.New(problem.UpstreamTruncated)
	case relay.FailedMalformed, relay.FailedEvent, relay.FailedTooLarge:
		return problem.New(problem.UpstreamError)
	case relay.FailedCredential:
		return problem.NoEndpoint(retrySoon)
	case relay.FailedTimeout:
		if f.Limit != "" {
			return problem.New(problem.Timeout).WithMessage(f.Limit)
		}
		return problem.New(problem.Timeout)
	case relay.FailedDuration:
		return problem.New(problem.DurationExceeded)
	case relay.FailedDraining:
		return problem.GoingAway(retrySoon)
	case relay.FailedBudget:
		return problem.New(problem.BudgetExceeded)
	case relay.FailedMemory, relay.FailedBusy:
		return problem.Busy(retrySoon)
	case relay.FailedSchema:
		return problem.New(problem.ResponseInvalid)
	case relay.NoFailure, relay.FailedClient, relay.FailedSuperseded, relay.FailedPanic:
	}
	return problem.New(problem.Internal)
}

// late is what a client gets when a timer of an upstream has run out: the message says which one.
func late(timer relay.FailureKind) *problem.Error {
	e := problem.New(problem.UpstreamTimeout)
	switch timer { //nolint:exhaustive // the others are not timers; a whole answer that took too long has the code's own message
	case relay.FailedDial:
		return problem.New(problem.UpstreamUnreachable).WithMessage("The upstream could not be connected to in time.")
	case relay.FailedHeader:
		return e.WithMessage("The upstream did not begin to answer in time.")
	case relay.FailedFirstToken:
		return e.WithMessage("The upstream sent no content in time.")
	case relay.FailedIdle:
		return e.WithMessage("The upstream was silent for too long.")
	}
	return e
}
