package gateway

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/openai/openai-go/v3"
	sdk "github.com/openai/openai-go/v3/option"
	"github.com/openai/openai-go/v3/responses"

	"github.com/llmservice/llmservice/runtime/config"
	"github.com/llmservice/llmservice/test/mockllm"
)

const byLastMessage = `{"question":"${conversation.lastMessage}"}`

// routed is a config whose only model is answered by a route of these steps.
func routed(url, body string, response *config.Response, steps ...config.Step) *config.Config {
	c := only(assistant(url), response, steps...)
	c.Models = []config.Model{{Name: "assistant", Route: &config.ModelRoute{Path: "/only", Body: []byte(body)}}}
	return c
}

// agentStep asks a model that first calls a tool.
func agentStep() config.Step {
	return config.Step{Name: "answer", Action: config.Action{Agent: &config.Agent{
		Upstream: "a", Messages: []config.Message{{Role: "user", Content: "${request.body.question}"}},
		Tools: []string{"find"}, MaxTurns: 3, MaxParallel: 1,
	}}}
}

func find() config.Function {
	return config.Function{
		Name: "find", Description: "Finds.", Input: []byte(`{"type":"object"}`),
		Steps:  []config.Step{{Name: "found", Set: &config.Set{Value: []byte(`"nothing"`)}}},
		Output: []byte(`"${steps.found}"`),
	}
}

// TestARouteAsAModel: OpenAI's client asks a typed route as a model, at both of its endpoints for conversations, whole and
// streamed, and gets the text that the route answers with, under the model's name, with what all its calls have used.
func TestARouteAsAModel(t *testing.T) {
	second := chatStep()
	second.Name, second.Chat.Messages = "draft", []config.Message{{Role: "user", Content: `[[mock {"text":"a draft"}]]`}}
	textSchema := []byte(`{"type":"string","minLength":3}`)
	for name, tt := range map[string]struct {
		response *config.Response
		steps    []config.Step
		script   string
		text     string
		calls    int64
	}{
		"tokens":        {&config.Response{Stream: "answer"}, []config.Step{chatStep()}, `{"text":"Tea is a drink."}`, "Tea is a drink.", 1},
		"after a draft": {&config.Response{Stream: "answer"}, []config.Step{second, chatStep()}, `{"text":"Tea."}`, "Tea.", 2},
		"as text": {
			&config.Response{Stream: "answer", Format: "Text"}, []config.Step{chatStep()}, `{"text":"Tea is"}`, "Tea is", 1,
		},
		"validated": {
			&config.Response{Stream: "answer", Schema: textSchema, Commit: config.CommitAfterValidation},
			[]config.Step{chatStep()},
			`{"text":"Tea is"}`, "Tea is", 1,
		},
		"an agent's": {
			&config.Response{Stream: "answer"},
			[]config.Step{agentStep()},
			`{"turns":[{"toolCalls":[{"name":"find","arguments":{}}]},{"text":"Found nothing."}]}`, "Found nothing.", 2,
		},
		"a string": {&config.Response{Body: []byte(`"${steps.answer.text}"`)}, []config.Step{chatStep()}, `{"text":"\"Te\"a"}`, `"Te"a`, 1},
		"JSON": {
			&config.Response{Body: []byte(`{"answer":"${steps.answer.text}"}`)}, []config.Step{chatStep()}, `{"text":"Tea"}`, `{"answer":"Tea"}`, 1,
		},
		"a result": {
			&config.Response{Events: &config.Events{Steps: []string{"answer"}, Progress: true}, Body: []byte(`"${steps.answer.text}!"`)},
			[]config.Step{chatStep()},
			`{"text":"Tea"}`, "Tea!", 1,
		},
		"a step's own": {
			&config.Response{Stream: "answer"},
			[]config.Step{{Name: "early", Respond: &config.Respond{Status: 200, Body: []byte(`"At once."`)}}, chatStep()},
			`{}`, "At once.", 0,
		},
	} {
		t.Run(name, func(t *testing.T) {
			mock, url := startMock(t, mockllm.Options{})
			c := routed(url, byLastMessage, tt.response, tt.steps...)
			if tt.steps[len(tt.steps)-1].Agent != nil {
				c.Functions = []config.Function{find()}
			}
			r := start(t, c)
			client := openai.NewClient(sdk.WithBaseURL(r.url+"/v1"), sdk.WithAPIKey("none"), sdk.WithMaxRetries(0))
			want := fmt.Sprintf("%q assistant", tt.text)
			for how, got := range answersOf(t, &client, "[[mock "+tt.script+"]]") {
				used := got.total > 0
				if fmt.Sprintf("%q %s", got.text, got.model) != want || used != (tt.calls > 0) {
					t.Errorf("%s: got %q of %s, %d tokens; want %s", how, got.text, got.model, got.total, want)
				}
			}
			if asked := mock.Stats().Opened; int64(asked) != 4*tt.calls {
				t.Errorf("the upstream was asked %d times, want %d", asked, 4*tt.calls)
			}
		})
	}
}

