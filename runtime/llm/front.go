package llm

import (
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/llmservice/llmservice/runtime/problem"
)

// Front is a protocol as the gateway's own clients speak it, and as it speaks it to upstreams. It is itself the endpoint at
// which completions are asked for.
type Front interface {
	Dialect
	Translated

	// Endpoints are all at which its clients ask models for something, the front itself among them.
	Endpoints() []Endpoint
	// ModelsPath is where the models are listed. Below it is one model of each name.
	ModelsPath() string
	// WriteModels lists the models.
	WriteModels(names []string) ([]byte, error)
	// WriteModel describes one of them.
	WriteModel(name string) ([]byte, error)
	// Errors writes what went wrong before an answer began.
	Errors() problem.ErrorFormat
	// ReadRejection reads what an upstream that speaks the protocol, too, found wrong with a request, as far as anything can
	// be read.
	ReadRejection(body []byte) Rejection
}

// Endpoint is where a protocol's clients ask models for answers of one kind. Its values are comparable: if an upstream has the
// endpoint, too, bytes pass from one to the other as they are.
type Endpoint interface {
	Streamer

	// Path is where it is, below a base URL.
	Path() string
	// ReadRequest reads what has to be known of every request, and checks no more than that.
	ReadRequest(body []byte) (ClientRequest, *problem.Error)
	// Rename returns a whole answer of an upstream that has the endpoint, too, under the name that the client knows the
	// model by; every other byte is the upstream's. What the answer has used is counted. The error is Dialect.ReadCompletion's.
	Rename(answer []byte, model string, used *Used) ([]byte, error)
	// AppendError appends the end of a stream that failed, whichever dialect the rest of it came in.
	AppendError(dst []byte, e *problem.Error) []byte
}

// Streamer reads the streams of a dialect, or of an endpoint.
type Streamer interface {
	// NewReader returns the reader of one stream.
	NewReader(o ReaderOptions) Reader
}

// Translated is an Endpoint whose clients may be answered by upstreams that do not have it.
type Translated interface {
	Endpoint
	StreamFormat

	// WriteCompletion writes the whole answer of such an upstream.
	WriteCompletion(c *Completion, model string, created time.Time) []byte
}

// ClientRequest is what a client asks a model at an endpoint.
type ClientRequest interface {
	// Wants is the model's name, and whether the answer shall be a stream.
	Wants() (model string, stream bool)
	// WithModel is the request for an upstream that has the endpoint, too, and another name for the model; every other byte
	// is the client's.
	WithModel(name string) []byte
	// WithUsage is WithModel for a stream whose usage is to be counted. Hide says that the client did not ask for it.
	WithUsage(name string) (body []byte, hide bool)
	// Chat is the request for another upstream. A member that is not a Chat's cannot be put into other words: it is a problem,
	// for leaving it out would give another answer than was asked for. Only a Translated endpoint is asked.
	Chat() (*Chat, *problem.Error)
}

// Place is where an upstream keeps what it has answered: one of its endpoints. The zero value means that it is not known.
type Place [8]byte

// Keeper is an Endpoint whose upstreams keep their answers, so that later requests can continue them.
type Keeper interface {
	Endpoint

	// At is the endpoint for answers that are kept at a place: the ids by which clients know them name it.
	At(p Place) Endpoint
}

// Continuing is a ClientRequest that may continue an earlier answer. WithModel names that as the upstream does which keeps it.
type Continuing interface {
	ClientRequest

	// Continues reports whether the request continues an answer, and where that is kept. The place is zero for an id that no
	// gateway made.
	Continues() (at Place, continues bool)
	// Lost is the problem of an answer that is not kept at a place of the model.
	Lost() *problem.Error
}

// Dialogue is a conversation that a client asks a model to continue, for what answers in place of a model.
type Dialogue struct {
	// Model is the name that the client knows it by.
	Model string
	Chat  *Chat
	// As is the client's endpoint, and Errors how it expects errors.
	As     Translated
	Errors problem.ErrorFormat
	// KeepAlive is relay.Stream's.
	KeepAlive time.Duration
}

// Rejection is what an upstream says is wrong with a request.
type Rejection struct {
	// Message is empty if nothing could be read.
	Message string
	Type    string
	Param   string
	// Code is a string, a number or null; nil if the answer has none.
	Code jsontext.Value
}
