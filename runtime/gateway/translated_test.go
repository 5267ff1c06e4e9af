package gateway

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/openai/openai-go/v3"
	sdk "github.com/openai/openai-go/v3/option"
	"github.com/openai/openai-go/v3/responses"

	"github.com/llmservice/llmservice/runtime/config"
)

// having serves a model whose only upstream has some APIs.
func having(t *testing.T, upstream http.Handler, apis ...string) (*replica, openai.Client) {
	t.Helper()
	c := assistant(serve(t, upstream) + "/v1")
	c.Upstreams[0].OpenAI.APIs = apis
	r := start(t, c)
	return r, openai.NewClient(sdk.WithBaseURL(r.url+"/v1"), sdk.WithAPIKey("unused"), sdk.WithMaxRetries(0),
		sdk.WithRequestTimeout(patience), sdk.WithHTTPClient(r.client))
}

const (
	chatUsage = `"usage":{"prompt_tokens":9,"completion_tokens":5,"total_tokens":14,` +
		`"prompt_tokens_details":{"cached_tokens":4},"completion_tokens_details":{"reasoning_tokens":2}}`
	wholeChat = `{"model":"model-a","choices":[{"message":{"role":"assistant","content":"Tea is","tool_calls":[` +
		`{"id":"c1","type":"function","function":{"name":"find","arguments":"{\"q\":1}"}}]},"finish_reason":"tool_calls"}],` + chatUsage + `}`
	calling    = `{"type":"function_call","id":"fc_1","call_id":"c1","name":"find","arguments":"{\"q\":1}","status":"completed"}`
	instructed = `"instructions":"Be brief.","max_output_tokens":9,"temperature":0.5,"reasoning":{"effort":null},"store":true,` +
		`"include":["reasoning.encrypted_content"],"tool_choice":{"type":"function","name":"find"},` +
		`"tools":[{"type":"function","name":"find","parameters":{"type":"object"},"strict":false}],` +
		`"text":{"format":{"type":"json_schema","name":"out","schema":{"type":"object"},"strict":true}}`
	conversation = `[{"role":"user","content":[{"type":"input_text","text":"hi"}]},{"type":"reasoning","id":"rs","summary":[]},` + calling +
		`,{"type":"function_call_output","call_id":"c1","output":"7"},` +
		`{"role":"user","content":[{"type":"input_text","text":"And?"},{"type":"input_image","image_url":"data:x","detail":"low"}]}]`
)

func chunkOf(choice string) string {
	return `data: {"model":"model-a","choices":[{"index":0,` + choice + `}]}` + "\n\n"
}

// streamedChat says wholeChat.
var streamedChat = chunkOf(`"delta":{"role":"assistant","content":""}`) + chunkOf(`"delta":{"content":"Tea"}`) +
	chunkOf(`"delta":{"content":" is"}`) +
	chunkOf(`"delta":{"tool_calls":[{"index":0,"id":"c1","type":"function","function":{"name":"find","arguments":""}}]}`) +
	chunkOf(`"delta":{"tool_calls":[{"index":0,"function":{"arguments":"{\"q\""}}]}`) +
	chunkOf(`"delta":{"tool_calls":[{"index":0,"function":{"arguments":":1}"}}]}`) +
	chunkOf(`"delta":{},"finish_reason":"tool_calls"`) + `data: {"choices":[],` + chatUsage + "}\n\ndata: [DONE]\n\n"

