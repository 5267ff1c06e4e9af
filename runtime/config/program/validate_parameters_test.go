package program

import (
	"fmt"
	"strings"
	"testing"

	"github.com/go-json-experiment/json"

	"github.com/llmservice/llmservice/runtime/config"
)

// asking is a config whose one route has the steps, and the response and budget given.
func asking(t *testing.T, functions, steps, more string) *config.Config {
	t.Helper()
	c := valid()
	route := c.Routes[0]
	route.Steps, route.Response = nil, nil
	for text, into := range map[string]any{`{"steps":[` + steps + `],` + more + `}`: &route, `[` + functions + `]`: &c.Functions} {
		if err := json.Unmarshal([]byte(text), into, json.RejectUnknownMembers(true)); err != nil {
			t.Fatalf("%s: %v", text, err)
		}
	}
	c.Routes[0] = route
	return c
}

// chatting is a chat step of the name s with parameters.
func chatting(parameters, more string) string {
	return fmt.Sprintf(`{"name":"s","chat":{"upstream":"fast","messages":[{"role":"user","content":"x"}],"parameters":%s%s}}`, parameters, more)
}

const (
	aBody     = `"response":{"body":1}`
	aSchema   = `,"output":{"schema":{}}`
	aFunction = `{"name":"f","output":"x","steps":[` + `{"name":"s","chat":{"upstream":"fast","messages":[{"role":"user","content":"x"}],"parameters":{"max_tokens":null}}}` + `]}`
)

// Parameters win over what the gateway adds, so that only what it needs is refused, with what to write instead.
func TestParametersThatAreRefused(t *testing.T) {
	chat := func(parameters string) string { return chatting(parameters, "") }
	embeddings := func(parameters string) string {
		return `{"name":"s","embeddings":{"upstream":"fast","input":"x","parameters":` + parameters + `}}`
	}
	for _, tt := range []struct{ step, path, want string }{
		{chat(`{"model":"x"}`), "model", "openAI.model"},
		{chat(`{"messages":null}`), "messages", "the step's messages"},
		{chat(`{"stream":false}`), "stream", "response.stream"},
		{chat(`{"input":"x"}`), "input", "embeddings"},
		{chat(`{"tools":[]}`), "tools", "agent step"},
		{chat(`{"tool_choice":"auto"}`), "tool_choice", "agent step"},
		{chat(`{"n":2}`), "n", "forEach"},
		{chat(`{"Model":"x"}`), "Model", "openAI.model"}, // which some servers take for model
		{chatting(`{"response_format":null}`, aSchema), "response_format", "output.responseFormat"},
		{chatting(`{"response_format":{"type":"json_object"}}`, `,"output":{"schema":{},"responseFormat":"JSONObject"}`), "response_format", "output.responseFormat"},
		{chatting(`{"response_format":{"type":"json_object"}}`, `,"output":{"schema":{},"responseFormat":"Nothing"}`), "", ""},
		{chat(`{"response_format":{"type":"json_object"}}`), "", ""},
		{chat(`{"stream_options":null}`), "", ""},
		{chat(`{"stream_options":{"include_usage":false,"x":[1]}}`), "", ""},
		{chat(`{"stream_options":{"include_usage":null}}`), "", ""},
		{chat(`{"stream_options":"${request.body.o}"}`), "", ""},
		{chat(`{"stream_options":{"include_usage":"${request.body.o}"}}`), "", ""},
		{chat(`{"stream_options":"yes"}`), "stream_options", "object, or null"},
		{chat(`{"stream_options":[]}`), "stream_options", "object, or null"},
		{chat(`{"stream_options":{"include_usage":1}}`), "stream_options.include_usage", "true or false"},
		{chat(`{"temperature":null,"max_tokens":null,"max_completion_tokens":5,"parallel_tool_calls":false}`), "", ""},
		{embeddings(`{"encoding_format":null}`), "", ""},
		{embeddings(`{"encoding_format":"base64"}`), "", ""},
		{embeddings(`{"encoding_format":"${request.body.o}"}`), "", ""},
		{embeddings(`{"encoding_format":"ubinary"}`), "encoding_format", "float or base64"},
		{embeddings(`{"encoding_format":1}`), "encoding_format", "float or base64"},
		{embeddings(`{"input":"x"}`), "input", "step's input"},
	} {
		errs := Validate(asking(t, "", tt.step, aBody))
		if tt.path == "" {
			if len(errs) > 0 {
				t.Errorf("%s: %v", tt.step, errs)
			}
			continue
		}
		if len(errs) != 1 || !strings.HasSuffix(errs[0].Path, ".parameters."+tt.path) || !strings.HasPrefix(errs[0].Path, "routes[0].steps[0].") || !strings.Contains(errs[0].Message, tt.want) {
			t.Errorf("%s: %v, want %s: … %s", tt.step, errs, tt.path, tt.want)
		}
	}
}