// heard is what a client got.
type heardAnswer struct {
	text, model string
	total       int64
}

// answersOf asks in each of the ways in which a conversation can be continued.
func answersOf(t *testing.T, client *openai.Client, said string) map[string]heardAnswer {
	t.Helper()
	all := map[string]heardAnswer{}
	params := openai.ChatCompletionNewParams{
		Model: "assistant", Temperature: openai.Float(0.5), MaxTokens: openai.Int(100), N: openai.Int(1),
		Messages: []openai.ChatCompletionMessageParamUnion{
			openai.SystemMessage("Be kind."), openai.UserMessage("Hello"), openai.AssistantMessage("Hi"), openai.UserMessage(said),
		},
	}
	whole, err := client.Chat.Completions.New(t.Context(), params)
	if err != nil {
		t.Fatal(err)
	}
	if reason := whole.Choices[0].FinishReason; reason != "stop" {
		t.Errorf("a whole chat ends with %q", reason)
	}
	all["chat"] = heardAnswer{whole.Choices[0].Message.Content, whole.Model, whole.Usage.TotalTokens}
	params.StreamOptions.IncludeUsage = openai.Bool(true)
	var chunks openai.ChatCompletionAccumulator
	stream := client.Chat.Completions.NewStreaming(t.Context(), params)
	ids := map[string]bool{}
	for stream.Next() {
		ids[stream.Current().ID] = true
		chunks.AddChunk(stream.Current())
	}
	if stream.Err() != nil || len(chunks.Choices) != 1 || chunks.Choices[0].FinishReason != "stop" || len(ids) != 1 {
		t.Fatalf("chunks: %v, %d ids, %+v", stream.Err(), len(ids), chunks.ChatCompletion)
	}
	all["chunks"] = heardAnswer{chunks.Choices[0].Message.Content, chunks.Model, chunks.Usage.TotalTokens}
	ask := responses.ResponseNewParams{
		Model: "assistant", Instructions: openai.String("Be kind."),
		Input: responses.ResponseNewParamsInputUnion{OfString: openai.String(said)},
	}
	response, err := client.Responses.New(t.Context(), ask)
	if err != nil {
		t.Fatal(err)
	}
	all["response"] = heardAnswer{response.OutputText(), response.Model, response.Usage.TotalTokens}
	all["events"] = streamedResponseOf(t, client, ask)
	return all
}

func streamedResponseOf(t *testing.T, client *openai.Client, ask responses.ResponseNewParams) heardAnswer {
	t.Helper()
	var said strings.Builder
	var last responses.ResponseStreamEventUnion
	begun, number := 0, int64(0)
	events := client.Responses.NewStreaming(t.Context(), ask)
	for ; events.Next(); number++ {
		last = events.Current()
		said.WriteString(last.Delta)
		if last.SequenceNumber != number {
			t.Errorf("event %s is number %d, want %d", last.Type, last.SequenceNumber, number)
		}
		if last.Type == "response.created" {
			begun++
		}
	}
	if events.Err() != nil || last.Type != "response.completed" || begun != 1 || said.String() != last.Response.OutputText() {
		t.Errorf("events: %v, begun %d times, said %q, the last is %s with %q", events.Err(), begun, said.String(), last.Type, last.Response.OutputText())
	}
	return heardAnswer{said.String(), last.Response.Model, last.Response.Usage.TotalTokens}
}

