package openai

import (
	"testing"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/llmservice/llmservice/runtime/llm"
	"github.com/llmservice/llmservice/runtime/problem"
)

func TestChatBody(t *testing.T) {
	no := false
	hi := []llm.Message{{Role: "user", Content: "a\"b"}}
	const start = `{"model":"m","messages":[{"role":"user","content":"a\"b"}]`
	tests := []struct {
		name string
		chat llm.Chat
		want string
	}{
		{name: "whole", chat: llm.Chat{Messages: hi}, want: start + `}`},
		{
			name: "streamed with parameters",
			chat: llm.Chat{Messages: hi, Stream: true, Parameters: jsontext.Value(` { "temperature": 0.20, "seed":[ 1 ]} `)},
			want: start + `,"stream":true,"temperature":0.20,"seed":[ 1 ]}`,
		},
		{name: "empty parameters", chat: llm.Chat{Messages: hi, Parameters: jsontext.Value(`{ }`)}, want: start + `}`},
		{name: "no messages", chat: llm.Chat{}, want: `{"model":"m","messages":[]}`},
		{
			name: "a turn with tools",
			chat: llm.Chat{Messages: []llm.Message{
				{Raw: jsontext.Value(`{ "role":"user","content":[]}`)},
				{Role: "assistant", ToolCalls: []llm.ToolCall{{ID: "c1", Name: "find", Arguments: `{"q":"x"}`}, {ID: "c2", Name: "now"}}},
				{Role: "tool", ToolCallID: "c1", Content: `["a"]`},
				{Role: "assistant", Content: "so", ToolCalls: []llm.ToolCall{{ID: "c3", Name: "now", Arguments: "{}"}}},
			}},
			want: `{"model":"m","messages":[{ "role":"user","content":[]},` +
				`{"role":"assistant","content":null,"tool_calls":[` +
				`{"id":"c1","type":"function","function":{"name":"find","arguments":"{\"q\":\"x\"}"}},` +
				`{"id":"c2","type":"function","function":{"name":"now","arguments":""}}]},` +
				`{"role":"tool","content":"[\"a\"]","tool_call_id":"c1"},` +
				`{"role":"assistant","content":"so","tool_calls":[{"id":"c3","type":"function","function":{"name":"now","arguments":"{}"}}]}]}`,
		},
		{
			name: "tools",
			chat: llm.Chat{
				Messages: hi, ToolChoice: "auto", ParallelToolCalls: &no,
				Tools: []llm.Tool{{Name: "find", Description: "Finds.", Parameters: jsontext.Value(`{"type":"object"}`)}, {Name: "now"}},
			},
			want: start + `,"tools":[{"type":"function","function":{"name":"find","description":"Finds.","parameters":{"type":"object"}}},` +
				`{"type":"function","function":{"name":"now"}}],"tool_choice":"auto","parallel_tool_calls":false}`,
		},
		{
			name: "one tool must be called",
			chat: llm.Chat{Messages: hi, ToolChoice: "find"},
			want: start + `,"tool_choice":{"type":"function","function":{"name":"find"}}}`,
		},
		{
			name: "structured output",
			chat: llm.Chat{Messages: hi, Output: &llm.Output{Name: "verdict", Schema: jsontext.Value(`{"type":"string"}`), Strict: true}},
			want: start + `,"response_format":{"type":"json_schema","json_schema":{"name":"verdict","schema":{"type":"string"},"strict":true}}}`,
		},
		{
			name: "any JSON object",
			chat: llm.Chat{Messages: hi, Output: &llm.Output{}},
			want: start + `,"response_format":{"type":"json_object"}}`,
		},
		{
			name: "what is set takes precedence",
			chat: llm.Chat{
				Messages: hi, Stream: true, Tools: []llm.Tool{{Name: "now"}}, ToolChoice: "none", ParallelToolCalls: &no,
				Output:     &llm.Output{Name: "o", Schema: jsontext.Value(`true`)},
				Parameters: jsontext.Value(`{"model":"x","messages":[],"stream":false,"tools":[],"tool_choice":1,"parallel_tool_calls":true,"response_format":{},"n":1}`),
			},
			want: start + `,"stream":true,"tools":[{"type":"function","function":{"name":"now"}}],"tool_choice":"none","parallel_tool_calls":false,` +
				`"response_format":{"type":"json_schema","json_schema":{"name":"o","schema":true}},"n":1}`,
		},
		{
			name: "parameters set what the fields do not",
			chat: llm.Chat{Messages: hi, Parameters: jsontext.Value(`{"tools":[1],"tool_choice":"auto","response_format":{"type":"json_object"}}`)},
			want: start + `,"tools":[1],"tool_choice":"auto","response_format":{"type":"json_object"}}`,
		},
		{
			name: "usage of a stream",
			chat: llm.Chat{Messages: hi, Stream: true, IncludeUsage: true},
			want: start + `,"stream":true,"stream_options":{"include_usage":true}}`,
		},
		{
			name: "usage, beside other options",
			chat: llm.Chat{Messages: hi, Stream: true, IncludeUsage: true, Parameters: jsontext.Value(`{"stream_options":{"x":1,"y":null}}`)},
			want: start + `,"stream":true,"stream_options":{"x":1,"include_usage":true}}`,
		},
		{
			name: "what is null is left out",
			chat: llm.Chat{Messages: hi, Parameters: jsontext.Value(`{"stop":null,"seed": 1 ,"top_p": null,"max_tokens":null,"x":{"y":null}}`)},
			want: start + `,"seed":1,"x":{"y":null}}`,
		},
		{
			name: "options that nobody adds to",
			chat: llm.Chat{Messages: hi, Stream: true, Parameters: jsontext.Value(`{"stream_options":{"include_usage":true}}`)},
			want: start + `,"stream":true,"stream_options":{"include_usage":true}}`,
		},
		{
			name: "no usage of a whole answer",
			chat: llm.Chat{Messages: hi, IncludeUsage: true, Parameters: jsontext.Value(`{"stream_options":{"include_usage":true}}`)},
			want: start + `}`,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			for range 2 { // a retry asks for the same
				got, err := chatBody(&tt.chat, "m")
				if err != nil || string(got) != tt.want {
					t.Errorf("got  %s (%v)\nwant %s", got, err, tt.want)
				}
			}
		})
	}
	if _, err := chatBody(&llm.Chat{Parameters: jsontext.Value(`[]`)}, "m"); err == nil {
		t.Error("parameters that are a list were accepted")
	}
}

