package sdks

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"

	"github.com/llmservice/llmservice/test/mockllm"
)

// scenario is one request, and what its client and the upstream have to see of it.
type scenario struct {
	name, op, model string
	members         string // of the request, beside the model and the prompt, as JSON without braces
	script          *mockllm.Script
	first           *mockllm.Script // of an attempt that the library repeats
	leaves          bool            // the client goes once the upstream has said what it has to say
	passes          bool            // the upstream is asked exactly this, but for the model's name
	want            answer
	status          int    // of the error that the client gets; the class follows
	code            string // of the error
	param           string // of the error
	message         string // in the error's
	retryAfter      string // of the error
	continues       bool   // the request continues a response, for which it asks before
	busy            bool   // the upstream has as many calls as it may have
	class           string // of an error without a status: that a stream raises
}

// canary stands in each prompt.
const canary = "prompt-canary-58d1f0"

const (
	said      = "Tea is a drink."
	weather   = `{"city":"Oslo","degrees":7}`
	function  = `"name":"find","description":"Finds.","parameters":{"type":"object","properties":{"q":{"type":"string"}},"required":["q"]}`
	chatTools = `"tools":[{"type":"function","function":{` + function + `}}]`
	tools     = `"tools":[{"type":"function",` + function + `,"strict":false}]`
)

var (
	says  = &mockllm.Script{Text: said}
	calls = &mockllm.Script{ToolCalls: []mockllm.ToolCall{
		{Name: "find", Arguments: json.RawMessage(`{"q":"green tea"}`)}, {Name: "find", Arguments: json.RawMessage(`{"q":"black tea"}`)},
	}}
	called  = []call{{ID: "call_0_0", Name: "find", Arguments: `{"q":"green tea"}`}, {ID: "call_0_1", Name: "find", Arguments: `{"q":"black tea"}`}}
	typed   = &mockllm.Script{JSON: json.RawMessage(weather)}
	hangs   = &mockllm.Script{Fault: mockllm.FaultHangBeforeHeaders}
	silent  = &mockllm.Script{Text: said, Fault: mockllm.FaultSilence, AfterTokens: 2}
	breaks  = &mockllm.Script{Text: said, Fault: mockllm.FaultTruncate, AfterTokens: 2}
	asks    = "words of " + canary
	spent   = &tokens{Input: 3, Output: 4}
	message = `"messages":[{"role":"user","content":[{"type":"text","text":"` + canary + `","cache_control":{"type":"ephemeral"}},` +
		`{"type":"image_url","image_url":{"url":"data:image/png;base64,AAAA","detail":"low"}},` +
		`{"type":"input_audio","input_audio":{"data":"AAAA","format":"wav"}}]}],"modalities":["text","audio"],` +
		`"audio":{"voice":"alloy","format":"mp3"},"reasoning_effort":"low","x_new":{"kept":[1.0,true,null]}`
	items = `"input":[{"role":"user","content":[{"type":"input_text","text":"` + canary + `"},` +
		`{"type":"input_image","image_url":"data:image/png;base64,AAAA","detail":"low"}]}],"reasoning":{"effort":"low"},"x_new":{"kept":[1.0,true,null]}`
)

func fails(status int) *mockllm.Script { return &mockllm.Script{Status: status} }

// whole and streamed are what a model has said.
func whole(model, finish string) answer {
	return answer{Text: said, Finish: finish, Model: model, Usage: spent}
}

func streamed(model string, usage *tokens) answer {
	return answer{Text: said, Finish: "stop", Model: model, Usage: usage, Pieces: 2}
}

// happened are the types of events of a response in a stream.
func happened(calls bool) []string {
	events := []string{
		"response.created", "response.in_progress", "response.output_item.added", "response.content_part.added", "response.output_text.delta",
		"response.output_text.done", "response.content_part.done", "response.output_item.done", "response.completed",
	}
	if calls {
		events = []string{
			"response.created", "response.in_progress", "response.output_item.added", "response.function_call_arguments.delta",
			"response.function_call_arguments.done", "response.output_item.done", "response.completed",
		}
	}
	return events
}

// scenarios are all of them.
func scenarios() []scenario {
	return slices.Concat(talks(full, ""), talks(chats, ", on chat completions alone"), talks(answers, ", on responses alone"),
		older(), refusals(), upstreamsFaults(), departures())
}

