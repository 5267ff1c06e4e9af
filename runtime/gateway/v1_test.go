package gateway

import (
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/openai/openai-go/v3"
	sdk "github.com/openai/openai-go/v3/option"
	"github.com/openai/openai-go/v3/responses"

	"github.com/llmservice/llmservice/runtime/config"
)

// canned is an upstream that answers each path with a text, and keeps what it was asked.
type canned struct {
	whole, streamed map[string]string

	mu    sync.Mutex
	asked []string
}

func (c *canned) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	c.mu.Lock()
	c.asked = append(c.asked, r.URL.Path+" "+string(body))
	c.mu.Unlock()
	if stream, ok := c.streamed[r.URL.Path]; ok && r.Header.Get("Accept") == "text/event-stream" {
		w.Header().Set("Content-Type", "text/event-stream")
		_, _ = io.WriteString(w, stream)
		return
	}
	if whole, ok := c.whole[r.URL.Path]; ok {
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, whole)
		return
	}
	http.NotFound(w, r)
}

// requests are those since the last time, a path and a body each.
func (c *canned) requests() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	asked := c.asked
	c.asked = nil
	return asked
}

// usage is what a response has cost.
const usage = `"usage":{"input_tokens":9,"input_tokens_details":{"cached_tokens":4},"output_tokens":5,` +
	`"output_tokens_details":{"reasoning_tokens":2},"total_tokens":14}`

// response is a whole response of a model.
func response(model, output string) string {
	return `{"id":"resp_1","object":"response","created_at":1,"status":"completed","error":null,"incomplete_details":null,"model":"` +
		model + `","output":[` + output + `],` + usage + `,"x_new":{"kept":true}}`
}

const message = `{"type":"message","id":"msg_1","status":"completed","role":"assistant",` +
	`"content":[{"type":"output_text","text":"Tea is a drink.","annotations":[]}]}`

// happens writes an event of a response.
func happens(name, data string) string {
	return fmt.Sprintf("event: %s\ndata: {\"type\":%q,%s}\n\n", name, name, data)
}

// streamedResponse has an event of many types.
func streamedResponse(model string) string {
	return happens("response.created", `"sequence_number":0,"response":`+response(model, "")) +
		happens("response.in_progress", `"sequence_number":1,"response":`+response(model, "")) +
		happens("response.output_item.added", `"sequence_number":2,"output_index":0,"item":{"type":"reasoning","id":"rs_1","summary":[]}`) +
		happens("response.reasoning_summary_text.delta", `"sequence_number":3,"item_id":"rs_1","output_index":0,"summary_index":0,"delta":"Hm"`) +
		happens("response.output_item.added", `"sequence_number":4,"output_index":1,"item":{"type":"message","id":"msg_1","role":"assistant","status":"in_progress","content":[]}`) +
		happens("response.output_text.delta", `"sequence_number":5,"item_id":"msg_1","output_index":1,"content_index":0,"delta":"Tea is "`) +
		happens("response.output_text.delta", `"sequence_number":6,"item_id":"msg_1","output_index":1,"content_index":0,"delta":"a drink."`) +
		happens("response.function_call_arguments.delta", `"sequence_number":7,"item_id":"fc_1","output_index":2,"delta":"{}"`) +
		happens("response.from_the_future", `"sequence_number":8,"more":[1,2]`) +
		happens("response.completed", `"sequence_number":9,"response":`+response(model, message))
}

// frontOf serves all endpoints, with an upstream that has them all.
func frontOf(t *testing.T, upstreams ...http.Handler) (*replica, openai.Client) {
	t.Helper()
	urls := make([]string, len(upstreams))
	for i, u := range upstreams {
		urls[i] = serve(t, u) + "/v1"
	}
	c := assistant(urls...)
	for i := range c.Upstreams {
		c.Upstreams[i].OpenAI.APIs = config.APIs
	}
	c.Models = append(c.Models, config.Model{Name: "team/small", Upstreams: []string{"a"}})
	r := start(t, c)
	return r, sdkOf(r)
}

