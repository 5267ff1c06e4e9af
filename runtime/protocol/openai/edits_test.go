package openai

import (
	"testing"

	"github.com/llmservice/llmservice/runtime/config"
	"github.com/llmservice/llmservice/runtime/pieces"
)

func TestEditsOfRequests(t *testing.T) {
	older := config.OpenAI{TokenLimit: config.LimitMaxTokens}
	newer := config.OpenAI{TokenLimit: config.LimitMaxCompletionTokens}
	lacking := config.OpenAI{Omit: []string{"seed", "stream_options"}, TokenLimit: config.LimitMaxCompletionTokens}
	for _, tt := range []struct {
		openAI     config.OpenAI
		path       string
		body, want string
	}{
		{config.OpenAI{}, chatPath, `{ "max_tokens":5,"seed":1 }`, `{ "max_tokens":5,"seed":1 }`},
		{newer, chatPath, `{ "x":1.0, "max_tokens":5 }`, `{ "x":1.0, "max_completion_tokens":5 }`},
		{older, chatPath, `{"max_completion_tokens":5,"x":{"max_tokens":1}}`, `{"max_tokens":5,"x":{"max_tokens":1}}`},
		{newer, chatPath, `{"max_tokens":5,"max_completion_tokens":7}`, `{"max_completion_tokens":7}`},
		{newer, chatPath, `{"max_completion_tokens":7,"max_tokens":5}`, `{"max_completion_tokens":7}`},
		{newer, chatPath, `{"max_tokens":5,"max_completion_tokens":null}`, `{"max_completion_tokens":5}`},
		{newer, chatPath, `{"max_tokens":null}`, `{"max_tokens":null}`},
		{newer, completionsPath, `{"max_tokens":5}`, `{"max_tokens":5}`},
		{lacking, chatPath, `{"seed":1,"max_tokens":5,"stream_options":{"include_usage":true}}`, `{"max_completion_tokens":5}`},
		{lacking, embeddingsPath, `{"model":"m","seed":1}`, `{"model":"m"}`},
	} {
		got, err := Edit(&tt.openAI, tt.path, pieces.Text{[]byte(tt.body)})
		if err != nil || string(got.Joined()) != tt.want {
			t.Errorf("%+v at %s: %s became %s, %v, want %s", tt.openAI, tt.path, tt.body, got.Joined(), err, tt.want)
		}
	}
}
