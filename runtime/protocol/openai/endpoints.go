package openai

import (
	"errors"
	"fmt"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/llmservice/llmservice/runtime/llm"
	"github.com/llmservice/llmservice/runtime/problem"
	"github.com/llmservice/llmservice/runtime/rawjson"
	"github.com/llmservice/llmservice/runtime/relay"
)

// Completions is the older endpoint, which completes a text. It implements llm.Endpoint. Its streams are read like those of
// chat completions; its choices have a text instead of a delta.
type Completions struct{ chunks }

// Embeddings is the endpoint for vectors. It implements llm.Endpoint; its answers are never streamed.
type Embeddings struct{ chunks }

var (
	_ llm.Endpoint = Completions{}
	_ llm.Endpoint = Embeddings{}
)

// chunks are the streams of all endpoints but Responses.
type chunks struct{}

// NewReader implements llm.Streamer.
func (chunks) NewReader(o llm.ReaderOptions) llm.Reader { return Dialect{}.NewReader(o) }

// AppendError implements llm.Endpoint.
func (chunks) AppendError(dst []byte, e *problem.Error) []byte { return Dialect{}.AppendError(dst, e) }

// passed is a request that only an upstream with this endpoint can answer. It implements llm.ClientRequest.
type passed struct{ request }

// Chat implements llm.ClientRequest.
func (*passed) Chat() (*llm.Chat, *problem.Error) {
	return nil, problem.New(problem.InvalidRequest).WithMessage("The model is served by an upstream that does not have this endpoint.")
}

func parsePassed(body []byte, decisive *decisive) (llm.ClientRequest, *problem.Error) {
	r := &passed{}
	if wrong := r.parse(body, decisive); wrong != nil {
		return nil, wrong
	}
	return r, nil
}

// Path implements llm.Endpoint.
func (Completions) Path() string { return completionsPath }

// ReadRequest implements llm.Endpoint.
func (Completions) ReadRequest(body []byte) (llm.ClientRequest, *problem.Error) {
	return parsePassed(body, decidesCompletion)
}

// Rename implements llm.Endpoint, in the same way as Dialect.
func (Completions) Rename(body []byte, alias string, used *llm.Used) ([]byte, error) {
	return Dialect{}.Rename(body, alias, used)
}

// Path implements llm.Endpoint.
func (Embeddings) Path() string { return embeddingsPath }

// ReadRequest implements llm.Endpoint.
func (Embeddings) ReadRequest(body []byte) (llm.ClientRequest, *problem.Error) {
	return parsePassed(body, decidesEmbeddings)
}

var errNoVectors = errors.New("read embeddings: it has no list of vectors")

// Rename implements llm.Endpoint. It checks that there are vectors, and that no error is reported.
func (Embeddings) Rename(body []byte, alias string, used *llm.Used) ([]byte, error) {
	var e envelope
	if err := e.read(body); err != nil {
		return nil, fmt.Errorf("read embeddings: %w", err)
	}
	if states(e.failure.Of(e.doc)) {
		return nil, relay.Failure{Kind: relay.FailedEvent, Err: errErrorMember}
	}
	if jsontext.Value(e.data.Of(e.doc)).Kind() != '[' {
		return nil, errNoVectors
	}
	used.Count(llm.InputAlone(llm.TokensOf(e.usage.Of(e.doc))), 0)
	return rawjson.Edited(body, e.edits(nil, quoted(alias), llm.Place{})...), nil
}