// TestConversationsAsRequests: a model's body may take the whole conversation, and reads of it no more than it says.
func TestConversationsAsRequests(t *testing.T) {
	mock, url := startMock(t, mockllm.Options{})
	history := chatStep()
	history.Chat.Messages = []config.Message{{Role: "system", Content: "Of ${request.body.turns} turns."}, {History: "${request.body.messages}"}}
	c := routed(url, `{"messages":"${conversation.messages.filter(m, m.role != 'system')}","turns":"${size(conversation.messages)}"}`,
		&config.Response{Stream: "answer"}, history)
	c.Routes[0].Request = &config.Request{Schema: []byte(`{"type":"object","required":["messages","turns"],"properties":{"turns":{"type":"integer"}}}`)}
	r := start(t, c)
	image := `{"role":"user","content":[{"type":"text","text":"[[mock {\"text\":\"I was told: \",\"echoRole\":\"system\"}]]"},` +
		`{"type":"image_url","image_url":{"url":"data:image/png;base64,AA=="}}]}`
	resp := r.post("/v1/chat/completions", `{"model":"assistant","messages":[{"role":"system","content":"x"},`+image+`]}`)
	if body := text(t, resp); resp.StatusCode != http.StatusOK || !strings.Contains(body, "Of 2 turns.") {
		t.Errorf("%d %s", resp.StatusCode, body)
	}
	if n := mock.Stats().Opened; n != 1 {
		t.Errorf("asked %d times", n)
	}
}

// TestWhatRoutesCannotBeAsked: what a route cannot give is refused in OpenAI's format, and no upstream is asked.
func TestWhatRoutesCannotBeAsked(t *testing.T) {
	mock, url := startMock(t, mockllm.Options{})
	r := start(t, routed(url, byLastMessage, &config.Response{Stream: "answer"}, chatStep()))
	const hello = `"messages":[{"role":"user","content":"hi"}]`
	tool := `{"type":"function","function":{"name":"f","parameters":{}}}`
	for _, tt := range []struct {
		path, body string
		status     int
		param      string
		message    string
	}{
		{"/v1/completions", `"prompt":"hi"`, 404, "model", "ask it at /v1/chat/completions"},
		{"/v1/embeddings", `"input":"hi"`, 404, "model", "ask it at /v1/chat/completions"},
		{"/v1/chat/completions", hello + `,"tools":[` + tool + `]`, 400, "tools", "calls no tools"},
		{"/v1/chat/completions", hello + `,"stop":"x"`, 400, "stop", "where to stop"},
		{"/v1/chat/completions", hello + `,"n":2`, 400, "n", ""},
		{"/v1/chat/completions", hello + `,"logit_bias":{"1":2}`, 400, "logit_bias", "no member like this"},
		{"/v1/chat/completions", hello + `,"response_format":{"type":"json_object"}`, 400, "", "decides itself"},
		{"/v1/responses", `"input":"hi","text":{"format":{"type":"json_object"}}`, 400, "", "decides itself"},
		{"/v1/responses", `"input":"hi","previous_response_id":"resp_1"`, 400, "previous_response_id", "no member like this"},
		{"/v1/chat/completions", `"messages":[]`, 400, "messages", "with a message of the user"},
		{"/v1/chat/completions", `"messages":[{"role":"user","content":""}]`, 400, "question", "at least 1"},
		{"/v1/chat/completions", `"messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"data:"}}]}]`, 400, "messages", "is text"},
	} {
		for _, stream := range []string{"", `,"stream":true`} {
			resp := r.post(tt.path, `{"model":"assistant",`+tt.body+stream+`}`)
			var got struct {
				Error struct {
					Message string `json:"message"`
					Type    string `json:"type"`
					Param   string `json:"param"`
				} `json:"error"`
			}
			body := text(t, resp)
			if err := json.Unmarshal([]byte(body), &got); err != nil || resp.StatusCode != tt.status || got.Error.Type != "invalid_request_error" ||
				got.Error.Param != tt.param || !strings.Contains(got.Error.Message, tt.message) {
				t.Errorf("%s %s: %d %s (%v), want %d, %s", tt.path, tt.body+stream, resp.StatusCode, body, err, tt.status, tt.param)
			}
		}
	}
	if n := mock.Stats().Opened; n > 0 {
		t.Errorf("asked %d times", n)
	}
	if resp := r.post("/v1/chat/completions", `{"model":"assistant",`+hello+`,"tools":[`+tool+`],"tool_choice":"none"}`); resp.StatusCode != 200 {
		t.Errorf("tools that may not be called: %d %s", resp.StatusCode, text(t, resp))
	}
}

