package openai

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/llmservice/llmservice/runtime/config"
	"github.com/llmservice/llmservice/runtime/llm"
	"github.com/llmservice/llmservice/runtime/problem"
	"github.com/llmservice/llmservice/runtime/relay"
)

// Each endpoint has a name in a config, and each name an endpoint.
func TestEachAPIIsAnEndpoint(t *testing.T) {
	var names []string
	for _, e := range (Dialect{}).Endpoints() {
		names = append(names, APIs[e])
	}
	if diff := cmp.Diff(config.APIs, names); diff != "" {
		t.Errorf("the endpoints of the APIs (-want +got):\n%s", diff)
	}
}

func TestRequestsOfEndpoints(t *testing.T) {
	for _, e := range (Dialect{}).Endpoints() {
		const rest = `"messages":[],"prompt":"hi","input":"hi"}`
		for _, tt := range []struct {
			body, param string
			streamed    bool
		}{
			{body: `{"model":"m",` + rest},
			{body: `{"model":"m","stream":true,` + rest, streamed: e != llm.Endpoint(Embeddings{})},
			{body: `{` + rest, param: "model"},
			{body: `{"model":7,` + rest, param: "model"},
			{body: `{"model":"m","Model":"n",` + rest, param: "Model"},
		} {
			r, wrong := e.ReadRequest([]byte(tt.body))
			if tt.param != "" {
				if wrong == nil || wrong.Param != tt.param {
					t.Errorf("%s: %s: %v, want a problem of %q", e.Path(), tt.body, wrong, tt.param)
				}
				continue
			}
			if wrong != nil {
				t.Errorf("%s: %s: %v", e.Path(), tt.body, wrong)
				continue
			}
			if name, streamed := r.Wants(); name != "m" || streamed != tt.streamed {
				t.Errorf("%s: %s wants %q, streamed %v", e.Path(), tt.body, name, streamed)
			}
			if got, want := string(r.WithModel("real").Joined()), strings.Replace(tt.body, `"m"`, `"real"`, 1); got != want {
				t.Errorf("%s: got %s, want %s", e.Path(), got, want)
			}
		}
		if _, wrong := e.ReadRequest([]byte(`{"model":"m"`)); wrong == nil || wrong.Code != problem.MalformedJSON {
			t.Errorf("%s: broken JSON: %v", e.Path(), wrong)
		}
	}
	for given, good := range map[string]bool{"true": false, "1": false, "false": true, "null": true} {
		_, wrong := Responses{}.ReadRequest([]byte(`{"model":"m","input":"hi","background":` + given + `}`))
		if (wrong == nil) != good || !good && wrong.Param != "background" {
			t.Errorf("background %s: %v", given, wrong)
		}
	}
}

func TestAnswersOfEndpoints(t *testing.T) {
	for e, answers := range map[llm.Endpoint]struct{ good, bad []string }{
		Completions{}: {
			good: []string{`{"model": "real","choices":[{"text":"hi"}], "x":1}`, `{"choices":[{}]}`},
			bad:  []string{`{"model":"real","choices":[]}`, `{}`, `[]`, `{"error":{"message":"no"}}`},
		},
		Embeddings{}: {
			good: []string{`{"data":[{"embedding":[1, 2.0]}] ,"model":"real"}`, `{"data":[]}`},
			bad:  []string{`{"model":"real"}`, `{"data":{}}`, `x`, `{"data":[],"error":"no"}`},
		},
		Responses{}: {
			good: []string{`{"object":"response","error":null,"status":"completed","model":"real", "output":[{"type":"new"}]}`, `{"output":[]}`},
			bad:  []string{`{"model":"real"}`, `{"status":"failed","output":[]}`, `{"error":{"code":"x"},"output":[]}`, `{"output":1}`, ``},
		},
	} {
		for _, answer := range answers.good {
			got, err := e.Rename([]byte(answer), "m", &llm.Used{})
			if want := strings.Replace(answer, "real", "m", 1); err != nil || string(got) != want {
				t.Errorf("%s: %s, %v, want %s", e.Path(), got, err, want)
			}
		}
		for _, answer := range answers.bad {
			if _, err := e.Rename([]byte(answer), "m", &llm.Used{}); err == nil {
				t.Errorf("%s: %s is taken for an answer", e.Path(), answer)
			}
		}
	}
}