// same compares JSON, but for the order of members.
func same(t *testing.T, what, want, got string) {
	t.Helper()
	var a, b any
	mustJSON(t, want, &a)
	mustJSON(t, got, &b)
	if diff := cmp.Diff(a, b); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

func saysTea(t *testing.T, r *responses.Response) {
	t.Helper()
	if r.OutputText() != "Tea is" || r.Status != "completed" || r.Model != "assistant" || len(r.Output) != 2 {
		t.Errorf("the response is %s", r.RawJSON())
		return
	}
	call := r.Output[1].AsFunctionCall()
	if call.CallID != "c1" || call.Name != "find" || call.Arguments != `{"q":1}` {
		t.Errorf("the call is %+v", call)
	}
	u := r.Usage
	if u.InputTokens != 9 || u.OutputTokens != 5 || u.TotalTokens != 14 || u.InputTokensDetails.CachedTokens != 4 || u.OutputTokensDetails.ReasoningTokens != 2 {
		t.Errorf("the usage is %+v", u)
	}
}

// TestResponsesOfChats: OpenAI's client gets responses, whole and streamed, from an upstream that has chat completions alone.
func TestResponsesOfChats(t *testing.T) {
	upstream := &canned{
		whole:    map[string]string{"/v1/chat/completions": wholeChat},
		streamed: map[string]string{"/v1/chat/completions": streamedChat},
	}
	r, client := having(t, upstream, config.APIChatCompletions)
	resp := r.post("/v1/responses", `{"model":"assistant","input":`+conversation+`,`+instructed+`}`)
	if body := text(t, resp); resp.StatusCode != http.StatusOK {
		t.Fatalf("%d %s", resp.StatusCode, body)
	}
	asked, _ := strings.CutPrefix(upstream.requests()[0], "/v1/chat/completions ")
	same(t, "asked", `{"model":"model-a","messages":[{"role":"system","content":"Be brief."},{"role":"user","content":"hi"},`+
		`{"role":"assistant","content":null,"tool_calls":[{"id":"c1","type":"function","function":{"name":"find","arguments":"{\"q\":1}"}}]},`+
		`{"role":"tool","tool_call_id":"c1","content":"7"},{"role":"user","content":[{"type":"text","text":"And?"},`+
		`{"type":"image_url","image_url":{"url":"data:x","detail":"low"}}]}],"max_tokens":9,"temperature":0.5,`+
		`"tools":[{"type":"function","function":{"name":"find","parameters":{"type":"object"}}}],`+
		`"tool_choice":{"type":"function","function":{"name":"find"}},"response_format":{"type":"json_schema","json_schema":`+
		`{"name":"out","schema":{"type":"object"},"strict":true}}}`, asked)
	ask := responses.ResponseNewParams{Model: "assistant", Input: responses.ResponseNewParamsInputUnion{OfString: openai.String("hi")}}
	whole, err := client.Responses.New(t.Context(), ask)
	if err != nil {
		t.Fatal(err)
	}
	saysTea(t, whole)
	stream := client.Responses.NewStreaming(t.Context(), ask)
	var happened []string
	var said, arguments strings.Builder
	var last responses.ResponseStreamEventUnion
	for stream.Next() {
		last = stream.Current()
		if last.SequenceNumber != int64(len(happened)) {
			t.Errorf("%s is number %d, want %d", last.Type, last.SequenceNumber, len(happened))
		}
		happened = append(happened, strings.TrimPrefix(last.Type, "response."))
		switch last.Type {
		case "response.output_text.delta":
			said.WriteString(last.Delta)
		case "response.function_call_arguments.delta":
			arguments.WriteString(last.Delta)
		}
	}
	want := []string{
		"created", "in_progress", "output_item.added", "content_part.added", "output_text.delta", "output_text.delta",
		"output_item.added", "function_call_arguments.delta", "function_call_arguments.delta",
		"output_text.done", "content_part.done", "output_item.done", "function_call_arguments.done", "output_item.done", "completed",
	}
	if diff := cmp.Diff(want, happened); diff != "" || stream.Err() != nil {
		t.Fatalf("%v; events (-want +got):\n%s", stream.Err(), diff)
	}
	if said.String() != "Tea is" || arguments.String() != `{"q":1}` {
		t.Errorf("said %q, called with %q", said.String(), arguments.String())
	}
	saysTea(t, &last.Response)
}

// TestHowTranslatedResponsesEnd: one that is cut short is incomplete, and a refusal is no text.
func TestHowTranslatedResponsesEnd(t *testing.T) {
	for choice, want := range map[string]string{
		`{"content":"Te"},"finish_reason":"length"`:               `incomplete max_output_tokens "Te" ""`,
		`{"content":"Te"},"finish_reason":"content_filter"`:       `incomplete content_filter "Te" ""`,
		`{"content":null,"refusal":"No."},"finish_reason":"stop"`: `completed  "" "No."`,
		`{"content":"Te"},"finish_reason":"of_his_own"`:           `completed  "Te" ""`,
		`{"content":""},"finish_reason":"stop"`:                   `completed  "" ""`,
	} {
		_, client := having(t, &canned{
			whole:    map[string]string{"/v1/chat/completions": `{"choices":[{"message":` + choice + `}]}`},
			streamed: map[string]string{"/v1/chat/completions": chunkOf(`"delta":`+choice) + "data: [DONE]\n\n"},
		})
		ask := responses.ResponseNewParams{Model: "assistant", Input: responses.ResponseNewParamsInputUnion{OfString: openai.String("hi")}}
		whole, err := client.Responses.New(t.Context(), ask)
		if err != nil {
			t.Fatal(err)
		}
		stream := client.Responses.NewStreaming(t.Context(), ask)
		var last responses.ResponseStreamEventUnion
		for stream.Next() {
			last = stream.Current()
		}
		for _, r := range []*responses.Response{whole, &last.Response} {
			refusal := ""
			for i := range r.Output {
				for _, part := range r.Output[i].Content {
					refusal += part.Refusal
				}
			}
			if got := fmt.Sprintf("%s %s %q %q", r.Status, r.IncompleteDetails.Reason, r.OutputText(), refusal); got != want {
				t.Errorf("%s: got %s, want %s; %v", choice, got, want, stream.Err())
			}
		}
	}
}

// TestChatsOfResponses: the other way round.
func TestChatsOfResponses(t *testing.T) {
	output := strings.Replace(message, " a drink.", "", 1) + "," + calling
	added := `"output_index":1,"item":{"type":"function_call","id":"fc_1","call_id":"c1","name":"find","arguments":""}`
	for name, arguments := range map[string]string{
		"in pieces": happens("response.function_call_arguments.delta", `"output_index":1,"delta":"{\"q\""`) +
			happens("response.function_call_arguments.delta", `"output_index":1,"delta":":1}"`),
		"at once": "",
	} {
		upstream := &canned{
			whole: map[string]string{"/v1/responses": response("model-a", output)},
			streamed: map[string]string{"/v1/responses": happens("response.created", `"response":{}`) +
				happens("response.output_text.delta", `"delta":"Tea is"`) + happens("response.output_item.added", added) + arguments +
				happens("response.output_item.done", `"output_index":1,"item":`+calling) +
				happens("response.completed", `"response":`+response("model-a", output))},
		}
		r, client := having(t, upstream, config.APIResponses)
		whole, err := client.Chat.Completions.New(t.Context(), openai.ChatCompletionNewParams{
			Model: "assistant", Messages: []openai.ChatCompletionMessageParamUnion{openai.UserMessage("hi")},
		})
		if err != nil {
			t.Fatal(err)
		}
		var streamed openai.ChatCompletionAccumulator
		stream := client.Chat.Completions.NewStreaming(t.Context(), openai.ChatCompletionNewParams{
			Model: "assistant", Messages: []openai.ChatCompletionMessageParamUnion{openai.UserMessage("hi")},
			StreamOptions: openai.ChatCompletionStreamOptionsParam{IncludeUsage: openai.Bool(true)},
		})
		for stream.Next() {
			streamed.AddChunk(stream.Current())
		}
		if stream.Err() != nil {
			t.Fatal(stream.Err())
		}
		for _, done := range []openai.ChatCompletion{*whole, streamed.ChatCompletion} {
			m := done.Choices[0].Message
			if m.Content != "Tea is" || len(m.ToolCalls) != 1 || m.ToolCalls[0].ID != "c1" || m.ToolCalls[0].Function.Arguments != `{"q":1}` ||
				done.Choices[0].FinishReason != "tool_calls" || done.Usage.PromptTokens != 9 || done.Usage.CompletionTokens != 5 {
				t.Errorf("%s: %+v", name, done)
			}
		}
		resp := r.post("/v1/chat/completions", `{"model":"assistant","max_tokens":9,"messages":[{"role":"system","content":"Be brief."},`+
			`{"role":"assistant","content":null,"tool_calls":[{"id":"c1","type":"function","function":{"name":"find","arguments":"{}"}}]},`+
			`{"role":"tool","tool_call_id":"c1","content":"7"},{"role":"user","content":[{"type":"text","text":"And?"},`+
			`{"type":"image_url","image_url":{"url":"data:x"}}]}],"tools":[{"type":"function","function":{"name":"find","parameters":{"type":"object"}}}],`+
			`"tool_choice":"required","response_format":{"type":"json_object"}}`)
		if body := text(t, resp); resp.StatusCode != http.StatusOK {
			t.Fatalf("%d %s", resp.StatusCode, body)
		}
		all := upstream.requests()
		asked, _ := strings.CutPrefix(all[len(all)-1], "/v1/responses ")
		same(t, "asked", `{"model":"model-a","store":false,"max_output_tokens":9,"input":[{"role":"system","content":"Be brief."},`+
			`{"type":"function_call","call_id":"c1","name":"find","arguments":"{}"},{"type":"function_call_output","call_id":"c1","output":"7"},`+
			`{"role":"user","content":[{"type":"input_text","text":"And?"},{"type":"input_image","image_url":"data:x"}]}],`+
			`"tools":[{"type":"function","name":"find","parameters":{"type":"object"},"strict":false}],"tool_choice":"required",`+
			`"text":{"format":{"type":"json_object"}}}`, asked)
		// A route's own steps ask such an upstream, too.
		if resp := r.post("/answer", question("{}")); resp.StatusCode != http.StatusOK || !strings.Contains(text(t, resp), `"answer":"Tea is"`) {
			t.Errorf("a typed route: %d", resp.StatusCode)
		}
	}
}

// TestWhatChatsHaveNoWordsFor: what would be another request is refused by the name of the member, and no upstream is asked.
func TestWhatChatsHaveNoWordsFor(t *testing.T) {
	upstream := &canned{}
	r, _ := having(t, upstream, config.APIChatCompletions)
	for member, param := range map[string]string{
		`"previous_response_id":"resp_1"`:              "previous_response_id",
		`"conversation":"c"`:                           "conversation",
		`"prompt":{"id":"p"}`:                          "prompt",
		`"tools":[{"type":"web_search"}]`:              "tools",
		`"tool_choice":{"type":"mcp"}`:                 "tool_choice",
		`"text":{"verbosity":"low"}`:                   "text",
		`"reasoning":{"effort":"low"}`:                 "reasoning",
		`"truncation":"auto"`:                          "truncation",
		`"include":["file_search_call.results"]`:       "include",
		`"input":[{"type":"item_reference","id":"x"}]`: "input[0].type",
		`"input":[{"role":"user","content":[{"type":"input_image","file_id":"x"}]}]`: "input[0].content",
		`"input":7`: "input",
		`"x_new":1`: "x_new",
	} {
		body := `{"model":"assistant","input":"hi",` + member + `}`
		if strings.HasPrefix(member, `"input"`) {
			body = `{"model":"assistant",` + member + `}`
		}
		resp := r.post("/v1/responses", body)
		var got struct {
			Error struct {
				Param string `json:"param"`
			} `json:"error"`
		}
		if err := json.Unmarshal([]byte(text(t, resp)), &got); err != nil || resp.StatusCode != 400 || got.Error.Param != param {
			t.Errorf("%s: %d, %q, %v", member, resp.StatusCode, got.Error.Param, err)
		}
	}
	if asked := upstream.requests(); len(asked) > 0 {
		t.Errorf("asked %v", asked)
	}
}

// TestModelsKeepAlive: a stream of a model gets a comment in each silence if that was asked for, before its first event, too.
func TestModelsKeepAlive(t *testing.T) {
	asked := make(chan struct{})
	slow := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		<-asked
		w.Header().Set("Content-Type", "text/event-stream")
		_, _ = w.Write([]byte("data: {\"choices\":[{\"delta\":{\"content\":\"Tea\"}}]}\n\ndata: [DONE]\n\n"))
	})
	c := assistant(serve(t, slow) + "/v1")
	c.Models[0].KeepAlive = config.Duration(config.MinKeepAlive)
	r := start(t, c)
	resp := r.post("/v1/chat/completions", `{"model":"assistant","stream":true,"messages":[]}`)
	first := make([]byte, len(": keep-alive\n\n"))
	if _, err := resp.Body.Read(first); err != nil || !strings.HasPrefix(string(first), ":") {
		t.Errorf("begins with %q, %v", first, err)
	}
	close(asked)
	if rest := text(t, resp); !strings.HasSuffix(rest, "data: [DONE]\n\n") {
		t.Errorf("ends with %q", rest[max(len(rest)-200, 0):])
	}
}
