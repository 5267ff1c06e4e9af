package sdks

import (
	"context"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/option"
	"github.com/openai/openai-go/v3/packages/param"
	"github.com/openai/openai-go/v3/responses"
	"github.com/openai/openai-go/v3/shared/constant"
)

// golang drives OpenAI's SDK for Go.
type golang struct {
	url    string
	client *http.Client
	cancel context.CancelFunc
	done   chan answer
}

func inProcess(t *testing.T, url string) driver {
	t.Helper()
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	return &golang{url: url, client: &http.Client{Transport: transport}, done: make(chan answer, 1)}
}

func (g *golang) leave() { g.cancel() }

func (g *golang) outcome() (answer, error) {
	defer g.cancel()
	select {
	case a := <-g.done:
		return a, nil
	case <-time.After(patience):
		return answer{}, errors.New("the SDK does not return")
	}
}

func (g *golang) begin(r request) {
	var ctx context.Context
	ctx, g.cancel = context.WithCancel(context.Background())
	client := openai.NewClient(option.WithBaseURL(g.url), option.WithAPIKey("unused"), option.WithHTTPClient(g.client),
		option.WithMaxRetries(r.Retries), option.WithRequestTimeout(patience))
	go func() {
		a, err := operations()[r.Op](ctx, client, r.Params)
		switch {
		case errors.Is(err, context.Canceled):
			a = answer{Left: true}
		case err != nil:
			a = answer{Error: wrong(err)}
		}
		g.done <- a
	}()
}

func wrong(err error) *failure {
	if e, is := errors.AsType[*openai.Error](err); is {
		return &failure{
			Class: "Error", Status: e.StatusCode, Code: e.Code, Param: e.Param, Message: e.Message, RetryAfter: e.Response.Header.Get("Retry-After"),
		}
	}
	return &failure{Class: fmt.Sprintf("%T", err), Message: err.Error()}
}

type operation func(ctx context.Context, c openai.Client, params json.RawMessage) (answer, error)

// operations are those of the SDK by name.
func operations() map[string]operation {
	return map[string]operation{
		"chat": func(ctx context.Context, c openai.Client, params json.RawMessage) (answer, error) {
			return completed(c.Chat.Completions.New(ctx, param.Override[openai.ChatCompletionNewParams](params)))
		},
		"chat_stream":       chatStream,
		"chat_parse":        parsed("chat"),
		"chat_stream_parse": parsed("chat_stream"),
		"completions": func(ctx context.Context, c openai.Client, params json.RawMessage) (answer, error) {
			got, err := c.Completions.New(ctx, param.Override[openai.CompletionNewParams](params))
			if err != nil {
				return answer{}, err
			}
			return answer{Text: got.Choices[0].Text, Finish: string(got.Choices[0].FinishReason), Model: got.Model, Usage: usageOf(got.Usage)}, nil
		},
		"completions_stream": completionStream,
		"embeddings":         embeddings,
		"responses": func(ctx context.Context, c openai.Client, params json.RawMessage) (answer, error) {
			got, err := c.Responses.New(ctx, param.Override[responses.ResponseNewParams](params))
			if err != nil {
				return answer{}, err
			}
			return responded(got), nil
		},
		"responses_stream":       responseStream,
		"responses_parse":        parsed("responses"),
		"responses_stream_parse": parsed("responses_stream"),
		"models_list": func(ctx context.Context, c openai.Client, _ json.RawMessage) (answer, error) {
			var a answer
			pages := c.Models.ListAutoPaging(ctx)
			for pages.Next() {
				a.Names = append(a.Names, pages.Current().ID)
			}
			return a, pages.Err()
		},
		"models_get": func(ctx context.Context, c openai.Client, params json.RawMessage) (answer, error) {
			var p struct {
				Model string `json:"model"`
			}
			if err := json.Unmarshal(params, &p); err != nil {
				return answer{}, err
			}
			m, err := c.Models.Get(ctx, p.Model)
			if err != nil {
				return answer{}, err
			}
			return answer{Names: []string{m.ID}}, nil
		},
	}
}

func usageOf(u openai.CompletionUsage) *tokens {
	if u.TotalTokens == 0 {
		return nil
	}
	return &tokens{Input: u.PromptTokens, Output: u.CompletionTokens}
}

func completed(c *openai.ChatCompletion, err error) (answer, error) {
	if err != nil {
		return answer{}, err
	}
	a := answer{Text: c.Choices[0].Message.Content, Finish: c.Choices[0].FinishReason, Model: c.Model, Usage: usageOf(c.Usage)}
	for _, t := range c.Choices[0].Message.ToolCalls {
		a.Calls = append(a.Calls, call{ID: t.ID, Name: t.Function.Name, Arguments: t.Function.Arguments})
	}
	return a, nil
}

