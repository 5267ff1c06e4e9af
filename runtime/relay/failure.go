package relay

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/llmservice/llmservice/runtime/problem"
)

// FailureKind names what went wrong with an attempt, or what ended a request; it is a metric's label.
type FailureKind string

// The kinds of failures.
const (
	// NoFailure is the zero value: nothing was tried yet.
	NoFailure FailureKind = ""
	// FailedConnect means that no connection could be made, or it broke before a response began.
	FailedConnect FailureKind = "connect"
	// FailedDial means that no connection could be made in time, TLS included.
	FailedDial FailureKind = "connect_timeout"
	// FailedAddress means that the upstream's name was resolved to an address that the gateway may not connect to.
	FailedAddress FailureKind = "address_refused"
	// FailedStatus is an answer with a status that is not wanted: for most, one that is not 2xx.
	FailedStatus FailureKind = "status"
	// FailedHeader means that the head of the answer did not come in time.
	FailedHeader FailureKind = "header_timeout"
	// FailedFirstToken means that no content came in time.
	FailedFirstToken FailureKind = "first_token_timeout"
	// FailedIdle is a stream that fell silent.
	FailedIdle FailureKind = "idle_timeout"
	// FailedTotal is a whole answer that took too long.
	FailedTotal FailureKind = "total_timeout"
	// FailedTruncated is an answer that ended before the protocol says it may.
	FailedTruncated FailureKind = "truncated"
	// FailedMalformed is an answer that is not of the protocol.
	FailedMalformed FailureKind = "malformed"
	// FailedEvent is an error that the upstream reported within a stream.
	FailedEvent FailureKind = "error_event"
	// FailedTooLarge is an answer, or an event, above the gateway's bounds.
	FailedTooLarge FailureKind = "too_large"
	// FailedCredential means that the upstream's secret cannot be read.
	FailedCredential FailureKind = "credential"
	// FailedTimeout is the route's own timeout, which is not the upstream's fault.
	FailedTimeout FailureKind = "timeout"
	// FailedDuration is a stream at its maximal duration.
	FailedDuration FailureKind = "stream_duration"
	// FailedDraining is a stream that the drain's deadline ended.
	FailedDraining FailureKind = "draining"
	// FailedClient is a client that went away, or did not read.
	FailedClient FailureKind = "client_left"
	// FailedSuperseded is a call whose result is not needed any more: another branch has won, or the vote is decided.
	FailedSuperseded FailureKind = "superseded"
	// FailedBudget is a request that has spent what its route allows it.
	FailedBudget FailureKind = "budget"
	// FailedMemory is a request for which the replica had no memory, which is not the upstream's fault.
	FailedMemory FailureKind = "memory"
	// FailedBusy is an upstream that has as many calls as it may have: none ended in time.
	FailedBusy FailureKind = "busy"
	// FailedSchema is an answer that breaks its route's response schema.
	FailedSchema FailureKind = "schema"
	// FailedPanic is a fault of the gateway itself.
	FailedPanic FailureKind = "panic"
)

// Failure is what went wrong with an attempt. Its text goes to logs and never to clients.
//
//nolint:errname // it is a value that says what happened; that it can be a context's cause makes it an error too
type Failure struct {
	Kind FailureKind
	// Status is the upstream's HTTP status where Kind is FailedStatus.
	Status int
	// RetryAfter is how long the upstream asked to be left alone; 0 if it did not.
	RetryAfter time.Duration
	// Unsent says that nothing of the request was sent, so that anyone may be asked instead.
	Unsent bool
	// Limit says, for the client, which timeout has passed; it is empty for the route's own. Its words are those of the config.
	Limit string
	// Said is what the upstream said is wrong with the request, filtered, for the client that sent it and no other;
	// nil if it may not be passed on. Error leaves it out.
	Said *problem.Said
	Err  error
}

// Error describes the failure for logs.
func (f Failure) Error() string {
	switch {
	case f.Kind == FailedStatus:
		return fmt.Sprintf("upstream answered with status %d", f.Status)
	case f.Err != nil:
		return fmt.Sprintf("%s: %v", f.Kind, f.Err)
	}
	return string(f.Kind)
}

// Unwrap returns the cause.
func (f Failure) Unwrap() error { return f.Err }

// FailureOf returns the reason why work under ctx failed with err: the failure that err is, or that ctx was cancelled with
// (context.Cause), else the client's leaving where ctx has ended, else a failure of the given kind.
func FailureOf(ctx context.Context, err error, otherwise FailureKind) Failure {
	if f, ok := errors.AsType[Failure](err); ok {
		return f
	}
	if ctx.Err() == nil {
		return Failure{Kind: otherwise, Err: err}
	}
	if f, ok := errors.AsType[Failure](context.Cause(ctx)); ok {
		return f
	}
	return Failure{Kind: FailedClient, Err: err}
}

// FaultOf is the first of an error's causes that determines what clients see: a Failure, or a *problem.Error of code that
// failed for its own reason. It is nil for a fault of the gateway or of its configuration.
func FaultOf(err error) error {
	switch e := err.(type) { //nolint:errorlint // it walks the tree itself, and stops at the outermost
	case *problem.Error, Failure:
		return e
	case interface{ Unwrap() error }:
		return FaultOf(e.Unwrap())
	case interface{ Unwrap() []error }:
		for _, inner := range e.Unwrap() {
			if fault := FaultOf(inner); fault != nil {
				return fault
			}
		}
	}
	return nil
}

// FailureKindOf is the kind of the Failure that FaultOf finds; NoFailure where it finds none.
func FailureKindOf(err error) FailureKind {
	f, _ := FaultOf(err).(Failure) //nolint:errorlint // it is one as it stands
	return f.Kind
}

// Result is how a request ended.
type Result string

// The results.
const (
	// Replied is a whole answer, of any status.
	Replied Result = "replied"
	// StreamDone is a stream that ended as its protocol says.
	StreamDone Result = "done"
	// StreamFailed is a stream that ended with an error event, or was refused before it began.
	StreamFailed Result = "failed"
	// ClientLeft is a client that went away, or did not read, before the answer was complete.
	ClientLeft Result = "cancelled"
)

// Outcome is what came of a request.
type Outcome struct {
	Result Result
	// Status is the HTTP status sent, 0 if none was.
	Status int
	// Err is why the answer did not end as it should; nil if it did. Its text goes to logs and never to clients.
	Err error
	// FirstContent is the time from the verdict to the first content event sent; 0 if none was.
	FirstContent time.Duration
	// Duration is the time from the verdict to the end.
	Duration time.Duration
}