// TestFailuresOfARouteAsAModel: clients are told of each in OpenAI's format, with its status as long as nothing was sent, and in
// the one event that ends the stream after that.
func TestFailuresOfARouteAsAModel(t *testing.T) {
	gone := config.Step{Name: "gone", Respond: &config.Respond{Status: 410, Body: []byte(`"${'Gone: ' + request.body.question}"`)}}
	broken := config.Step{Name: "broken", Respond: &config.Respond{Status: 500, Body: []byte(`"${'Broken: ' + request.body.question}"`)}}
	detail := config.Step{Name: "detail", Respond: &config.Respond{Status: 403, Body: []byte(`{"detail":"Not you."}`)}}
	slow := chatStep()
	slow.Timeout = config.Duration(time.Millisecond)
	for name, tt := range map[string]struct {
		steps   []config.Step
		script  string
		status  int
		code    string
		message string
	}{
		"an upstream's":    {[]config.Step{chatStep()}, `{"status":500}`, 502, "upstream_error", ""},
		"a limit":          {[]config.Step{chatStep()}, `{"status":429}`, 429, "upstream_overloaded", ""},
		"a step's own":     {[]config.Step{gone, chatStep()}, `{}`, 410, "invalid_request", "Gone: [[mock {}]]"},
		"a step's own 500": {[]config.Step{broken, chatStep()}, `{}`, 500, "upstream_error", "Broken: [[mock {}]]"},
		"a step's detail":  {[]config.Step{detail, chatStep()}, `{}`, 403, "invalid_request", "Not you."},
		"a timeout":        {[]config.Step{slow}, `{"fault":"HangBeforeHeaders"}`, 504, "timeout", ""},
	} {
		t.Run(name, func(t *testing.T) {
			_, url := startMock(t, mockllm.Options{})
			r := start(t, routed(url, byLastMessage, &config.Response{Stream: "answer"}, tt.steps...))
			client := openai.NewClient(sdk.WithBaseURL(r.url+"/v1"), sdk.WithAPIKey("none"), sdk.WithMaxRetries(0))
			params := openai.ChatCompletionNewParams{
				Model: "assistant", Messages: []openai.ChatCompletionMessageParamUnion{openai.UserMessage("[[mock " + tt.script + "]]")},
			}
			_, whole := client.Chat.Completions.New(t.Context(), params)
			stream := client.Chat.Completions.NewStreaming(t.Context(), params)
			if stream.Next() {
				t.Errorf("a chunk came: %+v", stream.Current())
			}
			for how, err := range map[string]error{"whole": whole, "streamed": stream.Err()} {
				told, ok := errors.AsType[*openai.Error](err)
				if !ok || told.StatusCode != tt.status || told.Code != tt.code || tt.message != "" && told.Message != tt.message {
					t.Errorf("%s: %v, want %d %s %q", how, err, tt.status, tt.code, tt.message)
				}
			}
			if logs := r.logs.String(); strings.Contains(logs, "[[mock") {
				t.Errorf("what the client has said is in the log:\n%s", logs)
			}
		})
	}
}

