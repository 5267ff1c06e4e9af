// Package parley is a protocol of models that nobody speaks, for tests: its members, events, header and errors have other names
// and shapes than OpenAI's, so that whatever takes one protocol for granted fails with it.
package parley

import (
	"errors"
	"net/http"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/llmservice/llmservice/runtime/llm"
	"github.com/llmservice/llmservice/runtime/problem"
	"github.com/llmservice/llmservice/runtime/rawjson"
	"github.com/llmservice/llmservice/runtime/relay"
)

// Dialect implements llm.Front.
type Dialect struct{}

var _ llm.Front = Dialect{}

// The endpoints and the fields of a request's header.
const (
	ChatPath    = "/parley"
	VectorsPath = "/spots"
	BrainsPath  = "/brains"
	KeyField    = "X-Parley-Key"
	EditionName = "X-Parley-Edition"
	Edition     = "7"
)

// Talk is a request.
type Talk struct {
	Brain    string         `json:"brain"`
	Turns    []Turn         `json:"talk"`
	Live     bool           `json:"live,omitzero"`
	Gear     []Gear         `json:"gear,omitzero"`
	MustUse  string         `json:"mustUse,omitzero"`
	AtOnce   *bool          `json:"atOnce,omitzero"`
	Shape    jsontext.Value `json:"shape,omitzero"`
	Cap      int64          `json:"cap,omitzero"`
	Heat     *float64       `json:"heat,omitzero"`
	Spread   *float64       `json:"spread,omitzero"`
	Halts    []string       `json:"halts,omitzero"`
	MoreWays map[string]any `json:",embed"`
}

// Turn is a message.
type Turn struct {
	Who      string `json:"who"`
	Say      string `json:"say,omitzero"`
	Declines string `json:"declines,omitzero"`
	Asks     []Ask  `json:"asks,omitzero"`
	Re       string `json:"re,omitzero"`
}

// Ask is a call of a tool. What it is called with is JSON.
type Ask struct {
	Ref  string         `json:"ref"`
	Gear string         `json:"gear"`
	With jsontext.Value `json:"with"`
}

// Gear is a tool.
type Gear struct {
	Label string         `json:"label"`
	About string         `json:"about,omitzero"`
	Shape jsontext.Value `json:"shape,omitzero"`
}

// Spent is what an answer has cost.
type Spent struct {
	In  int64 `json:"in"`
	Out int64 `json:"out"`
}

// Answer is a whole answer.
type Answer struct {
	Brain string `json:"brain"`
	Bot   Turn   `json:"bot"`
	Ended string `json:"ended"`
	Spent *Spent `json:"spent,omitzero"`
}

var (
	who   = map[string]string{"system": "guide", "developer": "guide", "user": "human", "assistant": "bot", "tool": "gear"}
	roles = map[string]string{"guide": "system", "human": "user", "bot": "assistant", "gear": "tool"}
	ended = map[string]string{
		llm.FinishStop: "enough", llm.FinishLength: "cap", llm.FinishToolCalls: "gear", llm.FinishContentFilter: "hushed",
	}
	reasons = map[string]string{
		"enough": llm.FinishStop, "cap": llm.FinishLength, "gear": llm.FinishToolCalls, "hushed": llm.FinishContentFilter,
	}
)

// Authorize implements llm.Dialect.
func (Dialect) Authorize(h http.Header, secret string) { h[KeyField] = []string{secret} }

// AskChat implements llm.Dialect.
func (Dialect) AskChat(c *llm.Chat, model string) (*llm.Request, error) {
	talk := Talk{Heat: c.Temperature, Spread: c.TopP, Halts: c.Stop}
	if c.Parameters != nil {
		if err := json.Unmarshal(c.Parameters, &talk); err != nil {
			return nil, errors.New("parameters: want an object")
		}
	}
	talk.Brain, talk.Live, talk.MustUse, talk.AtOnce = model, c.Stream, c.ToolChoice, c.ParallelToolCalls
	if c.MaxTokens > 0 && (talk.Cap == 0 || talk.Cap > c.MaxTokens) {
		talk.Cap = c.MaxTokens
	}
	if c.Output != nil {
		talk.Shape = c.Output.Schema
	}
	for _, t := range c.Tools {
		talk.Gear = append(talk.Gear, Gear{Label: t.Name, About: t.Description, Shape: t.Parameters})
	}
	for i := range c.Messages {
		m, err := c.Messages[i].Read()
		if err != nil {
			return nil, err //nolint:wrapcheck // it says what is wrong with the message
		}
		talk.Turns = append(talk.Turns, turnOf(&m))
	}
	return request(ChatPath, talk)
}

func request(path string, body any) (*llm.Request, error) {
	encoded, err := json.Marshal(body, json.Deterministic(true))
	return &llm.Request{Path: path, Header: http.Header{EditionName: {Edition}}, Body: encoded}, err //nolint:wrapcheck // a test's
}

func turnOf(m *llm.Message) Turn {
	t := Turn{Who: who[m.Role], Say: m.Content, Declines: m.Refusal, Re: m.ToolCallID}
	for _, c := range m.ToolCalls {
		t.Asks = append(t.Asks, Ask{Ref: c.ID, Gear: c.Name, With: withOf(c.Arguments)})
	}
	return t
}

// withOf is the arguments as JSON, and as a text where they are none.
func withOf(arguments string) jsontext.Value {
	if value := jsontext.Value(arguments); value.IsValid() {
		return value
	}
	return rawjson.Quote(arguments)
}

