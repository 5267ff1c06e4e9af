package openai

import (
	"testing"

	"github.com/go-json-experiment/json/jsontext"
)

func TestChatBody(t *testing.T) {
	tests := []struct {
		name string
		chat Chat
		want string
	}{
		{
			name: "whole", chat: Chat{Messages: []Message{{Role: "user", Content: "a\"b"}}},
			want: `{"model":"m","messages":[{"role":"user","content":"a\"b"}]}`,
		},
		{
			name: "streamed with parameters",
			chat: Chat{Messages: []Message{}, Stream: true, Parameters: jsontext.Value(` { "temperature": 0.2 } `)},
			want: `{"model":"m","messages":[],"stream":true,"temperature": 0.2}`,
		},
		{name: "empty parameters", chat: Chat{Messages: []Message{}, Parameters: jsontext.Value(`{ }`)}, want: `{"model":"m","messages":[]}`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := tt.chat.Body("m")
			if err != nil || string(got) != tt.want {
				t.Errorf("got  %s (%v)\nwant %s", got, err, tt.want)
			}
		})
	}
}

func TestParseCompletion(t *testing.T) {
	c, err := ParseCompletion([]byte(`{"choices":[{"message":{"role":"assistant","content":"hello"},"finish_reason":"stop"}],"usage":{"total_tokens":3},"x":1}`))
	if err != nil {
		t.Fatal(err)
	}
	if c.Text != "hello" || c.FinishReason != "stop" || string(c.Usage) != `{"total_tokens":3}` {
		t.Errorf("%+v", c)
	}
	for name, body := range map[string]string{
		"no choices": `{"choices":[]}`, "no JSON": `oops`, "cut": `{"choices":[{"message":{"content":"a"`, "no message": `{"choices":[{}]}`,
	} {
		if _, err := ParseCompletion([]byte(body)); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

func TestWithAlias(t *testing.T) {
	got, err := WithAlias([]byte(`{"id":"1", "model" : "real","choices":[{"model":"x"}]}`), "alias")
	if want := `{"id":"1", "model" : "alias","choices":[{"model":"x"}]}`; err != nil || string(got) != want {
		t.Errorf("got %s (%v), want %s", got, err, want)
	}
}

func TestModelList(t *testing.T) {
	got, err := ModelList([]string{"a"})
	if want := `{"object":"list","data":[{"id":"a","object":"model","created":0,"owned_by":"llmservice"}]}`; err != nil || string(got) != want {
		t.Errorf("got %s (%v), want %s", got, err, want)
	}
	if got, _ := ModelList(nil); string(got) != `{"object":"list","data":[]}` {
		t.Errorf("no models: %s", got)
	}
}