// The chunks of the older completions have a text instead of a delta.
func TestStreamsOfCompletions(t *testing.T) {
	const stream = "data: {\"model\":\"real\",\"choices\":[{\"text\":\"\",\"index\":0}]}\n\n" +
		"data: {\"model\":\"real\",\"choices\":[{\"text\":\"Tea\",\"index\":0}]}\n\n" + "data: [DONE]\n\n"
	got, kinds := through(t, llm.NewTap(Completions{}, llm.TapOptions{Alias: "m"}), stream)
	if want := strings.ReplaceAll(stream, "real", "m"); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if diff := cmp.Diff([]relay.EventKind{relay.Preamble, relay.Content, relay.Done}, kinds); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func event(name, data string) string {
	return "event: " + name + "\ndata: {\"type\":\"" + name + "\"," + data + "}\n\n"
}

// Events of a response pass as they are, except for the model's name in the responses that some of them contain.
func TestStreamsOfResponses(t *testing.T) {
	const whole = `"response":{"id":"r","model":"real","output":[],"instructions":"Say \"model\":\"x\""}`
	for _, tt := range []struct {
		event string
		kind  relay.EventKind
	}{
		{": hello\n\n", relay.Preamble},
		{event("response.created", whole), relay.Preamble},
		{event("response.in_progress", whole), relay.Preamble},
		{event("response.queued", whole), relay.Preamble},
		{event("response.output_item.added", `"item":{"type":"message","content":[]}`), relay.Preamble},
		{event("response.output_item.added", `"item":{"type":"reasoning","summary":[]}`), relay.Preamble},
		{event("response.content_part.added", `"part":{"type":"output_text","text":""}`), relay.Preamble},
		{event("response.output_text.delta", `"delta":""`), relay.Preamble},
		{event("of.another.api", `"delta":"x"`), relay.Preamble},
		{"data: [1]\n\n", relay.Preamble},
		{event("response.output_text.delta", `"delta":"x"`), relay.Content},
		{event("response.refusal.delta", `"delta":"x"`), relay.Content},
		{event("response.reasoning_text.delta", `"delta":"x"`), relay.Content},
		{event("response.reasoning_summary_text.delta", `"delta":"x"`), relay.Content},
		{event("response.function_call_arguments.delta", `"delta":"{"`), relay.Content},
		{event("response.audio.delta", `"delta":"AA=="`), relay.Content},
		{event("response.output_item.added", `"item":{"type":"function_call","name":"f"}`), relay.Content},
		{event("response.output_item.done", `"item":{"type":"message"}`), relay.Content},
		{event("response.web_search_call.searching", `"item_id":"x"`), relay.Content},
		{event("response.image_generation_call.partial_image", `"partial_image_b64":"AA"`), relay.Content},
		{event("response.what_comes_next", `"x":1`), relay.Content},
		{event("response.completed", whole), relay.Done},
		{event("response.incomplete", whole), relay.Done},
		{"data: {\"type\":\"response.completed\"," + whole + "}\n\n", relay.Done},
		{"event: response.completed\ndata: {" + whole + "}\n\n", relay.Done},
	} {
		got, kinds := through(t, llm.NewTap(Responses{}, llm.TapOptions{Alias: "m"}), tt.event)
		if want := strings.Replace(tt.event, `"model":"real"`, `"model":"m"`, 1); got != want || kinds[0] != tt.kind {
			t.Errorf("%s passes as %s, and is %v; want %v", tt.event, got, kinds[0], tt.kind)
		}
	}
}

func TestFailuresOfResponses(t *testing.T) {
	for stream, want := range map[string]relay.FailureKind{
		event("response.failed", `"response":{"error":{"code":"server_error","message":"HIS WORDS"}}`): relay.FailedEvent,
		event("error", `"code":"x","message":"HIS WORDS"`):                                             relay.FailedEvent,
		"data: {\"type\":\"error\",\"message\":\"HIS WORDS\"}\n\n":                                     relay.FailedEvent,
		"data: {\"error\":{\"message\":\"HIS WORDS\"}}\n\n":                                            relay.FailedEvent,
		"data: HIS WORDS\n\n":                        relay.FailedMalformed,
		event("response.completed", `"x":1`):         relay.FailedMalformed,
		event("response.completed", `"response":[]`): relay.FailedMalformed,
	} {
		tap := llm.NewTap(Responses{}, llm.TapOptions{Alias: "m"})
		got, kinds := through(t, tap, stream)
		failure := tap.Failure()
		if got != "" || kinds[0] != relay.Broken || failure.Kind != want || strings.Contains(failure.Error(), "HIS WORDS") {
			t.Errorf("%s: %q, %v, %v; want %s", stream, got, kinds[0], failure, want)
		}
	}
	got := string(Responses{}.AppendError(nil, problem.New(problem.UpstreamTruncated)))
	const want = "event: error\ndata: {\"type\":\"error\",\"error\":{\"message\":\"The upstream's answer broke off before its end.\"," +
		"\"type\":\"server_error\",\"param\":null,\"code\":\"upstream_truncated\"}}\n\n"
	if got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}