// sdkOf is OpenAI's SDK for a replica.
func sdkOf(r *replica) openai.Client {
	return openai.NewClient(sdk.WithBaseURL(r.url+"/v1"), sdk.WithAPIKey("unused"), sdk.WithMaxRetries(0),
		sdk.WithRequestTimeout(patience), sdk.WithHTTPClient(r.client))
}

// TestEndpointsPassBytes: at each endpoint, whatever client and upstream say passes as it is, but for the names of the model and of
// a response.
func TestEndpointsPassBytes(t *testing.T) {
	const ask = `{ "model" :"assistant", "input":"hi","prompt":"hi","messages":[ ],"temperature":0.10,"x_new":{"a":[1.0]} `
	upstream := &canned{whole: map[string]string{
		"/v1/completions":      `{"object":"text_completion", "choices":[{"text":"Tea"}],"model":"model-a","x_new":1.0}`,
		"/v1/embeddings":       `{"data":[{"index":0,"embedding":"AACAPw=="}], "model":"model-a","x_new":1.0}`,
		"/v1/responses":        response("model-a", message),
		"/v1/chat/completions": `{"choices":[{"message":{"content":"Tea","audio":{"id":"a"}}}], "model":"model-a"}`,
	}, streamed: map[string]string{
		"/v1/completions": "data: {\"choices\":[{\"text\":\"Tea\"}],\"model\":\"model-a\"}\n\ndata: [DONE]\n\n",
		"/v1/responses":   streamedResponse("model-a"),
	}}
	r, _ := frontOf(t, upstream)
	for path, want := range upstream.whole {
		for _, streamed := range []bool{false, true} {
			body := ask + "}"
			if stream, some := upstream.streamed[path]; streamed {
				if !some {
					continue
				}
				body, want = ask+`,"stream":true}`, stream
			}
			resp := r.post(path, body)
			want = strings.ReplaceAll(want, `"model-a"`, `"assistant"`)
			if got := withOwnIDs(t, text(t, resp)); resp.StatusCode != http.StatusOK || got != want {
				t.Errorf("%s: %d %s\nwant %s", path, resp.StatusCode, got, want)
			}
			if streamed && path == "/v1/completions" { // which is counted
				body = strings.TrimSuffix(body, "}") + asksUsage + "}"
			}
			asked := []string{path + " " + strings.Replace(body, "assistant", "model-a", 1)}
			if diff := cmp.Diff(asked, upstream.requests()); diff != "" {
				t.Errorf("%s: asked (-want +got):\n%s", path, diff)
			}
		}
	}
}

// withOwnIDs has the upstream's ids of responses in the place of those that name an endpoint.
func withOwnIDs(t *testing.T, answer string) string {
	t.Helper()
	return regexp.MustCompile(`"resp_[^"]*"`).ReplaceAllStringFunc(answer, func(id string) string {
		known, err := base64.RawURLEncoding.DecodeString(strings.Trim(id, `"`)[len("resp_"):])
		if err != nil {
			t.Errorf("%s: %v", id, err)
		}
		_, own, _ := strings.Cut(string(known), "resp_")
		return `"resp_` + own + `"`
	})
}