// TestARouteAsAModelBoundsItsStream: a stream of the model ends when the route's would; a whole answer has the route's timeout.
func TestARouteAsAModelBoundsItsStream(t *testing.T) {
	_, url := startMock(t, mockllm.Options{})
	c := routed(url, byLastMessage, &config.Response{Stream: "answer"}, chatStep())
	for i := range c.Routes {
		c.Routes[i].MaxStreamDuration = config.Duration(200 * time.Millisecond)
	}
	r := start(t, c)
	seen := events(t, r.post("/v1/chat/completions", completion(true, `{"tokens":100000,"tokenDelay":"5ms"}`)))
	if last := seen[len(seen)-1]; !strings.Contains(last, "stream_duration_exceeded") {
		t.Errorf("ended by %s", last)
	}
	if resp := r.post("/v1/chat/completions", completion(false, `{"tokens":2,"tokenDelay":"200ms"}`)); resp.StatusCode != 200 {
		t.Errorf("whole: %d %s", resp.StatusCode, text(t, resp))
	}
}

// TestStreamsOfARouteAsAModelEndOnce: after content, a failure is the last event, and nothing follows it.
func TestStreamsOfARouteAsAModelEndOnce(t *testing.T) {
	_, url := startMock(t, mockllm.Options{})
	r := start(t, routed(url, byLastMessage, &config.Response{Stream: "answer"}, chatStep()))
	for _, fault := range []string{"Truncate", "EndEarly", "ErrorEvent"} {
		seen := events(t, r.post("/v1/chat/completions", completion(true, `{"fault":"`+fault+`","afterTokens":2}`)))
		if len(seen) < 3 || !strings.HasPrefix(seen[len(seen)-1], `{"error":`) || strings.Contains(strings.Join(seen, ""), "[DONE]") {
			t.Errorf("%s: %q", fault, seen)
		}
		if got := said(t, seen[:len(seen)-1]); got != "token-0 token-1 " {
			t.Errorf("%s: said %q", fault, got)
		}
	}
	seen := events(t, r.post("/v1/chat/completions", completion(true, `{"text":"Tea."}`)))
	if len(seen) < 3 || seen[len(seen)-1] != "[DONE]" || strings.Contains(strings.Join(seen, ""), "usage") {
		t.Errorf("without usage asked for: %q", seen)
	}
}

// TestClientsOfARouteAsAModelThatLeave: the upstream's call is cancelled, whole or streamed, before or after the first token.
func TestClientsOfARouteAsAModelThatLeave(t *testing.T) {
	for _, script := range []string{`{"fault":"HangBeforeHeaders"}`, `{"fault":"Silence","afterTokens":2}`} {
		for _, stream := range []bool{false, true} {
			mock, url := startMock(t, mockllm.Options{})
			r := start(t, routed(url, byLastMessage, &config.Response{Stream: "answer"}, chatStep()))
			r.leave(mock, "/v1/chat/completions", completion(stream, script), 1)
		}
	}
}

// TestCommentsOfARouteAsAModel: the model's keep-alive goes for its route, too, and a step that answers later than the first
// comment ends the stream with an error event.
func TestCommentsOfARouteAsAModel(t *testing.T) {
	_, url := startMock(t, mockllm.Options{})
	asked := make(chan struct{})
	late := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		select {
		case <-asked:
		case <-r.Context().Done():
		}
		_, _ = w.Write([]byte("{}"))
	}))
	wait := config.Step{Name: "wait", Action: config.Action{HTTP: &config.HTTPCall{Upstream: "slow", Path: "/", Method: "GET"}}}
	gone := config.Step{Name: "gone", Respond: &config.Respond{Status: 410, Body: []byte(`"Gone."`)}}
	c := routed(url, byLastMessage, &config.Response{Stream: "answer"}, wait, gone, chatStep())
	c.Upstreams = append(c.Upstreams, service("slow", late))
	c.Models[0].KeepAlive = config.Duration(config.MinKeepAlive)
	r := start(t, c)
	resp := r.post("/v1/chat/completions", completion(true, `{}`))
	first := make([]byte, len(": keep-alive\n\n"))
	if _, err := resp.Body.Read(first); err != nil || !strings.HasPrefix(string(first), ":") {
		t.Errorf("begins with %q, %v", first, err)
	}
	close(asked)
	if rest := text(t, resp); !strings.Contains(rest, `data: {"error":{"message":"Gone.","type":"invalid_request_error"`) || strings.Contains(rest, "[DONE]") {
		t.Errorf("ends with %q", rest)
	}
}

