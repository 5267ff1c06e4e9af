// Package relay is the seam between policy (what to answer) and bytes (how to read and write it).
//
// An Engine accepts connections, parses requests, reads bodies, writes, and notices clients that leave; a Policy decides and knows
// no sockets. What lies between them is here, once for all engines: Serve takes a request through its exchange, and
// keeps the contract of its stream. A faster engine can replace runtime/engine/nethttp without a change of policy.
// relay/enginetest holds an engine to its part.
package relay

import (
	"context"
	"errors"
	"mime"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"time"
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
	// Within is ctx for all work that is done for the request, with what that work asks its context for. It is called once, before
	// Decide.
	Within(ctx context.Context) context.Context
	// Decide is asked once the whole body has been read. It may wait; ctx ends when the client leaves.
	Decide(ctx context.Context, r *Request) Verdict
	// Done is called once after Decide, with what came of its verdict.
	Done(o Outcome)
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
	// EscapedPath is the path as it was sent, so that an escaped slash differs from one between segments.
	EscapedPath string
	// RawQuery is what follows the question mark, as it was sent.
	RawQuery string
	Header   http.Header
	// Host is the host that the request is for, with the port if the client named one.
	Host string
	// Peer is the address that the connection comes from; the zero value if it has none. The client may be behind it.
	Peer netip.Addr
	// ContentLength is in bytes, -1 where the client did not say.
	ContentLength int64
	// Echo are fields that the policy, in Begin, adds to the answer, whatever it is: engines send them in place of an answer's own
	// fields of the same names, and change neither.
	Echo []Field
}

// Field is a header field. Its name is in canonical form (http.CanonicalHeaderKey).
type Field struct{ Name, Value string }

// Echoes reports whether a field's place is taken by one that the policy adds.
func (h *Head) Echoes(name string) bool {
	return slices.ContainsFunc(h.Echo, func(f Field) bool { return f.Name == name })
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

// IsJSON reports whether the request's Content-Type is that of JSON: application/json, or a type with the suffix +json (RFC 6839).
// A request without a type is not JSON: a web page may send one, as it may send text and forms, to every address that its
// reader's browser can reach, without asking (Fetch Standard, "CORS-safelisted request-header").
func (r *Request) IsJSON() bool {
	stated := r.Header.Get("Content-Type")
	if stated == "application/json" {
		return true // as almost always, which needs no parsing
	}
	media, _, err := mime.ParseMediaType(stated)
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

// RefusalOf returns the reason why a body could not be read, by the error of ReadAll.
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

// Verdict is how a request is answered. Exactly one of Reply, Stream and Produce is set.
type Verdict struct {
	// Reply is the answer itself.
	Reply *Reply
	// Stream answers with events.
	Stream *Stream
	// Produce works the answer out; it returns soon after its context has ended.
	Produce func(ctx context.Context) *Reply
}