// talks are the conversations that a model has at both APIs that chat, whatever its upstream knows.
func talks(model, upstream string) []scenario {
	const withUsage = `"stream_options":{"include_usage":true}`
	find := answer{Calls: called, Finish: "tool_calls", Model: model}
	found := answer{Calls: called, Finish: "completed", Model: model}
	oslo := answer{Text: weather, Finish: "stop", Model: model, Parsed: json.RawMessage(weather)}
	osloInPieces := oslo
	osloInPieces.Pieces = 2
	response := oslo
	response.Finish = "completed"
	responseInPieces := response
	responseInPieces.Events = happened(false)
	happens, finds := whole(model, "completed"), found
	happens.Events, finds.Events = happened(false), happened(true)
	const (
		turns = `"messages":[{"role":"user","content":"hi"},{"role":"assistant","content":null,"tool_calls":[{"id":"call_0_0","type":"function",` +
			`"function":{"name":"find","arguments":"{}"}}]},{"role":"tool","tool_call_id":"call_0_0","content":"` + said + `"}],` + chatTools
		itemsOfTurns = `"input":[{"role":"user","content":"hi"},{"type":"function_call","call_id":"call_0_0","name":"find","arguments":"{}"},` +
			`{"type":"function_call_output","call_id":"call_0_0","output":"` + said + `"}],` + tools
	)
	told := &mockllm.Script{EchoRole: "tool"}
	list := []scenario{
		{name: "chat", op: "chat", script: says, want: whole(model, "stop")},
		{name: "chat, streamed", op: "chat_stream", script: says, want: streamed(model, nil)},
		{name: "chat, streamed with usage", op: "chat_stream", members: withUsage, script: says, want: streamed(model, spent)},
		{name: "chat with tools", op: "chat", members: chatTools, script: calls, want: find},
		{name: "chat with tools, streamed", op: "chat_stream", members: chatTools, script: calls, want: find},
		{name: "chat with what a tool found", op: "chat_stream", members: turns, script: told, want: streamed(model, nil)},
		{name: "chat with a structured output", op: "chat_parse", script: typed, want: oslo},
		{name: "chat with a structured output, streamed", op: "chat_stream_parse", script: typed, want: osloInPieces},
		{name: "response", op: "responses", script: says, want: whole(model, "completed")},
		{name: "response, streamed", op: "responses_stream", script: says, want: happens},
		{name: "response with tools", op: "responses", members: tools, script: calls, want: found},
		{name: "response with tools, streamed", op: "responses_stream", members: tools, script: calls, want: finds},
		{name: "response with what a tool found", op: "responses_stream", members: itemsOfTurns, script: told, want: happens},
		{name: "response with a structured output", op: "responses_parse", script: typed, want: response},
		{name: "response with a structured output, streamed", op: "responses_stream_parse", script: typed, want: responseInPieces},
	}
	if model == full {
		list = append(list,
			scenario{name: "chat with images, audio and unknown members", op: "chat", members: message, script: says, passes: true, want: whole(model, "stop")},
			scenario{name: "response with images and unknown members", op: "responses", members: items, script: says, passes: true, want: whole(model, "completed")})
	}
	if model != chats {
		list = append(list,
			scenario{name: "response that continues another", op: "responses", script: says, continues: true, want: whole(model, "completed")},
			scenario{name: "response that continues another, streamed", op: "responses_stream", script: says, continues: true, want: happens})
	}
	for i := range list {
		list[i].model = model
		list[i].name += upstream
	}
	return list
}

// older are the requests of the other endpoints.
func older() []scenario {
	vectors := answer{Model: full, Vectors: [][]float64{{0, 0, 0, 0, 0, 0, 1, 0}, {0, 0, -1, 0, 0, 0, 0, 0}}}
	const two = `"input":["a","b"]`
	return []scenario{
		{name: "completion", op: "completions", model: full, script: says, passes: true, want: whole(full, "stop")},
		{name: "completion, streamed", op: "completions_stream", model: full, script: says, want: streamed(full, nil)},
		{name: "completion, streamed with usage", op: "completions_stream", model: full, members: `"stream_options":{"include_usage":true}`, script: says, want: streamed(full, spent)},
		{name: "embeddings, as the library asks for them", op: "embeddings", model: full, members: two, want: vectors},
		{name: "embeddings as numbers", op: "embeddings", model: full, members: two + `,"encoding_format":"float"`, passes: true, want: vectors},
		{name: "embeddings in base64", op: "embeddings", model: full, members: two + `,"encoding_format":"base64"`, passes: true, want: vectors},
		{name: "the list of models", op: "models_list", want: answer{Names: []string{full, chats, answers, locked, narrow}}},
		{name: "a model", op: "models_get", model: chats, want: answer{Names: []string{chats}}},
	}
}

// endpoints are the operations that each endpoint has, with their streams.
var endpoints = []string{"chat", "chat_stream", "completions", "completions_stream", "embeddings", "responses", "responses_stream"}

