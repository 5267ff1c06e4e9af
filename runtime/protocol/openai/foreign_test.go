package openai

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/llmservice/llmservice/runtime/llm"
	"github.com/llmservice/llmservice/runtime/problem"
)

// A client's request becomes a chat for an upstream of another protocol, or an error names the member that prevents it.
func TestChatOfARequest(t *testing.T) {
	half, no := 0.5, false
	for members, want := range map[string]llm.Chat{
		``:                    {},
		`"stream":true`:       {Stream: true},
		`"temperature":0.5`:   {Temperature: &half},
		`"top_p":0.5`:         {TopP: &half},
		`"stop":"END"`:        {Stop: []string{"END"}},
		`"stop":["a","b"]`:    {Stop: []string{"a", "b"}},
		`"max_tokens":7`:      {MaxTokens: 7},
		`"logprobs":null`:     {},
		`"user":"u","n":null`: {},
		`"max_completion_tokens":7,"max_tokens":9`:                  {MaxTokens: 7},
		`"stream":true,"stream_options":{"include_usage":true}`:     {Stream: true, IncludeUsage: true},
		`"tool_choice":"required","parallel_tool_calls":false`:      {ToolChoice: "required", ParallelToolCalls: &no},
		`"tool_choice":{"type":"function","function":{"name":"f"}}`: {ToolChoice: "f"},
		`"response_format":{"type":"text"}`:                         {},
		`"response_format":{"type":"json_object"}`:                  {Output: &llm.Output{}},
		`"response_format":{"type":"json_schema","json_schema":{"name":"o","strict":true,"schema":{"type":"string"}}}`: {
			Output: &llm.Output{Name: "o", Strict: true, Schema: []byte(`{"type":"string"}`)},
		},
		`"tools":[{"type":"function","function":{"name":"f","description":"d","parameters":{"type":"object"},"strict":true}}]`: {
			Tools: []llm.Tool{{Name: "f", Description: "d", Parameters: []byte(`{"type":"object"}`)}},
		},
	} {
		chat, wrong := chatOf(t, members)
		if wrong != nil {
			t.Errorf("%s: %v", members, wrong)
			continue
		}
		chat.Messages = nil
		if diff := cmp.Diff(&want, chat, cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", members, diff)
		}
	}
	for members, param := range map[string]string{
		`"logprobs":true`:             "logprobs",
		`"n":2`:                       "n",
		`"anything":{}`:               "anything",
		`"temperature":"hot"`:         "temperature",
		`"max_tokens":0`:              "max_tokens",
		`"stop":[1]`:                  "stop",
		`"tools":[{"type":"custom"}]`: "tools",
		`"tools":[{"type":"function","function":{"name":"f","cache":1}}]`: "tools",
		`"tool_choice":{"type":"allowed_tools"}`:                          "tool_choice",
		`"response_format":{"type":"grammar"}`:                            "response_format",
		`"stream_options":{"x":1}`:                                        "stream_options",
	} {
		if _, wrong := chatOf(t, members); wrong == nil || wrong.Code != problem.InvalidRequest || wrong.Param != param {
			t.Errorf("%s: %+v, want %s", members, wrong, param)
		}
	}
}

func chatOf(t *testing.T, members string) (*llm.Chat, *problem.Error) {
	t.Helper()
	if members != "" {
		members = "," + members
	}
	r, wrong := (Dialect{}).ReadRequest([]byte(`{"model":"m","messages":[{"role":"user","content":"hi"}]` + members + `}`))
	if wrong != nil {
		t.Fatal(wrong)
	}
	return r.Chat()
}

// The content of a message is read for other dialects, in each form in which it can be written.
func TestReadMessages(t *testing.T) {
	for raw, want := range map[string]llm.Message{
		`{"role":"user","content":"a","name":"x"}`:                                          {Role: "user", Content: "a"},
		`{"role":"user","content":[{"type":"text","text":"a"},{"type":"text","text":"b"}]}`: {Role: "user", Content: "ab"},
		`{"role":"assistant","content":null,"refusal":"no"}`:                                {Role: "assistant", Refusal: "no"},
		`{"role":"tool","tool_call_id":"1","content":"x"}`:                                  {Role: "tool", ToolCallID: "1", Content: "x"},
		`{"role":"assistant","tool_calls":[{"id":"1","function":{"name":"f","arguments":{"a":1}}}]}`: {
			Role: "assistant", ToolCalls: []llm.ToolCall{{ID: "1", Name: "f", Arguments: `{"a":1}`}},
		},
	} {
		m := llm.Message{Raw: []byte(raw)}
		got, err := m.Read()
		if diff := cmp.Diff(want, got); diff != "" || err != nil {
			t.Errorf("%s: %v (-want +got):\n%s", raw, err, diff)
		}
		if again, err := got.Read(); err != nil || !cmp.Equal(again, got) {
			t.Errorf("%s: read again as %+v, %v", raw, again, err)
		}
	}
	for _, raw := range []string{
		`{"role":"user","content":[{"type":"text","text":"a"},{"type":"image_url","image_url":{"url":"data:"}}]}`, `{"role":1}`, `{"role":"user","content":7}`,
	} {
		m := llm.Message{Raw: []byte(raw)}
		if got, err := m.Read(); err == nil {
			t.Errorf("%s: %+v", raw, got)
		}
	}
}