// TestResponsesOfTheSDK: OpenAI's own client reads responses through the gateway, whole and streamed, to their end.
func TestResponsesOfTheSDK(t *testing.T) {
	_, client := frontOf(t, &canned{
		whole:    map[string]string{"/v1/responses": response("model-a", message)},
		streamed: map[string]string{"/v1/responses": streamedResponse("model-a")},
	})
	ask := responses.ResponseNewParams{Model: "assistant", Input: responses.ResponseNewParamsInputUnion{OfString: openai.String("hi")}}
	whole, err := client.Responses.New(t.Context(), ask)
	if err != nil || whole.OutputText() != "Tea is a drink." || whole.Model != "assistant" || whole.Usage.InputTokensDetails.CachedTokens != 4 {
		t.Errorf("%+v, %v", whole, err)
	}
	stream := client.Responses.NewStreaming(t.Context(), ask)
	var said strings.Builder
	var last responses.ResponseStreamEventUnion
	for stream.Next() {
		last = stream.Current()
		if last.Type == "response.output_text.delta" {
			said.WriteString(last.Delta)
		}
	}
	if stream.Err() != nil || said.String() != "Tea is a drink." || last.Type != "response.completed" || last.Response.Model != "assistant" {
		t.Errorf("%q until %s, %v", said.String(), last.Type, stream.Err())
	}
	ask.Model = "nobody"
	_, err = client.Responses.New(t.Context(), ask)
	if wrong, is := errors.AsType[*openai.Error](err); !is || wrong.StatusCode != http.StatusNotFound || wrong.Code != "model_not_found" {
		t.Errorf("error %v, want 404 with model_not_found", err)
	}
}

// TestFailedResponses: before any content another upstream takes over, after it the stream ends in an error event, and one that
// breaks off is an error, too.
func TestFailedResponses(t *testing.T) {
	failed := happens("response.failed", `"response":{"model":"model-a","status":"failed","error":{"message":"HIS WORDS"}}`)
	begun, _, _ := strings.Cut(streamedResponse("model-a"), "event: response.from_the_future")
	for name, tt := range map[string]struct {
		first string
		code  string // of the error; empty if the second upstream answers
	}{
		"before content":      {first: failed},
		"after a prelude":     {first: happens("response.created", `"response":{}`) + failed},
		"cut after a prelude": {first: happens("response.created", `"response":{}`)},
		"after content":       {first: begun + failed, code: "upstream_error"},
		"cut after content":   {first: begun, code: "upstream_truncated"},
		"another error":       {first: begun + happens("error", `"message":"HIS WORDS"`), code: "upstream_error"},
		"only the old mark":   {first: begun + "data: [DONE]\n\n", code: "upstream_truncated"},
	} {
		t.Run(name, func(t *testing.T) {
			_, client := frontOf(t, &canned{streamed: map[string]string{"/v1/responses": tt.first}},
				&canned{streamed: map[string]string{"/v1/responses": streamedResponse("model-b")}})
			stream := client.Responses.NewStreaming(t.Context(), responses.ResponseNewParams{
				Model: "assistant", Input: responses.ResponseNewParamsInputUnion{OfString: openai.String("hi")},
			})
			last := ""
			for stream.Next() {
				last = stream.Current().Type
			}
			err := stream.Err()
			switch {
			case tt.code == "" && (err != nil || last != "response.completed"):
				t.Errorf("ended with %s, %v", last, err)
			case tt.code != "" && (err == nil || !strings.Contains(err.Error(), tt.code) || strings.Contains(err.Error(), "HIS WORDS")):
				t.Errorf("ended with %s, %v, want %s", last, err, tt.code)
			}
		})
	}
}