func chatStream(ctx context.Context, c openai.Client, params json.RawMessage) (answer, error) {
	var whole openai.ChatCompletionAccumulator
	stream := c.Chat.Completions.NewStreaming(ctx, param.Override[openai.ChatCompletionNewParams](params))
	defer func() { _ = stream.Close() }()
	pieces := 0
	for stream.Next() {
		chunk := stream.Current()
		if !whole.AddChunk(chunk) {
			return answer{}, fmt.Errorf("a chunk does not fit: %s", chunk.RawJSON())
		}
		if len(chunk.Choices) > 0 && chunk.Choices[0].Delta.Content != "" {
			pieces++
		}
	}
	if stream.Err() != nil {
		return answer{}, stream.Err()
	}
	a, err := completed(&whole.ChatCompletion, nil)
	a.Pieces = pieces
	return a, err
}

func completionStream(ctx context.Context, c openai.Client, params json.RawMessage) (answer, error) {
	var a answer
	stream := c.Completions.NewStreaming(ctx, param.Override[openai.CompletionNewParams](params))
	defer func() { _ = stream.Close() }()
	for stream.Next() {
		chunk := stream.Current()
		a.Model = chunk.Model
		if u := usageOf(chunk.Usage); u != nil {
			a.Usage = u
		}
		for _, choice := range chunk.Choices {
			a.Text += choice.Text
			if choice.Text != "" {
				a.Pieces++
			}
			a.Finish = string(choice.FinishReason)
		}
	}
	return a, stream.Err()
}

func embeddings(ctx context.Context, c openai.Client, params json.RawMessage) (answer, error) {
	got, err := c.Embeddings.New(ctx, param.Override[openai.EmbeddingNewParams](params))
	if err != nil {
		return answer{}, err
	}
	a := answer{Model: got.Model}
	for _, d := range got.Data {
		v := d.Embedding
		var text string
		if json.Unmarshal([]byte(d.JSON.Embedding.Raw()), &text) == nil { // a caller who asks for base64 has to decode it
			raw, err := base64.StdEncoding.DecodeString(text)
			if err != nil {
				return answer{}, err
			}
			v = nil
			for word := range slices.Chunk(raw, 4) {
				v = append(v, float64(math.Float32frombits(binary.LittleEndian.Uint32(word))))
			}
		}
		a.Vectors = append(a.Vectors, v)
	}
	return a, nil
}

func responded(r *responses.Response) answer {
	a := answer{Text: r.OutputText(), Finish: string(r.Status), Model: r.Model, ID: r.ID, Continues: r.PreviousResponseID}
	for i := range r.Output {
		if o := &r.Output[i]; o.Type == "function_call" {
			c := o.AsFunctionCall()
			a.Calls = append(a.Calls, call{ID: c.CallID, Name: c.Name, Arguments: c.Arguments})
		}
	}
	if r.Usage.TotalTokens > 0 {
		a.Usage = &tokens{Input: r.Usage.InputTokens, Output: r.Usage.OutputTokens}
	}
	return a
}

func responseStream(ctx context.Context, c openai.Client, params json.RawMessage) (answer, error) {
	var a answer
	said := ""
	var events []string
	stream := c.Responses.NewStreaming(ctx, param.Override[responses.ResponseNewParams](params))
	defer func() { _ = stream.Close() }()
	for stream.Next() {
		event := stream.Current()
		if !slices.Contains(events, event.Type) {
			events = append(events, event.Type)
		}
		switch event.Type {
		case string(constant.ResponseOutputTextDelta("").Default()):
			said += event.Delta
		case string(constant.ResponseCompleted("").Default()), string(constant.ResponseIncomplete("").Default()):
			a = responded(&event.Response)
		}
	}
	if stream.Err() == nil && a.Text != said {
		return answer{}, fmt.Errorf("the pieces %q are not the whole %q", said, a.Text)
	}
	a.Events = events
	return a, stream.Err()
}

// parsed is an operation with a structured output, for which this SDK has no helper: the schema is sent, and the text is read.
func parsed(op string) operation {
	const schema = `{"type":"object","properties":{"city":{"type":"string"},"degrees":{"type":"integer"}},` +
		`"required":["city","degrees"],"additionalProperties":false}`
	format := json.RawMessage(`{"type":"json_schema","json_schema":{"name":"Weather","strict":true,"schema":` + schema + `}}`)
	member := "response_format"
	if op == "responses" || op == "responses_stream" {
		member, format = "text", json.RawMessage(`{"format":{"type":"json_schema","name":"Weather","strict":true,"schema":`+schema+`}}`)
	}
	return func(ctx context.Context, c openai.Client, params json.RawMessage) (answer, error) {
		var members map[string]json.RawMessage
		if err := json.Unmarshal(params, &members); err != nil {
			return answer{}, err
		}
		members[member] = format
		asked, err := json.Marshal(members)
		if err != nil {
			return answer{}, err
		}
		a, err := operations()[op](ctx, c, asked)
		a.Parsed = json.RawMessage(a.Text)
		return a, err
	}
}
