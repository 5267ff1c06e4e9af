package relay

import (
	"context"
	"maps"
	"net/http"
	"time"
)

// Stream is how an event stream is made: of one upstream's events as they come, of several upstreams, or of none.
type Stream struct {
	// Run sends the events, the last ones as Done, and returns once ctx has ended or nothing is left to send. No
	// error says that the stream, or the reply in its place, is complete. Everything that Run started has ended
	// when it returns. The error's text goes to logs.
	Run func(ctx context.Context, out Sink) error
	// Header has further fields of the answer's head; nil for none.
	Header http.Header
	// Refuse is the answer to an error, Run's or a Failure, while nothing has been sent.
	Refuse func(error) *Reply
	// Abort is the error event that ends a stream that has begun.
	Abort func(error) []byte
	// Timeout bounds the time until the first content.
	Timeout time.Duration
	// MaxDuration bounds the stream as a whole; where Timeout is no shorter, it is what ended the stream.
	MaxDuration time.Duration
	// KeepAlive is how long a stream may be silent before a comment is sent, which event streams' readers ignore
	// (WHATWG HTML, section 9.2.7); 0 for none. A comment sends the head of the answer like any other event: a
	// failure after it is an error event. It says nothing about content, so another upstream may still take over.
	KeepAlive time.Duration
}

// head is the header of the answer.
func (s *Stream) head() http.Header {
	if len(s.Header) == 0 {
		return streamHeader
	}
	all := maps.Clone(s.Header)
	maps.Copy(all, streamHeader)
	return all
}

// Sender takes the events of a stream.
type Sender interface {
	// Send takes whole events, which it does not keep. With Preamble they are progress: they may be sent at once,
	// though content is still awaited. The first Content commits the stream to its sender, and Done says
	// that nothing follows; it may be sent without events. Broken is never sent.
	//
	// The error is a Failure (errors.AsType), and then the sender has to end with that failure: the client has
	// left, time has run out, or another branch has won.
	Send(events []byte, kind EventKind) error
}

// Sink takes a stream, or a reply in its place. It is safe for concurrent use: events of several senders do not mix.
type Sink interface {
	Sender
	// Reply answers with a whole reply in the stream's place. Once anything was sent, the error is ErrBegun.
	Reply(r *Reply) error
}

// EventKind is what a frame means to the stream's contract.
type EventKind int

// The kinds of frames.
const (
	// Preamble carries no content yet: another upstream may still take over.
	Preamble EventKind = iota
	// Content is what the client asked for. With the first one sent the answer is committed.
	Content
	// Done ends the stream as the protocol says.
	Done
	// Broken is an upstream's own error event, or a frame that the protocol does not allow.
	Broken
)