func (t *Turn) message() llm.Message {
	m := llm.Message{Role: roles[t.Who], Content: t.Say, Refusal: t.Declines, ToolCallID: t.Re}
	for _, a := range t.Asks {
		m.ToolCalls = append(m.ToolCalls, llm.ToolCall{ID: a.Ref, Name: a.Gear, Arguments: string(a.With)})
	}
	return m
}

// AskEmbeddings implements llm.Dialect.
func (Dialect) AskEmbeddings(e *llm.Embeddings, model string) (*llm.Request, error) {
	return request(VectorsPath, map[string]any{"brain": model, "texts": e.Input})
}

// TokenLimit implements llm.Dialect.
func (Dialect) TokenLimit(parameters jsontext.Value) int64 {
	var talk Talk
	_ = json.Unmarshal(parameters, &talk)
	return talk.Cap
}

// ReadCompletion implements llm.Dialect.
func (Dialect) ReadCompletion(body []byte) (*llm.Completion, error) {
	var a struct {
		Answer
		Oops jsontext.Value `json:"oops"`
	}
	if json.Unmarshal(body, &a) != nil || a.Bot.Who != "bot" && a.Oops == nil {
		return nil, errors.New("the answer is not one")
	}
	if a.Oops != nil {
		return nil, relay.Failure{Kind: relay.FailedEvent, Err: errors.New("the upstream said oops")}
	}
	m := a.Bot.message()
	done := &llm.Completion{
		Text: m.Content, Refusal: m.Refusal, FinishReason: reasons[a.Ended], ToolCalls: m.ToolCalls,
		Tokens: tokensOf(a.Spent),
	}
	done.Usage = llm.UsageOf(done.Tokens)
	return done, nil
}

func tokensOf(s *Spent) llm.Tokens {
	if s == nil {
		return llm.Tokens{}
	}
	return llm.Tokens{Prompt: s.In, Completion: s.Out, Total: s.In + s.Out}
}

// ReadVectors implements llm.Dialect.
func (Dialect) ReadVectors(body []byte, texts int) (*llm.Vectors, error) {
	var a struct {
		Spots [][]float64 `json:"spots"`
		Spent *Spent      `json:"spent"`
	}
	if json.Unmarshal(body, &a) != nil || len(a.Spots) != texts {
		return nil, errors.New("the answer has not a vector for each text")
	}
	tokens := tokensOf(a.Spent)
	return &llm.Vectors{Vectors: a.Spots, Tokens: tokens, Usage: llm.UsageOf(tokens)}, nil
}

// Path implements llm.Endpoint.
func (Dialect) Path() string { return ChatPath }

// Endpoints implements llm.Front.
func (d Dialect) Endpoints() []llm.Endpoint { return []llm.Endpoint{d} }

// ModelsPath implements llm.Front.
func (Dialect) ModelsPath() string { return BrainsPath }

// Errors implements llm.Front.
func (Dialect) Errors() problem.ErrorFormat { return format{} }

// ReadRejection implements llm.Front.
func (Dialect) ReadRejection(body []byte) llm.Rejection {
	var said struct {
		Oops string `json:"oops"`
	}
	_ = json.Unmarshal(body, &said)
	return llm.Rejection{Message: said.Oops}
}

// WriteModels implements llm.Front.
func (Dialect) WriteModels(names []string) ([]byte, error) {
	return json.Marshal(map[string]any{"brains": names}) //nolint:wrapcheck // a test's
}

// WriteModel implements llm.Front.
func (Dialect) WriteModel(name string) ([]byte, error) {
	return json.Marshal(map[string]any{"brain": name}) //nolint:wrapcheck // a test's
}

// Rename implements llm.Endpoint.
func (d Dialect) Rename(completion []byte, model string, used *llm.Used) ([]byte, error) {
	done, err := d.ReadCompletion(completion)
	if err != nil {
		return nil, err
	}
	used.Count(done.Tokens, done.Bytes())
	var brain rawjson.Span
	err = rawjson.Members(completion, func(name []byte, at rawjson.Span) {
		if string(name) == "brain" {
			brain = at
		}
	})
	return rawjson.Edited(completion, rawjson.Edit{At: brain, By: rawjson.Quote(model)}), err //nolint:wrapcheck // a test's
}

// WriteCompletion implements llm.Front.
func (Dialect) WriteCompletion(c *llm.Completion, model string, _ time.Time) []byte {
	m := llm.Message{Role: "assistant", Content: c.Text, Refusal: c.Refusal, ToolCalls: c.ToolCalls}
	encoded, _ := json.Marshal(Answer{Brain: model, Bot: turnOf(&m), Ended: ended[c.FinishReason], Spent: spentOf(c.Usage)})
	return encoded
}

func spentOf(usage jsontext.Value) *Spent {
	if usage == nil {
		return nil
	}
	t := llm.TokensOf(usage)
	return &Spent{In: t.Prompt, Out: t.Completion}
}

// format implements problem.ErrorFormat.
type format struct{}

func (f format) Reply(e *problem.Error) problem.Reply {
	header := []problem.Field{{Name: "Content-Type", Value: "application/json"}}
	return problem.Reply{Status: e.Status, Header: header, Body: f.Event(e)}
}

func (format) Event(e *problem.Error) []byte {
	encoded, _ := json.Marshal(map[string]any{"oops": e.Message, "why": string(e.Code)}, json.Deterministic(true))
	return encoded
}