// The parameters decide about the usage. If they only say that it is not wanted, nothing is sent.
func TestStreamOptions(t *testing.T) {
	for parameters, want := range map[string]string{
		`{}`:                      `{"include_usage":true}`,
		`{"stream_options":null}`: ``,
		`{"stream_options":{}}`:   `{"include_usage":true}`,
		`{"stream_options":{"include_usage":false}}`:              ``,
		`{"stream_options":{"include_usage":null}}`:               ``,
		`{"stream_options":{ "include_usage" : false , "x" : 1}}`: `{"x":1}`,
		`{"stream_options":{"include_usage":true}}`:               `{"include_usage":true}`,
		`{"stream_options":{"include_usage":"odd"}}`:              `{"include_usage":"odd"}`,
		`{"stream_options":7}`:                                    `7`,
	} {
		for _, asked := range []bool{true, false} {
			c := llm.Chat{Stream: true, IncludeUsage: asked, Parameters: jsontext.Value(parameters)}
			wanted := want
			if !asked && (parameters == `{}` || parameters == `{"stream_options":{}}`) {
				wanted = ``
			}
			if wanted != "" {
				wanted = `,"stream_options":` + wanted
			}
			got, err := chatBody(&c, "m")
			if want := `{"model":"m","messages":[],"stream":true` + wanted + `}`; err != nil || string(got) != want {
				t.Errorf("%s, asked for %v: got %s (%v), want %s", parameters, asked, got, err, want)
			}
			c.Stream = false
			if got, err := chatBody(&c, "m"); err != nil || string(got) != `{"model":"m","messages":[]}` {
				t.Errorf("%s, not streamed: %s (%v)", parameters, got, err)
			}
		}
	}
}

