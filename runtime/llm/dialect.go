// Package llm has what the gateway says to models and hears from them, in no protocol's words: a conversation, its tools, its
// answer, what that cost, and the pieces in which it comes. A Dialect puts it into the words of one protocol.
//
// What manifests and templates see of it as JSON (messages, usage) is written as OpenAI's API has it, whichever protocol an
// upstream speaks: docs/steps.md promises that.
package llm

import (
	"net/http"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/llmservice/llmservice/runtime/problem"
	"github.com/llmservice/llmservice/runtime/relay"
	"github.com/llmservice/llmservice/runtime/wire"
)

// Dialect is a protocol as the gateway speaks it to upstreams. Its values are comparable: where two are equal, bytes pass
// from one to the other as they are. What it reads, it reads leniently: what it does not understand is not a failure. None of
// its errors repeats what an upstream said.
type Dialect interface {
	Streamer

	// AskChat makes the request for a completion by the upstream's model of that name. The error may be a relay.Failure.
	AskChat(c *Chat, model string) (*Request, error)
	// AskEmbeddings does the same for vectors.
	AskEmbeddings(e *Embeddings, model string) (*Request, error)
	// TokenLimit is the least bound of an answer's tokens that a chat's parameters set; 0 for none.
	TokenLimit(parameters jsontext.Value) int64
	// Authorize adds a secret to a request's header.
	Authorize(h http.Header, secret string)
	// ReadCompletion reads a whole answer, once. The error is a relay.Failure, or makes the answer malformed. The answer's
	// Turn is what has to be sent back.
	ReadCompletion(body []byte) (*Completion, error)
	// ReadVectors reads an answer to n texts. An answer that lacks a vector, or has one twice, is an error, too.
	ReadVectors(body []byte, texts int) (*Vectors, error)
}

// Request is what is asked of an upstream.
type Request struct {
	// Path is appended to an endpoint's URL.
	Path string
	// Header has fields that the protocol wants, besides those of HTTP's and Authorize's.
	Header http.Header
	Body   []byte
	// HideUsage says that a stream's usage was asked for because of CountUsage alone.
	HideUsage bool
}

// StreamFormat is the format of a protocol's streams.
type StreamFormat interface {
	// NewStream returns the writer of one stream, by a model of that name.
	NewStream(model string, began time.Time) StreamWriter
	// AppendDone appends the end of a stream whose other events have passed as they are. The protocol's end may have the
	// finish reason and the usage, too; what the upstream did not say is empty.
	AppendDone(dst []byte, finishReason string, usage jsontext.Value) []byte
	// AppendError appends the end of a stream that failed, whichever dialect the rest of it came in.
	AppendError(dst []byte, e *problem.Error) []byte
}

// ReaderOptions configure a reader.
type ReaderOptions struct {
	// Deep reads the contents of deltas; otherwise they are only distinguished from empty ones.
	Deep bool
	// Alias takes the place of the upstream's name for the model where frames pass; empty leaves that alone.
	Alias string
	// HideUsage takes out of frames that pass what says that there is no usage yet, for a client that has not asked for one.
	HideUsage bool
}

// Reader reads the frames of one stream.
type Reader interface {
	// Read returns what a frame adds to the answer. The result belongs to the reader, and is valid until it reads the next frame.
	Read(f *wire.Frame) *Delta
	// Pass appends the frame that was just read as it is, but for the alias and a usage that is hidden. See upstream.FrameTap for
	// what it may return.
	Pass(dst []byte, f *wire.Frame) []byte
}

// Delta is what one event adds to the answer.
type Delta struct {
	Kind    relay.EventKind
	Failure relay.Failure // why it is Broken
	// Text and Refusal are UTF-8.
	Text, Refusal []byte
	ToolCalls     []ToolCallDelta
	FinishReason  string
	// Usage is a Completion's; of a reader that is not deep it is the frame's, and may not be strict.
	Usage jsontext.Value
	// OnlyUsage says that the event has the usage and nothing else: only where that was asked for are there such events.
	OnlyUsage bool
}

// ToolCallDelta is a part of one tool call.
type ToolCallDelta struct {
	Index int // -1 where the upstream leaves it out
	ID    string
	Name  string
	// Arguments may begin and end with halves of pairs, as rawjson.AppendText joins them.
	Arguments []byte
}
