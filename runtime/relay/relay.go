// Package relay is the seam between policy (what to answer) and bytes (how to read and write it).
//
// An Engine accepts connections, parses requests, reads bodies, writes, and notices who leaves; a Policy decides and knows
// no sockets. What lies between them is here, once for all engines: Serve takes a request through its exchange, and
// keeps the contract of its stream. A faster engine can replace runtime/engine/nethttp without a change of policy.
// relay/enginetest holds an engine to its part.
package relay

import (
	"context"
	"errors"
	"io"
	"mime"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/llmservice/llmservice/runtime/problem"
	"github.com/llmservice/llmservice/runtime/wire"
)

// Engine serves connections.
type Engine interface {
	// Serve accepts on l until ctx ends, then drains, and returns when nothing is in flight any more or the
	// drain's deadline has passed and what was left has been ended. It closes l.
	Serve(ctx context.Context, l net.Listener, p Policy) error
}

// Policy decides what to answer. Its methods are called by many goroutines at once.
type Policy interface {
	// Begin begins the exchange of a request whose head has been read. It does not wait.
	Begin(h *Head) Exchange
	// Panicked answers a request whose handling panicked, and reports it. The exchange is nil if Begin panicked.
	Panicked(x Exchange, value any) *Reply
}

// Exchange is one request, from its head to its end. What may change meanwhile, such as the config, it holds from its
// beginning.
type Exchange interface {
	// Memory is what the request may hold of the replica's, once it is admitted.
	Memory

	// Patience is how long Admit may wait; 0 is not at all.
	Patience() time.Duration
	// Admit is asked before the body is read. It returns nil, or the reply that refuses the request: a refusal needs no
	// body, so no client has to send one to learn of it. ctx ends when the client leaves, and when Patience is over.
	Admit(ctx context.Context) *Reply
	// BodyLimit bounds the request's body, in bytes.
	BodyLimit() int64
	// Decide is asked once the whole body has been read. ctx ends when the client leaves.
	Decide(ctx context.Context, r *Request) Verdict
	// Refuse answers a request whose body the engine could not read.
	Refuse(r Refusal) *Reply
	// Release is called once, when the request has ended, whether it was admitted or not. It gives back all that the
	// request holds.
	Release()
}

// Head is a request without its body.
type Head struct {
	Method string
	// Path is the decoded path.
	Path string
	// EscapedPath is the path as it was sent, so that an escaped slash can be told from one between segments.
	EscapedPath string
	// RawQuery is what follows the question mark, as it was sent.
	RawQuery string
	Header   http.Header
	// ContentLength is in bytes, -1 where the client did not say.
	ContentLength int64
}

// Request is a whole request.
type Request struct {
	Head
	// Params are the decoded values of the path's parameters by name; the policy sets them once it knows the route.
	Params map[string]string
	Body   []byte
	// Memory is what the request holds of the replica's memory, where Held(Body) is reserved; nil is Unlimited.
	Memory Memory
}

// IsJSON says whether the request's Content-Type is that of JSON: application/json, or a type with the suffix +json (RFC 6839). One
// that names no type is none: a web page may send it, as it may send text and forms, to every address that its reader's
// browser can reach, without asking (Fetch Standard, "CORS-safelisted request-header").
func (r *Request) IsJSON() bool {
	media, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil && !errors.Is(err, mime.ErrInvalidMediaParameter) {
		return false
	}
	return media == "application/json" || strings.HasSuffix(media, "+json")
}

// Refusal is why an engine could not read a request's body.
type Refusal int

// What may be wrong with a request's body before anybody has looked at it.
const (
	// BodyTooLarge means that the body exceeds the exchange's limit.
	BodyTooLarge Refusal = iota
	// BodyUnreadable means that the body did not arrive whole, or not in time.
	BodyUnreadable
	// NoMemory means that the replica has no memory for the body now.
	NoMemory
)

// RefusalOf says why a body could not be read, by the error of ReadAll.
func RefusalOf(err error) Refusal {
	failure, _ := errors.AsType[Failure](err)
	switch {
	case errors.Is(err, ErrTooLong), failure.Kind == FailedTooLarge:
		return BodyTooLarge
	case failure.Kind == FailedMemory:
		return NoMemory
	}
	return BodyUnreadable
}

// Reply is a whole answer.
type Reply struct {
	Status int
	Header http.Header
	Body   []byte
}

// Verdict says how a request is answered. Exactly one of Reply, Stream and Produce is set.
type Verdict struct {
	// Reply is the answer itself.
	Reply *Reply
	// Stream answers with events.
	Stream *Stream
	// Produce works the answer out; it returns soon after its context has ended.
	Produce func(ctx context.Context) *Reply
	// Done, where set, is called once with what came of it.
	Done func(Outcome)
}

// Next chooses the attempt that follows a failure (zero before the first). With a nil attempt comes the failure
// to report.
type Next func(after Failure) (*Attempt, Failure)

// Attempt is one call of one endpoint.
type Attempt struct {
	Call *Call
	// Upstream is the configured name of what is called, for logs and metrics.
	Upstream string
	// FirstToken bounds the wait for the first content event, from the moment the call is made.
	FirstToken time.Duration
	// Idle bounds the silence between two events.
	Idle time.Duration
	// Total bounds a whole answer; streams have no such bound.
	Total time.Duration
	// Tap reads the events of a streamed answer; nil where the answer comes whole.
	Tap Tap
	// Read takes a whole answer of a status that was wanted; nil takes all. What it returns is a Failure, or makes the answer
	// malformed.
	Read func(a *Fetched) error
	// Explain makes of the body of an answer that refuses the request what its sender may be told, also of an empty body.
	// It is nil where the sender's request is not what the upstream was sent.
	Explain func(body []byte) *problem.Said
	// Memory admits what the attempt keeps of its answer; nil is Unlimited.
	Memory Memory
	// Release is called once when the attempt has ended.
	Release func()
	// Settle, where set, is told once how the attempt ended; the zero failure is a success.
	Settle func(f Failure)
}

// Call is an HTTP request of an upstream.
type Call struct {
	Method string
	URL    string
	Header http.Header
	Body   []byte
	// Connect bounds dialling, TLS included.
	Connect time.Duration
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

// Client makes calls. The answer's body ends with an error when ctx ends. Where nothing was sent, the error is a Failure
// that says so.
type Client interface {
	Do(ctx context.Context, c *Call) (*Answer, error)
}

// Tap reads the frames of one attempt as they pass.
type Tap interface {
	// Frame appends to dst what shall be sent in the frame's place and says what the frame was. In place of an empty dst it may
	// return the frame's own bytes, where these are more than Retained.
	Frame(dst []byte, f *wire.Frame) ([]byte, Kind)
}

// Explainer is a Tap that says why a frame was Broken; of another, a Broken frame is an error that the upstream reported.
type Explainer interface {
	// Failure is asked once Frame has returned Broken. None of its words are the upstream's.
	Failure() Failure
}

// Kind is what a frame means to the stream's contract.
type Kind int

// The kinds of frames.
const (
	// Preamble carries no content yet: another upstream may still take over.
	Preamble Kind = iota
	// Content is what the client asked for. With the first one sent the answer is committed.
	Content
	// Done ends the stream as the protocol says.
	Done
	// Broken is an upstream's own error event, or a frame that the protocol does not allow.
	Broken
)