// refusals are the gateway's own.
func refusals() []scenario {
	var list []scenario
	add := func(name, op, model, members string, status int, code, param, message string) {
		list = append(list, scenario{
			name: name + ": " + op, op: op, model: model, members: members, status: status, code: code, param: param, message: message,
		})
	}
	large := `"user":"` + strings.Repeat("x", bodyLimit) + `"`
	for _, op := range append(slices.Clone(endpoints), "models_get") {
		add("a model that does not exist", op, "nobody", "", http.StatusNotFound, "model_not_found", "model", `The model "nobody" does not exist.`)
	}
	for _, op := range endpoints {
		add("a request over the limit", op, full, large, http.StatusRequestEntityTooLarge, "payload_too_large", "", "The request body is over the limit of 65536 bytes.")
		add("a key that the upstream refuses", op, locked, "", http.StatusBadGateway, "upstream_error", "", "The upstream failed to answer the request.")
		list = append(list, scenario{
			name: "an upstream that has as many calls as it may have: " + op, op: op, model: narrow, busy: true, status: http.StatusTooManyRequests,
			code: "overloaded", message: "The service is at its limit. Try again later.", retryAfter: "1",
		})
	}
	add("a request without messages", "chat", full, `"messages":null`, http.StatusBadRequest, "invalid_request", "messages", `Invalid value for "messages": it must be an array.`)
	add("what chat completions have no words for", "responses", chats, `"previous_response_id":"resp_1"`, http.StatusBadRequest, "upstream_rejected", "previous_response_id", "What serves the model has no member like this one: it must be left out.")
	add("a response that nobody keeps", "responses", full, `"previous_response_id":"`+lost+`"`, http.StatusBadRequest, "previous_response_not_found",
		"previous_response_id", `Previous response with id "`+lost+`" not found.`)
	add("a response in the background", "responses", full, `"background":true`, http.StatusBadRequest, "invalid_request", "background", "this service keeps no responses")
	for _, op := range []string{"completions", "embeddings"} {
		add("an endpoint that the upstream does not have", op, chats, "", http.StatusBadRequest, "upstream_rejected", "", "The model is served by an upstream that does not have this endpoint.")
	}
	return list
}

// upstreamsFaults are what clients see of those.
func upstreamsFaults() []scenario {
	var list []scenario
	for _, op := range endpoints {
		for from, to := range map[int]int{400: 400, 413: 413, 422: 422, 429: 429, 500: 502, 503: 503, 401: 502, 403: 502, 404: 404} {
			sc := scenario{name: "an upstream's " + http.StatusText(from) + ": " + op, op: op, model: full, script: fails(from), status: to, code: anything}
			if sc.message = inOurWords[from]; sc.message == "" {
				sc.message = mockllm.ErrorDetail
			}
			if from == http.StatusTooManyRequests || from == http.StatusServiceUnavailable {
				sc.script.RetryAfter, sc.retryAfter = "7", "7"
			}
			list = append(list, sc)
		}
	}
	slices.SortFunc(list, func(a, b scenario) int { return strings.Compare(a.name, b.name) })
	for _, op := range []string{"chat_stream", "completions_stream", "responses_stream"} {
		list = append(list, scenario{name: "a stream that breaks off: " + op, op: op, model: full, script: breaks, class: "APIError", code: "upstream_truncated"})
	}
	return append(list, scenario{
		name: "a library that asks again", op: "chat", model: full, first: fails(http.StatusServiceUnavailable), script: says, want: whole(full, "stop"),
	})
}

// inOurWords are the refusals of an upstream of which a client is told in the gateway's words.
var inOurWords = map[int]string{
	401: "The upstream failed to answer the request.", 403: "The upstream failed to answer the request.",
	429: "The upstream is at its limit. Try again later.", 500: "The upstream failed to answer the request.",
	503: "The upstream is unavailable. Try again later.",
}

// lost is the id of a response that an endpoint has kept which the model does not have.
const lost = "resp_AQECAwQFBgcIcmVzcF8x"

// anything is a code that may be any: the upstream's own.
const anything = "*"

// departures are clients that go.
func departures() []scenario {
	var list []scenario
	for _, op := range endpoints {
		script := hangs
		if strings.HasSuffix(op, "_stream") {
			script = silent
		}
		for _, model := range []string{full, chats, answers} {
			if model != full && !strings.HasPrefix(op, "chat") && !strings.HasPrefix(op, "responses") {
				continue
			}
			list = append(list, scenario{name: "a client that leaves: " + op + " of " + model, op: op, model: model, script: script, leaves: true, want: answer{Left: true}})
		}
	}
	return list
}

// params are the members of the request: the model, the prompt and its own.
func (sc *scenario) params() map[string]any {
	params := map[string]any{}
	if sc.model != "" {
		params["model"] = sc.model
	}
	switch kind, _, _ := strings.Cut(sc.op, "_"); kind {
	case "chat":
		params["messages"] = []any{map[string]any{"role": "user", "content": asks}}
	case "completions":
		params["prompt"] = asks
	case "embeddings":
		params["input"] = []any{asks}
	case "responses":
		params["input"] = asks
	}
	if err := json.Unmarshal([]byte("{"+sc.members+"}"), &params); err != nil {
		panic(sc.name + ": " + err.Error())
	}
	return params
}