func TestResponseFormats(t *testing.T) {
	for format, ok := range map[string]bool{"": true, "Schema": true, "JSONObject": true, "Nothing": true, "json_object": false} {
		errs := Validate(asking(t, "", chatting(`{}`, `,"output":{"schema":{},"responseFormat":"`+format+`"}`), aBody))
		if ok != (len(errs) == 0) || !ok && (errs[0].Path != "routes[0].steps[0].chat.output.responseFormat" || !strings.Contains(errs[0].Message, "Schema, JSONObject, Nothing")) {
			t.Errorf("%q: %v", format, errs)
		}
	}
}

// Tokens that nobody reports cannot be counted, and a call without a limit does not end where the budget does.
func TestABudgetOfTokensCanBeKept(t *testing.T) {
	const (
		stream = `"response":{"stream":"s"}`
		events = `"response":{"events":{"steps":["s"]}}`
		agent  = `{"name":"s","agent":{"upstream":"fast","messages":[{"role":"user","content":"x"}],"tools":["f"],"maxTurns":2,"maxParallel":1,"parameters":%s}}`
		gather = `{"name":"s","gather":{"strategy":"%s","branches":[{"name":"a","chat":{"upstream":"fast","messages":[{"role":"user","content":"x"}]}},` +
			`{"name":"b","chat":{"upstream":"fast","messages":[{"role":"user","content":"x"}],"parameters":{"stream_options":null}}}]}}`
		branch = "routes[0].steps[0].gather.branches[1].chat.parameters.stream_options"
		calls  = `{"name":"s","call":{"function":"f"}}`
		plain  = `{"name":"f","output":"x","steps":[{"name":"s","set":{"value":1}}]}`
		outer  = `,{"name":"g","output":"x","steps":[{"name":"s","gather":{"strategy":"All","branches":[{"name":"a","call":{"function":"f"}},{"name":"b","call":{"function":"f"}}]}}]}`
		each   = `{"name":"s","forEach":{"items":"${[1]}","maxItems":1,"maxParallel":1,"do":{"call":{"function":"g"}}}}`
	)
	options := "routes[0].steps[0].chat.parameters.stream_options"
	for _, tt := range []struct{ functions, steps, response, path string }{
		{"", chatting(`{"stream_options":null}`, ""), stream, options},
		{"", chatting(`{"stream_options":null}`, ""), events, options},
		{"", chatting(`{"stream_options":{"include_usage":false}}`, ""), stream, options + ".include_usage"},
		{"", chatting(`{"stream_options":{"include_usage":null}}`, ""), stream, options + ".include_usage"},
		{"", chatting(`{"stream_options":{"include_usage":"${request.body.o}"}}`, ""), stream, options + ".include_usage"},
		{"", chatting(`{"stream_options":"${request.body.o}"}`, ""), stream, options},
		{"", chatting(`{"stream_options":{"include_usage":true}}`, ""), stream, ""},
		{"", chatting(`{"stream_options":{"x":1}}`, ""), stream, ""},
		{"", chatting(`{}`, ""), stream, ""},
		{"", chatting(`{"stream_options":null}`, ""), aBody, ""},       // not streamed: its usage is there
		{"", chatting(`{"stream_options":null}`, aSchema), stream, ""}, // neither is what is checked first
		{plain, fmt.Sprintf(agent, `{"stream_options":null}`), stream, "routes[0].steps[0].agent.parameters.stream_options"},
		{"", fmt.Sprintf(gather, "First"), stream, branch},
		{"", fmt.Sprintf(gather, "All"), `"response":{"events":{"steps":["s.b"]}}`, branch},
		{"", fmt.Sprintf(gather, "All"), `"response":{"events":{"steps":["s.a"]}}`, ""},
		{"", fmt.Sprintf(gather, "All"), events, branch},
		{"", fmt.Sprintf(gather, "Fallback"), events, branch},
		{"", chatting(`{"max_tokens":null}`, ""), aBody, "routes[0].steps[0].chat.parameters.max_tokens"},
		{"", chatting(`{"max_tokens":null,"max_completion_tokens":null}`, ""), aBody, "routes[0].steps[0].chat.parameters.max_tokens"},
		{"", chatting(`{"max_tokens":null,"max_completion_tokens":50}`, ""), aBody, ""},
		{"", chatting(`{"max_completion_tokens":null}`, ""), aBody, ""},
		{aFunction, calls, aBody, "functions[0].steps[0].chat.parameters.max_tokens"},
		{aFunction, fmt.Sprintf(agent, `{}`), aBody, "functions[0].steps[0].chat.parameters.max_tokens"},
		{aFunction + outer, each, aBody, "functions[0].steps[0].chat.parameters.max_tokens"},
	} {
		for budget, counted := range map[string]bool{`,"budget":{"maxCalls":9,"maxTokens":100,"maxBytes":1000}`: true, ``: false} {
			errs := Validate(asking(t, tt.functions, tt.steps, tt.response+budget))
			if !counted || tt.path == "" {
				if len(errs) > 0 {
					t.Errorf("%s%s: %v", tt.steps, budget, errs)
				}
				continue
			}
			if len(errs) != 1 || errs[0].Path != tt.path || !strings.Contains(errs[0].Message, "budget.maxTokens") {
				t.Errorf("%s: %v, want %s", tt.steps, errs, tt.path)
			}
		}
	}
}
