package upstream

import (
	"context"
	"io"
	"net/http"
	"net/netip"
	"time"

	"github.com/llmservice/llmservice/runtime/pieces"
	"github.com/llmservice/llmservice/runtime/problem"
	"github.com/llmservice/llmservice/runtime/relay"
	"github.com/llmservice/llmservice/runtime/wire"
)

// Next chooses the attempt that follows a failure, which is zero before the first attempt. If it returns no attempt, it returns
// the failure to report. It may wait until the attempt may be made, or until ctx ends.
type Next func(ctx context.Context, after relay.Failure) (*Attempt, relay.Failure)

// Attempt is one call of one endpoint.
type Attempt struct {
	Call *Call
	// Upstream is the configured name of the upstream, for logs and metrics.
	Upstream string
	// Header, if above 0, bounds the wait for the head of the answer, from the moment the call is made.
	Header time.Duration
	// Number counts the attempts of one request, from 1. Began is when this one began. Both are for logs.
	Number int
	Began  time.Time
	// FirstToken bounds the wait for the first content event, from the moment the call is made.
	FirstToken time.Duration
	// Idle bounds the silence between two events.
	Idle time.Duration
	// Total bounds a whole answer; streams have no such bound.
	Total time.Duration
	// Tap reads the events of a streamed answer; nil if the answer comes whole.
	Tap FrameTap
	// Read takes a whole answer whose status was accepted; nil takes all. An error that is not a relay.Failure makes the answer
	// malformed.
	Read func(a *Fetched) error
	// Explain turns the body of an answer that refuses the request, which may be empty, into what its sender may read. It is
	// nil if the upstream was not sent the sender's own request.
	Explain func(body []byte) *problem.Said
	// Memory admits what the attempt keeps of its answer; nil is relay.Unlimited.
	Memory relay.Memory
	// Turn, if set, is what the attempt holds of its upstream.
	Turn Turn
}

// Turn is told how far an attempt has come.
type Turn interface {
	// Answered is called once, when a stream's first content has come.
	Answered()
	// Release is called once when the attempt has ended, and then Settle, with its end; the zero failure is a success.
	Release()
	Settle(ctx context.Context, f relay.Failure)
}

// Release releases what the attempt holds of its upstream.
func (a *Attempt) Release() {
	if a.Turn != nil {
		a.Turn.Release()
	}
}

// Call is an HTTP request to an upstream.
type Call struct {
	Method string
	URL    string
	Header http.Header
	// Body is not read any more once Do has failed, or the answer's body has been closed.
	Body pieces.Text
	// Connect bounds dialling, TLS included.
	Connect time.Duration
	// Secure, if set, is the TLS of an https connection. A connection that was made with another one is not used.
	Secure *Secure
	// Address, if valid, is the address to connect to, in place of one of the URL's host. TLS and the request still use the
	// host.
	Address netip.Addr
	// MaxAge, if above 0, bounds the age of the connection.
	MaxAge time.Duration
	// Once means that the request is not idempotent: a client may send it again only if it cannot have arrived whole.
	Once bool
}

// Answer is the head of an upstream's response, and the body still to be read.
type Answer struct {
	Status int
	Header http.Header
	Body   io.ReadCloser
	// Length is the length that the upstream announced for the body, in bytes; below 1 if it announced none.
	Length int64
}

// Fetched is a whole answer of an upstream.
type Fetched struct {
	Status int
	Header http.Header
	Body   []byte
}

// Doer makes calls. The answer's body ends with an error when ctx ends. If nothing was sent, the error is a relay.Failure with
// Unsent set.
type Doer interface {
	Do(ctx context.Context, c *Call) (*Answer, error)
}

// FrameTap reads the frames of one attempt as they pass.
type FrameTap interface {
	// Frame appends to dst what is to be sent in the frame's place, and returns the kind of the frame. If dst is empty, it may
	// return the frame's own bytes instead, provided that these are more than relay.Retained.
	Frame(dst []byte, f *wire.Frame) ([]byte, relay.EventKind)
	// Failure returns why the last frame was relay.Broken, without any of the upstream's words.
	Failure() relay.Failure
}

// call makes the attempt's call. end ends ctx, under which the answer's body is read.
func (a *Attempt) call(ctx context.Context, end context.CancelCauseFunc, c Doer) (*Answer, error) {
	if a.Header > 0 {
		timer := time.AfterFunc(a.Header, func() { end(relay.Failure{Kind: relay.FailedHeader}) })
		defer timer.Stop()
	}
	return c.Do(ctx, a.Call) //nolint:wrapcheck // it is a Failure, or is made one
}
