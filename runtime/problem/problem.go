// Package problem holds the one type of error that the gateway answers with, and one writer per protocol that puts it
// into the form that protocol's clients expect.
//
// Everything that a writer writes is safe to show: it comes from this package, from the configuration, or from the request
// itself. What an upstream said stays in the cause, which no writer reads; the exception is Said, which has been filtered.
package problem

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/go-json-experiment/json/jsontext"
)

// Error is an answer other than success, in no protocol's form yet. Make one with a constructor; With… methods return
// changed copies, so that an Error may be shared.
type Error struct {
	Status     int           // HTTP status
	Code       Code          // what went wrong, for programs
	Message    string        // what went wrong, for people; never empty
	Violations []Violation   // for InvalidRequest and MalformedJSON: every field that is wrong
	Param      string        // the request's parameter at fault, if one is
	RetryAfter time.Duration // how long to wait before trying again; 0 says nothing
	Allow      []string      // for MethodNotAllowed: the methods that the path has

	// Answer is what the route itself has answered, if that came too late for a status: events of streams have it.
	Answer *Answer

	// said is what an upstream said of it, for writers whose clients are the upstream's own; nil for nothing.
	said  *Said
	cause error
}

// Answer is a route's own answer.
type Answer struct {
	Status int             `json:"status"`
	Body   json.RawMessage `json:"body"`
}

// Violation is one thing wrong with a request, in the shape of FastAPI's 422 detail (since 0.100, with Pydantic 2).
type Violation struct {
	Type string `json:"type"` // Pydantic's error type, such as missing or string_too_short
	Loc  []any  `json:"loc"`  // where: "body", "path", "query" or "header", then names (string), indexes (int), Tags and NumberTags
	Msg  string `json:"msg"`  // for people
	// Input is what was sent. It is nil unless the route asks for an echo: it may be a secret or a prompt.
	Input *any           `json:"input,omitempty"`
	Ctx   map[string]any `json:"ctx,omitempty"` // the numbers and names in Msg, for programs
}

// Tag is a step of a Loc that the request does not have: it names which form of a value was meant, where a property of it
// distinguishes its forms.
type Tag string

// NumberTag is a Tag that is a number.
type NumberTag int64

// Error gives code and message only: the cause may quote what a client or an upstream sent, so a log that wants it
// has to unwrap it on purpose.
func (e *Error) Error() string { return string(e.Code) + ": " + e.Message }

// Unwrap gives the cause, or nil.
func (e *Error) Unwrap() error { return e.cause }

// WithCause returns a copy of e with what led to it. The cause is for errors.Is and for logs, never for clients.
func (e *Error) WithCause(cause error) *Error {
	c := *e
	c.cause = cause
	return &c
}

// WithMessage returns a copy of e with another sentence for people. It must hold no secret and nothing that an
// upstream said.
func (e *Error) WithMessage(message string) *Error {
	c := *e
	c.Message = message
	return &c
}

// New makes the error of a code, with that code's usual status and message. A code that is not one of this package's
// is a programming error and gives Internal.
func New(code Code) *Error {
	m, ok := meanings[code]
	if !ok {
		code, m = Internal, meanings[Internal]
	}
	return &Error{Status: m.status, Code: code, Message: m.message}
}

// Invalid is 422: the body is JSON but breaks the rules listed. Violations that say that the body is not JSON at all
// (type json_invalid) make it MalformedJSON.
func Invalid(violations []Violation) *Error {
	code := InvalidRequest
	if len(violations) > 0 && violations[0].Type == TypeJSONInvalid {
		code = MalformedJSON
	}
	e := New(code)
	e.Violations = violations
	return e
}

// WrongValue is 422 for one parameter of a request; want is what it has to be.
func WrongValue(param, want string) *Error {
	e := New(InvalidRequest).WithMessage("Invalid value for \"" + param + "\": it must be " + want + ".")
	e.Param = param
	return e
}

// Unreadable is 400 for a body that is not the JSON object that it has to be, at most maxDepth levels deep.
func Unreadable(cause error, maxDepth int) *Error {
	message := fmt.Sprintf("The request body must be one JSON object, without repeated names, at most %d levels deep", maxDepth)
	if e, ok := errors.AsType[*jsontext.SyntacticError](cause); ok {
		message += fmt.Sprintf("; it is not at byte %d", e.ByteOffset)
	}
	return New(MalformedJSON).WithMessage(message + ".").WithCause(cause)
}

// TypeJSONInvalid is the type of the one violation that a body gets which cannot be read as JSON.
const TypeJSONInvalid = "json_invalid"

// NoModel is 404 for a model name that the service does not have.
func NoModel(name string) *Error {
	e := New(ModelNotFound)
	e.Param = "model"
	e.Message = fmt.Sprintf("The model %q does not exist. GET /v1/models lists those that do.", clip(name))
	return e
}

// NoPrevious is 400, as OpenAI's API has it, for a response that cannot be continued because it is not kept here; param names it.
func NoPrevious(param, id string) *Error {
	e := New(PreviousNotFound)
	e.Param = param
	e.Message = fmt.Sprintf("Previous response with id %q not found.", clip(id))
	return e
}

// NotAllowed is 405 for a path that has other methods, which the answer lists.
func NotAllowed(allow []string) *Error {
	e := New(MethodNotAllowed)
	e.Allow = allow
	return e
}

// TooLarge is 413 for a body over limit bytes.
func TooLarge(limit int64) *Error {
	return New(PayloadTooLarge).WithMessage(fmt.Sprintf("The request body is over the limit of %d bytes.", limit))
}

// WrongMediaType is 415; want is the media type that the route reads.
func WrongMediaType(want string) *Error {
	return New(UnsupportedMediaType).WithMessage(fmt.Sprintf("The request's content type must be %s.", want))
}

// Busy is 429: this replica has no room; after says when there may be some.
func Busy(after time.Duration) *Error { return retry(Overloaded, after) }

// GoingAway is 503: this replica drains; after says when another will be found under the same name.
func GoingAway(after time.Duration) *Error { return retry(Draining, after) }

// NoEndpoint is 503: the upstream has endpoints, but none that may be tried within after.
func NoEndpoint(after time.Duration) *Error { return retry(UpstreamUnavailable, after) }

// FromUpstream turns the status of an upstream's unusable answer into ours. What the client can fix keeps its
// status, so that its SDK does not try again in vain: 400, 413, 414, 415, 422 and 431, of which 414 and 431 say that a value is too
// long for a path, a query or a header. 429 and 503 keep theirs with Retry-After. The
// rest is 502, also 401, 403 and 404: the credentials and the address are the gateway's, not the client's.
func FromUpstream(status int, after time.Duration) *Error {
	switch status {
	case 400, 413, 414, 415, 422, 431:
		e := New(UpstreamRejected)
		e.Status = status
		return e
	case 429:
		return retry(UpstreamOverloaded, after)
	case 503:
		return retry(UpstreamUnavailable, after)
	case 408, 504:
		return New(UpstreamTimeout)
	default:
		return New(UpstreamError)
	}
}

func retry(code Code, after time.Duration) *Error {
	e := New(code)
	e.RetryAfter = after
	return e
}

// maxShown bounds a client's own words in a message, in bytes.
const maxShown = 128

// clip shortens s for a message. It may cut within a rune: %q and JSON encoding both put that right.
func clip(s string) string {
	if len(s) <= maxShown {
		return s
	}
	return s[:maxShown] + "…"
}
