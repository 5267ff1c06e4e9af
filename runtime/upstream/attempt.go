package upstream

import (
	"context"
	"io"
	"net/http"
	"net/netip"
	"time"

	"github.com/llmservice/llmservice/runtime/problem"
	"github.com/llmservice/llmservice/runtime/relay"
	"github.com/llmservice/llmservice/runtime/wire"
)

// Next chooses the attempt that follows a failure (zero before the first). With a nil attempt comes the failure
// to report. It may wait until the attempt may be made, or ctx ends.
type Next func(ctx context.Context, after relay.Failure) (*Attempt, relay.Failure)

// Attempt is one call of one endpoint.
type Attempt struct {
	Call *Call
	// Upstream is the configured name of what is called, for logs and metrics.
	Upstream string
	// Header, above 0, bounds the wait for the head of the answer, from the moment the call is made.
	Header time.Duration
	// Number counts the attempts of one request, from 1, and Began is when this one did, for logs.
	Number int
	Began  time.Time
	// FirstToken bounds the wait for the first content event, from the moment the call is made.
	FirstToken time.Duration
	// Idle bounds the silence between two events.
	Idle time.Duration
	// Total bounds a whole answer; streams have no such bound.
	Total time.Duration
	// Tap reads the events of a streamed answer; nil where the answer comes whole.
	Tap FrameTap
	// Read takes a whole answer of a status that was wanted; nil takes all. What it returns is a relay.Failure, or makes the answer
	// malformed.
	Read func(a *Fetched) error
	// Explain makes of the body of an answer that refuses the request what its sender may be told, also of an empty body.
	// It is nil where the sender's request is not what the upstream was sent.
	Explain func(body []byte) *problem.Said
	// Memory admits what the attempt keeps of its answer; nil is relay.Unlimited.
	Memory relay.Memory
	// Release is called once when the attempt has ended.
	Release func()
	// Settle, where set, is told once how the attempt ended; the zero failure is a success.
	Settle func(f relay.Failure)
	// Answered, where set, is told once that a stream's first content has come.
	Answered func()
}

// Call is an HTTP request of an upstream.
type Call struct {
	Method string
	URL    string
	Header http.Header
	Body   []byte
	// Connect bounds dialling, TLS included.
	Connect time.Duration
	// Secure, where set, is how an https connection is made; one that was made with another is not used.
	Secure *Secure
	// Address, where valid, is what a connection is made to in place of an address of the URL's host. TLS and the request are
	// still the host's.
	Address netip.Addr
	// MaxAge, above 0, is how old a connection may be.
	MaxAge time.Duration
	// Once says that the request is not idempotent: a client may send it again only where it cannot have arrived whole.
	Once bool
}

// Answer is the head of an upstream's response, and the body still to be read.
type Answer struct {
	Status int
	Header http.Header
	Body   io.ReadCloser
	// Length is how long the body is said to be, in bytes; below 1, nobody has said.
	Length int64
}

// Fetched is a whole answer of an upstream.
type Fetched struct {
	Status int
	Header http.Header
	Body   []byte
}

// Doer makes calls. The answer's body ends with an error when ctx ends. Where nothing was sent, the error is a
// relay.Failure that says so.
type Doer interface {
	Do(ctx context.Context, c *Call) (*Answer, error)
}

// FrameTap reads the frames of one attempt as they pass.
type FrameTap interface {
	// Frame appends to dst what shall be sent in the frame's place and says what the frame was. In place of an empty dst it may
	// return the frame's own bytes, where these are more than relay.Retained.
	Frame(dst []byte, f *wire.Frame) ([]byte, relay.EventKind)
	// Failure says why the last frame was relay.Broken, in words of which none is the upstream's.
	Failure() relay.Failure
}

// call makes the attempt's call. end ends ctx, which the answer's body is read with.
func (a *Attempt) call(ctx context.Context, end context.CancelCauseFunc, c Doer) (*Answer, error) {
	if a.Header > 0 {
		timer := time.AfterFunc(a.Header, func() { end(relay.Failure{Kind: relay.FailedHeader}) })
		defer timer.Stop()
	}
	return c.Do(ctx, a.Call) //nolint:wrapcheck // it is a Failure, or made one
}
