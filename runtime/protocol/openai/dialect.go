// Package openai is OpenAI's protocol, as its own and compatible servers speak it: the dialect of chat completions, and the
// endpoints for clients. It edits passing bytes by splicing, and does not encode them anew.
package openai

import (
	"net/http"
	"strconv"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/llmservice/llmservice/runtime/config"
	"github.com/llmservice/llmservice/runtime/llm"
	"github.com/llmservice/llmservice/runtime/problem"
	"github.com/llmservice/llmservice/runtime/rawjson"
)

// Dialect implements llm.Front. As an endpoint it is that of chat completions.
type Dialect struct{}

var _ llm.Front = Dialect{}

// The paths of the requests of the dialect, relative to a base URL.
const (
	chatPath        = "/chat/completions"
	completionsPath = "/completions"
	embeddingsPath  = "/embeddings"
	modelsPath      = "/models"
)

// APIs are the names of the endpoints in a config.
var APIs = map[llm.Endpoint]string{
	Dialect{}:     config.APIChatCompletions,
	Completions{}: config.APICompletions,
	Embeddings{}:  config.APIEmbeddings,
	Responses{}:   config.APIResponses,
}

// Path implements llm.Endpoint.
func (Dialect) Path() string { return chatPath }

// Endpoints implements llm.Front.
func (Dialect) Endpoints() []llm.Endpoint {
	return []llm.Endpoint{Dialect{}, Completions{}, Embeddings{}, Responses{}}
}

// ModelsPath implements llm.Front.
func (Dialect) ModelsPath() string { return modelsPath }

// Errors implements llm.Front.
func (Dialect) Errors() problem.ErrorFormat { return problem.OpenAI }

// Authorize implements llm.Dialect (RFC 6750, section 2.1).
func (Dialect) Authorize(h http.Header, secret string) {
	h["Authorization"] = []string{"Bearer " + secret}
}

// AskChat implements llm.Dialect.
func (Dialect) AskChat(c *llm.Chat, model string) (*llm.Request, error) {
	body, err := chatBody(c, model)
	if err != nil {
		return nil, err
	}
	hide := c.CountUsage && !c.IncludeUsage && !asksUsage(c.Parameters)
	return &llm.Request{Path: chatPath, Body: body, HideUsage: hide}, nil
}

// AskEmbeddings implements llm.Dialect.
func (Dialect) AskEmbeddings(e *llm.Embeddings, model string) (*llm.Request, error) {
	body, err := embeddingsBody(e, model)
	if err != nil {
		return nil, err
	}
	return &llm.Request{Path: embeddingsPath, Body: body}, nil
}

// ReadCompletion implements llm.Dialect. An answer without a choice is an error, and so is one that reports an error (a
// relay.Failure, FailedEvent). If there are several choices, it reads the first.
func (Dialect) ReadCompletion(body []byte) (*llm.Completion, error) { return readCompletion(body) }

// ReadVectors implements llm.Dialect.
func (Dialect) ReadVectors(body []byte, texts int) (*llm.Vectors, error) {
	return readVectors(body, texts)
}

// NewReader implements llm.Streamer.
func (Dialect) NewReader(o llm.ReaderOptions) llm.Reader {
	return &reader{deep: o.Deep, alias: quoted(o.Alias), hideUsage: o.HideUsage}
}

// quoted is nil if there is no alias.
func quoted(alias string) []byte {
	if alias == "" {
		return nil
	}
	return rawjson.Quote(alias)
}

// ReadRequest implements llm.Endpoint.
func (Dialect) ReadRequest(body []byte) (llm.ClientRequest, *problem.Error) {
	r, wrong := parseChatRequest(body)
	if wrong != nil {
		return nil, wrong
	}
	return r, nil
}

// WriteCompletion implements llm.Translated.
func (Dialect) WriteCompletion(c *llm.Completion, model string, created time.Time) []byte {
	reason := jsontext.Value("null")
	if c.FinishReason != "" {
		reason = rawjson.Quote(c.FinishReason)
	}
	message := c.Turn()
	choice := rawjson.Object{}.With("index", []byte("0")).With("message", message.JSON()).With("finish_reason", reason)
	answer := rawjson.Object{}.With("id", rawjson.Quote(newID())).With("object", rawjson.Quote("chat.completion")).
		With("created", strconv.AppendInt(nil, created.Unix(), 10)).With("model", rawjson.Quote(model)).
		With("choices", rawjson.List([][]byte{choice.Done()}, func(c []byte) []byte { return c }))
	if c.Usage != nil {
		answer = answer.With("usage", c.Usage)
	}
	return answer.Done()
}