// TestOlderEndpointsOfTheSDK: so does it read completions and embeddings, and describes models, whatever their names.
func TestOlderEndpointsOfTheSDK(t *testing.T) {
	_, client := frontOf(t, &canned{whole: map[string]string{
		"/v1/completions": `{"object":"text_completion","choices":[{"text":"Tea","finish_reason":"stop"}],"model":"model-a"}`,
		"/v1/embeddings":  `{"object":"list","data":[{"object":"embedding","index":0,"embedding":[1,0.5]}],"model":"model-a","usage":{"prompt_tokens":1,"total_tokens":1}}`,
	}, streamed: map[string]string{
		"/v1/completions": "data: {\"choices\":[{\"text\":\"Te\"}],\"model\":\"model-a\"}\n\ndata: {\"choices\":[{\"text\":\"a\",\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n",
	}})
	ask := openai.CompletionNewParams{Model: "assistant", Prompt: openai.CompletionNewParamsPromptUnion{OfString: openai.String("hi")}}
	whole, err := client.Completions.New(t.Context(), ask)
	if err != nil || whole.Choices[0].Text != "Tea" || whole.Model != "assistant" {
		t.Errorf("%+v, %v", whole, err)
	}
	said, stream := "", client.Completions.NewStreaming(t.Context(), ask)
	for stream.Next() {
		said += stream.Current().Choices[0].Text
	}
	if said != "Tea" || stream.Err() != nil {
		t.Errorf("%q, %v", said, stream.Err())
	}
	vectors, err := client.Embeddings.New(t.Context(), openai.EmbeddingNewParams{
		Model: "assistant", Input: openai.EmbeddingNewParamsInputUnion{OfString: openai.String("hi")},
	})
	if err != nil || len(vectors.Data[0].Embedding) != 2 || vectors.Model != "assistant" {
		t.Errorf("%+v, %v", vectors, err)
	}
	for _, name := range []string{"assistant", "team/small"} {
		if m, err := client.Models.Get(t.Context(), name); err != nil || m.ID != name || m.Object != "model" {
			t.Errorf("%s: %+v, %v", name, m, err)
		}
	}
	_, err = client.Models.Get(t.Context(), "nobody")
	if wrong, is := errors.AsType[*openai.Error](err); !is || wrong.StatusCode != http.StatusNotFound || wrong.Code != "model_not_found" {
		t.Errorf("error %v, want 404 with model_not_found", err)
	}
}

// TestModelsOfOneSegment: a name with a slash may come escaped, too.
func TestModelsOfOneSegment(t *testing.T) {
	r, _ := frontOf(t, &canned{})
	for path, want := range map[string]int{"/v1/models/team/small": 200, "/v1/models/team%2Fsmall": 200, "/v1/models/team": 404, "/v1/models/": 404} {
		if status, body := r.get(path); status != want || status == 200 && !strings.Contains(body, `"id":"team/small"`) {
			t.Errorf("%s: %d %s", path, status, body)
		}
	}
}

// TestAnUpstreamIsAskedAtItsAPIsOnly: what no upstream of a model has is the client's mistake, and one that has it is asked
// wherever it stands.
func TestAnUpstreamIsAskedAtItsAPIsOnly(t *testing.T) {
	chats := &canned{whole: map[string]string{"/v1/chat/completions": `{"choices":[{"message":{"content":"Tea"}}]}`}}
	vectors := &canned{whole: map[string]string{"/v1/embeddings": `{"data":[]}`}}
	c := assistant(serve(t, chats)+"/v1", serve(t, vectors)+"/v1")
	c.Upstreams[0].OpenAI.APIs = []string{config.APIChatCompletions}
	c.Upstreams[1].OpenAI.APIs = []string{config.APIEmbeddings}
	r := start(t, c)
	for path, want := range map[string]int{"/v1/embeddings": 200, "/v1/completions": 400, "/v1/chat/completions": 200} {
		resp := r.post(path, `{"model":"assistant","input":"hi","prompt":"hi","messages":[]}`)
		if body := text(t, resp); resp.StatusCode != want || want == 400 && !strings.Contains(body, "does not have this endpoint") {
			t.Errorf("%s: %d %s", path, resp.StatusCode, body)
		}
	}
	if got := append(chats.requests(), vectors.requests()...); len(got) != 2 {
		t.Errorf("asked %v", got)
	}
	c.Models[0].Upstreams = []string{"b"}
	for _, path := range []string{"/v1/chat/completions", "/v1/responses"} {
		resp := start(t, c).post(path, `{"model":"assistant","input":"hi","messages":[]}`)
		if body := text(t, resp); resp.StatusCode != 400 || !strings.Contains(body, "does not have this endpoint") {
			t.Errorf("%s: %d %s", path, resp.StatusCode, body)
		}
	}
	if got := vectors.requests(); len(got) > 0 {
		t.Errorf("asked %v", got)
	}
}