// TestDependenciesOfAModel: a route that is asked as a model has its dependencies called, and one that refuses is an error in the
// protocol's form, before a model is asked.
func TestDependenciesOfAModel(t *testing.T) {
	mock, url := startMock(t, mockllm.Options{})
	c := routed(url, byLastMessage, &config.Response{Stream: "answer"}, chatStep())
	c.Functions = []config.Function{{
		Name: "asks", Input: []byte(`{"type":"object","required":["q"],"properties":{"q":{"type":"string"}}}`), Output: []byte(`1`),
		Steps: []config.Step{
			{Name: "none", When: "${input.q == 'no'}", Respond: &config.Respond{Status: 403, Body: []byte(`{"detail":"Not that"}`)}},
			{Name: "fine", Set: &config.Set{Value: []byte(`1`)}},
		},
	}}
	c.Routes[len(c.Routes)-1].Dependencies = []config.Dependency{
		{Name: "asked", Call: config.Call{Function: "asks", Input: []byte(`{"q":"${request.body.question}"}`)}},
	}
	r := start(t, c)
	for _, streamed := range []string{"true", "false"} {
		ask := `{"model":"assistant","stream":` + streamed + `,"messages":[{"role":"user","content":"%s"}]}`
		resp := r.post("/v1/chat/completions", fmt.Sprintf(ask, "no"))
		body, err := io.ReadAll(resp.Body)
		if err != nil || resp.StatusCode != http.StatusForbidden || !strings.Contains(string(body), `"message":"Not that"`) {
			t.Errorf("%d %s, %v", resp.StatusCode, body, err)
		}
		if asked := mock.Stats().Opened; asked != 0 {
			t.Errorf("a model was asked %d times", asked)
		}
	}
	resp := r.post("/v1/chat/completions", `{"model":"assistant","messages":[{"role":"user","content":"[[mock {\"text\":\"Tea\"}]]"}]}`)
	if body, err := io.ReadAll(resp.Body); err != nil || resp.StatusCode != http.StatusOK || !strings.Contains(string(body), "Tea") {
		t.Errorf("%d %s, %v", resp.StatusCode, body, err)
	}
}

// TestDependenciesOfAServiceForAModel: they read the headers of the model's client.
func TestDependenciesOfAServiceForAModel(t *testing.T) {
	mock, url := startMock(t, mockllm.Options{})
	c := routed(url, byLastMessage, &config.Response{Stream: "answer"}, chatStep())
	c.Functions = []config.Function{{
		Name: "key", Input: []byte(`{"type":"object","required":["key"],"properties":{"key":{"type":"string"}}}`), Output: []byte(`1`),
		Steps: []config.Step{
			{Name: "no", When: "${input.key != 'good'}", Respond: &config.Respond{Status: 401, Body: []byte(`{"detail":"Who?"}`)}},
		},
	}}
	c.Dependencies = []config.ServiceDependency{{
		Dependency: config.Dependency{Name: "key", Call: config.Call{Function: "key", Input: []byte(`{"key":"${request.params.` + "`X-Key`" + `}"}`)}},
		Parameters: []config.Parameter{{Name: "X-Key", In: config.InHeader, Required: true}},
	}}
	r := start(t, c)
	for key, want := range map[string]int{"good": http.StatusOK, "bad": http.StatusUnauthorized, "": http.StatusBadRequest} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, r.url+"/v1/chat/completions",
			strings.NewReader(`{"model":"assistant","messages":[{"role":"user","content":"Tea"}]}`))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", "application/json")
		if key != "" {
			req.Header.Set("X-Key", key)
		}
		before := mock.Stats().Opened
		resp, err := r.client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		if asked := mock.Stats().Opened > before; err != nil || resp.StatusCode != want || asked != (want == http.StatusOK) {
			t.Errorf("%q: %d %s (%v), asked %v; want %d", key, resp.StatusCode, body, err, asked, want)
		}
	}
}