func TestMaxTokens(t *testing.T) {
	for parameters, want := range map[string]string{
		``:                             `"max_tokens":100`,
		`{}`:                           `"max_tokens":100`,
		`{"max_tokens":null}`:          `"max_tokens":100`,
		`{"max_tokens":100}`:           `"max_tokens":100`,
		`{"max_tokens":7}`:             `"max_tokens":7`,
		`{"max_tokens":1e9}`:           `"max_tokens":100`,
		`{"max_tokens":"many"}`:        `"max_tokens":100`,
		`{"max_completion_tokens":7}`:  `"max_completion_tokens":7`,
		`{"max_completion_tokens":5e}`: ``,
		`{"max_completion_tokens":500,"max_tokens":101}`: `"max_completion_tokens":100,"max_tokens":100`,
	} {
		c := llm.Chat{MaxTokens: 100, Parameters: jsontext.Value(parameters)}
		got, err := chatBody(&c, "m")
		if want == "" {
			if err == nil {
				t.Errorf("%s: accepted", parameters)
			}
			continue
		}
		if want := `{"model":"m","messages":[],` + want + `}`; err != nil || string(got) != want {
			t.Errorf("%s: got %s (%v), want %s", parameters, got, err, want)
		}
	}
	unbounded := llm.Chat{Parameters: jsontext.Value(`{"max_tokens":500}`)}
	if got, _ := chatBody(&unbounded, "m"); string(got) != `{"model":"m","messages":[],"max_tokens":500}` {
		t.Errorf("without a bound: %s", got)
	}
}

func TestParseMessages(t *testing.T) {
	for name, history := range map[string]string{
		"empty":          ` [] `,
		"every role":     `[{"role":"system","content":"a"},{"role":"developer","content":"b"},{"role":"user","content":"","name":"x"}]`,
		"parts":          `[{"role":"user","content":[{"type":"text","text":"a"},{"type":"image_url","image_url":{"url":"data:"}}]}]`,
		"a tool's turn":  `[{"role":"assistant","content":null,"tool_calls":[{"id":"1"}]},{"role":"tool","tool_call_id":"1","content":"x"}]`,
		"an assistant's": `[ { "role" : "assistant" , "content":"\u00e9", "refusal":null, "tool_calls":null }]`,
	} {
		messages, wrong := llm.ParseMessages(jsontext.Value(history))
		if wrong != nil {
			t.Errorf("%s: %v", name, wrong)
			continue
		}
		got, err := chatBody(&llm.Chat{Messages: messages}, "m")
		want := jsontext.Value(`{"model":"m","messages":` + history + `}`)
		if string(canonical(t, got)) != string(canonical(t, want)) || err != nil {
			t.Errorf("%s: sent on as %s (%v)", name, got, err)
		}
	}
	for _, tt := range []struct{ history, param string }{
		{`{}`, "messages"},
		{`null`, "messages"},
		{``, "messages"},
		{`["secret"]`, "messages[0]"},
		{`[{"role":"user","content":"a"},{"role":"secret","content":"a"}]`, "messages[1].role"},
		{`[{"content":"secret"}]`, "messages[0].role"},
		{`[{"role":7,"content":"secret"}]`, "messages[0].role"},
		{`[{"role":"user","content":null}]`, "messages[0].content"},
		{`[{"role":"user"}]`, "messages[0].content"},
		{`[{"role":"user","content":5}]`, "messages[0].content"},
		{`[{"role":"user","content":["secret"]}]`, "messages[0].content"},
		{`[{"role":"user","content":[{"text":"secret"}]}]`, "messages[0].content"},
		{`[{"role":"user","content":"a","tool_calls":[{}]}]`, "messages[0].tool_calls"},
		{`[{"role":"assistant","tool_calls":"secret"}]`, "messages[0].tool_calls"},
		{`[{"role":"tool","content":"secret"}]`, "messages[0].tool_call_id"},
	} {
		messages, wrong := llm.ParseMessages(jsontext.Value(tt.history))
		if wrong == nil || wrong.Code != problem.InvalidRequest || wrong.Param != tt.param {
			t.Errorf("%s: %v, %+v; want %s", tt.history, messages, wrong, tt.param)
		}
	}
	deep := jsontext.Value(`[{"role":"user","content":"a","x":` + nested(80) + `}]`)
	if _, wrong := llm.ParseMessages(deep); wrong == nil || wrong.Code != problem.MalformedJSON {
		t.Errorf("too deep: %v", wrong)
	}
}

func canonical(t *testing.T, doc jsontext.Value) jsontext.Value {
	t.Helper()
	doc = doc.Clone()
	if err := doc.Canonicalize(); err != nil {
		t.Fatalf("%s: %v", doc, err)
	}
	return doc
}

func TestModelList(t *testing.T) {
	got, err := (Dialect{}).WriteModels([]string{"a"})
	if want := `{"object":"list","data":[{"id":"a","object":"model","created":0,"owned_by":"llmservice"}]}`; err != nil || string(got) != want {
		t.Errorf("got %s (%v), want %s", got, err, want)
	}
	if got, _ := (Dialect{}).WriteModels(nil); string(got) != `{"object":"list","data":[]}` {
		t.Errorf("no models: %s", got)
	}
}
