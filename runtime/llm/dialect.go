// Package llm has neutral types for conversations with models, which belong to no protocol: a conversation, its tools, its
// answer, its usage, and the pieces of a stream. A Dialect translates them into one protocol.
//
// Manifests and templates see messages and usage as JSON in the form of OpenAI's API, no matter which protocol an upstream
// speaks: docs/steps.md promises that.
package llm

import (
	"net/http"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/llmservice/llmservice/runtime/problem"
	"github.com/llmservice/llmservice/runtime/relay"
	"github.com/llmservice/llmservice/runtime/wire"
)

// Dialect is a protocol in which the gateway speaks to upstreams. Its values are comparable: between two equal ones, bytes pass
// as they are. It reads leniently: a value that it does not understand is not a failure. None of its errors repeats an
// upstream's words.
type Dialect interface {
	Streamer

	// AskChat makes the request for a completion by the upstream's model of that name. The error may be a relay.Failure.
	AskChat(c *Chat, model string) (*Request, error)
	// AskEmbeddings does the same for vectors.
	AskEmbeddings(e *Embeddings, model string) (*Request, error)
	// TokenLimit is the lowest limit of an answer's tokens among a chat's parameters; 0 for none.
	TokenLimit(parameters jsontext.Value) int64
	// Authorize adds a secret to a request's header.
	Authorize(h http.Header, secret string)
	// ReadCompletion reads a whole answer. An error that is not a relay.Failure makes the answer malformed. The answer's Turn
	// is what has to be sent back.
	ReadCompletion(body []byte) (*Completion, error)
	// ReadVectors reads an answer to this many texts. An answer that lacks a vector, or has one twice, is an error, too.
	ReadVectors(body []byte, texts int) (*Vectors, error)
}

// Request is a request to an upstream.
type Request struct {
	// Path is appended to an endpoint's URL.
	Path string
	// Header has the fields that the protocol needs, in addition to those of HTTP and of Authorize.
	Header http.Header
	Body   []byte
	// HideUsage means that a stream's usage was requested only because of CountUsage.
	HideUsage bool
}

// StreamFormat is the format of a protocol's streams.
type StreamFormat interface {
	// NewStream returns the writer of one stream of the named model.
	NewStream(model string, began time.Time) StreamWriter
	// AppendDone appends the end of a stream whose other events have passed as they are. The protocol's end may repeat the
	// finish reason and the usage; they are empty if the upstream did not report them.
	AppendDone(dst []byte, finishReason string, usage jsontext.Value) []byte
	// AppendError appends the end of a stream that failed, no matter in which dialect the rest of it came.
	AppendError(dst []byte, e *problem.Error) []byte
}

// ReaderOptions configure a reader.
type ReaderOptions struct {
	// Deep reads the contents of deltas; otherwise they are only distinguished from empty ones.
	Deep bool
	// Alias replaces the upstream's name of the model in frames that pass; empty keeps the name.
	Alias string
	// HideUsage removes from passing frames the member that says that there is no usage yet, for a client that has not asked
	// for a usage.
	HideUsage bool
}

// Reader reads the frames of one stream.
type Reader interface {
	// Read returns what a frame adds to the answer. The result belongs to the reader, and is valid until it reads the next frame.
	Read(f *wire.Frame) *Delta
	// Pass appends the frame that was just read, unchanged except for the alias and a hidden usage. See upstream.FrameTap for
	// what it may return.
	Pass(dst []byte, f *wire.Frame) []byte
}

// Delta is what one event adds to the answer.
type Delta struct {
	Kind    relay.EventKind
	Failure relay.Failure // why Kind is Broken
	// Text and Refusal are UTF-8.
	Text, Refusal []byte
	ToolCalls     []ToolCallDelta
	FinishReason  string
	// Usage is like that of a Completion; from a reader that is not deep it is the frame's, and may not be strict.
	Usage jsontext.Value
	// OnlyUsage means that the event contains only the usage. There are such events only if the usage was requested.
	OnlyUsage bool
}

// ToolCallDelta is a part of one tool call.
type ToolCallDelta struct {
	Index int // -1 if the upstream leaves it out
	ID    string
	Name  string
	// Arguments may begin and end with halves of pairs, as rawjson.AppendText joins them.
	Arguments []byte
}
