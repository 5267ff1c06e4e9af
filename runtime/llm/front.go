package llm

import (
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/llmservice/llmservice/runtime/pieces"
	"github.com/llmservice/llmservice/runtime/problem"
)

// Front is a protocol that the gateway's own clients speak, and in which it speaks to upstreams. It is itself the endpoint for
// completions.
type Front interface {
	Dialect
	Translated

	// Endpoints are all at which its clients send requests to models, including the front itself.
	Endpoints() []Endpoint
	// ModelsPath is the path of the list of models. Below it, each model has a path of its name.
	ModelsPath() string
	// WriteModels lists the models.
	WriteModels(names []string) ([]byte, error)
	// WriteModel describes one of them.
	WriteModel(name string) ([]byte, error)
	// Errors is the format of errors before an answer has begun.
	Errors() problem.ErrorFormat
	// ReadRejection reads why an upstream of the same protocol refused a request, as far as it can be read.
	ReadRejection(body []byte) Rejection
}

// Endpoint is where a protocol's clients request answers of one kind. Its values are comparable: if an upstream has the same
// endpoint, bytes pass from one to the other as they are.
type Endpoint interface {
	Streamer

	// Path is the endpoint's path, below a base URL.
	Path() string
	// ReadRequest reads what policy needs of every request, and checks no more than that.
	ReadRequest(body []byte) (ClientRequest, *problem.Error)
	// Rename returns the whole answer of an upstream with the same endpoint, with the client's name for the model; every other
	// byte is the upstream's. The usage of the answer is counted. The error is that of Dialect.ReadCompletion.
	Rename(answer []byte, model string, used *Used) ([]byte, error)
	// AppendError appends the end of a stream that failed, no matter in which dialect the rest of it came.
	AppendError(dst []byte, e *problem.Error) []byte
}

// Streamer reads the streams of a dialect, or of an endpoint.
type Streamer interface {
	// NewReader returns the reader of one stream.
	NewReader(o ReaderOptions) Reader
}

// Translated is an Endpoint whose clients can be answered by upstreams without this endpoint.
type Translated interface {
	Endpoint
	StreamFormat

	// WriteCompletion writes the whole answer of such an upstream.
	WriteCompletion(c *Completion, model string, created time.Time) []byte
}

// ClientRequest is a client's request to a model at an endpoint.
type ClientRequest interface {
	// Wants returns the model's name, and whether the answer is to be a stream.
	Wants() (model string, stream bool)
	// WithModel is the request for an upstream with the same endpoint, under the upstream's name for the model; every other
	// byte is the client's.
	WithModel(name string) pieces.Text
	// WithUsage is WithModel for a stream whose usage is to be counted. Hide means that the client did not ask for it.
	WithUsage(name string) (body pieces.Text, hide bool)
	// Chat is the request for another upstream. A member that a Chat does not have cannot be translated: this is a problem,
	// because the answer without it would be another one than was asked for. It is only called for a Translated endpoint.
	Chat() (*Chat, *problem.Error)
}

// Place is where an upstream keeps what it has answered: one of its endpoints. The zero value means that it is not known.
type Place [8]byte

// Keeper is an Endpoint whose upstreams keep their answers, so that later requests can continue them.
type Keeper interface {
	Endpoint

	// At is the endpoint for answers that are kept at a place: the ids that clients get name it.
	At(p Place) Endpoint
}

// Continuing is a ClientRequest that may continue an earlier answer. WithModel uses the upstream's own id of that answer.
type Continuing interface {
	ClientRequest

	// Continues reports whether the request continues an answer, and where that is kept. The place is zero if no gateway made
	// the id.
	Continues() (at Place, continues bool)
	// Lost is the problem of an answer that is not kept at a place of the model.
	Lost() *problem.Error
}

// Dialogue is a conversation that a client asks a model to continue, for a route that answers in place of a model.
type Dialogue struct {
	// Model is the client's name for the model.
	Model string
	Chat  *Chat
	// As is the client's endpoint, and Errors the format of errors that it expects.
	As     Translated
	Errors problem.ErrorFormat
	// KeepAlive is that of relay.Stream.
	KeepAlive time.Duration
}

// Rejection is why an upstream refused a request.
type Rejection struct {
	// Message is empty if nothing could be read.
	Message string
	Type    string
	Param   string
	// Code is a string, a number or null; nil if the answer has none.
	Code jsontext.Value
}
