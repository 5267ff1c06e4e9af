package openai

import (
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/llmservice/llmservice/runtime/llm"
	"github.com/llmservice/llmservice/runtime/problem"
	"github.com/llmservice/llmservice/runtime/rawjson"
	"github.com/llmservice/llmservice/runtime/relay"
	"github.com/llmservice/llmservice/runtime/wire"
)

// Responses is OpenAI's newer endpoint for conversations. It implements llm.Translated, and llm.Dialect for upstreams without
// chat completions. It is a llm.Keeper, too: the ids of responses that have a place name it.
type Responses struct{ at llm.Place }

var (
	_ llm.Translated = Responses{}
	_ llm.Keeper     = Responses{}
	_ llm.Dialect    = Responses{}
)

const responsesPath = "/responses"

// Path implements llm.Endpoint.
func (Responses) Path() string { return responsesPath }

// Authorize implements llm.Dialect.
func (Responses) Authorize(h http.Header, secret string) { Dialect{}.Authorize(h, secret) }

// AskEmbeddings implements llm.Dialect.
func (Responses) AskEmbeddings(e *llm.Embeddings, model string) (*llm.Request, error) {
	return Dialect{}.AskEmbeddings(e, model)
}

// ReadVectors implements llm.Dialect.
func (Responses) ReadVectors(body []byte, texts int) (*llm.Vectors, error) {
	return readVectors(body, texts)
}

// AskChat implements llm.Dialect.
func (Responses) AskChat(c *llm.Chat, model string) (*llm.Request, error) {
	body, err := responseBody(c, model)
	if err != nil {
		return nil, err
	}
	return &llm.Request{Path: responsesPath, Body: body}, nil
}

// NewReader implements llm.Streamer.
func (r Responses) NewReader(o llm.ReaderOptions) llm.Reader {
	return &responseReader{deep: o.Deep, alias: quoted(o.Alias), at: r.at}
}

// AppendError implements llm.Endpoint: OpenAI's clients raise an event that has a member error.
func (Responses) AppendError(dst []byte, e *problem.Error) []byte {
	inner, _ := strings.CutPrefix(string(problem.OpenAI.Event(e)), "{")
	return wire.AppendEvent(dst, "error", []byte(`{"type":"error",`+inner))
}

var errNoOutput = errors.New("read response: it has no output")

// Rename implements llm.Endpoint. It checks that there is an output, and that no error is reported.
func (r Responses) Rename(body []byte, alias string, used *llm.Used) ([]byte, error) {
	var e envelope
	if err := e.readResponse(body); err != nil {
		return nil, err
	}
	used.Count(llm.TokensOf(chatUsage(e.usage.Of(e.doc))), len(e.output.Of(e.doc)))
	return rawjson.Edited(body, e.edits(nil, quoted(alias), r.at)...), nil
}

// readResponse reads the members of a whole response.
func (e *envelope) readResponse(body []byte) error {
	if err := e.read(body); err != nil {
		return fmt.Errorf("read response: %w", err)
	}
	if states(e.failure.Of(e.doc)) || string(e.status.Of(e.doc)) == `"failed"` {
		return relay.Failure{Kind: relay.FailedEvent, Err: errErrorMember}
	}
	if jsontext.Value(e.output.Of(e.doc)).Kind() != '[' {
		return errNoOutput
	}
	return nil
}
