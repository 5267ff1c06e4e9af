package mockllm

import (
	"errors"
	"net/http"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/option"
)

const testKey = "sk-test-0123456789abcdef"

func sdk(t *testing.T, o Options) (*Server, openai.Client) {
	t.Helper()
	mock, url, client := start(t, o)
	return mock, openai.NewClient(
		option.WithBaseURL(url+"/v1"), option.WithAPIKey(testKey), option.WithHTTPClient(client), option.WithMaxRetries(0))
}

func params(prompt string) openai.ChatCompletionNewParams {
	return openai.ChatCompletionNewParams{
		Model:    "mock",
		Messages: []openai.ChatCompletionMessageParamUnion{openai.SystemMessage("be brief"), openai.UserMessage(prompt)},
	}
}

func TestSDKStream(t *testing.T) {
	mock, client := sdk(t, Options{APIKey: testKey})
	p := params("one two three")
	p.StreamOptions.IncludeUsage = openai.Bool(true)
	stream := client.Chat.Completions.NewStreaming(t.Context(), p)
	t.Cleanup(func() {
		if err := stream.Close(); err != nil {
			t.Errorf("close stream: %v", err)
		}
	})
	acc, chunks := openai.ChatCompletionAccumulator{}, 0
	for stream.Next() {
		if !acc.AddChunk(stream.Current()) {
			t.Fatalf("the SDK cannot add up chunk %s", stream.Current().RawJSON())
		}
		chunks++
	}
	if err := stream.Err(); err != nil {
		t.Fatal(err)
	}
	if len(acc.Choices) != 1 {
		t.Fatalf("%d choices, want 1", len(acc.Choices))
	}
	const text = "token-0 token-1 token-2 token-3 token-4 token-5 token-6 token-7 " +
		"token-8 token-9 token-10 token-11 token-12 token-13 token-14 token-15"
	choice := acc.Choices[0]
	if choice.Message.Content != text || string(choice.Message.Role) != "assistant" || choice.FinishReason != "stop" {
		t.Errorf("got %q by %q, finished by %q", choice.Message.Content, choice.Message.Role, choice.FinishReason)
	}
	if u := acc.Usage; u.PromptTokens != 5 || u.CompletionTokens != 16 || u.TotalTokens != 21 {
		t.Errorf("usage %+v, want 5 + 16 = 21", u)
	}
	if want := 1 + 16 + 1 + 1; chunks != want {
		t.Errorf("%d chunks, want %d", chunks, want)
	}
	await(t, mock, "stream finished", func(s Stats) bool { return s.Finished == 1 && s.TokensSent == 16 })
}

func TestSDKWhole(t *testing.T) {
	_, client := sdk(t, Options{APIKey: testKey, Defaults: Script{FinishReason: "length"}})
	got, err := client.Chat.Completions.New(t.Context(), params(`say [[mock {"echo":true}]] this <&> "that"`))
	if err != nil {
		t.Fatal(err)
	}
	if text := got.Choices[0].Message.Content; text != `say  this <&> "that"` {
		t.Errorf("echo %q", text)
	}
	if got.Choices[0].FinishReason != "length" || got.Model != "mock" || got.ID == "" || got.Created == 0 {
		t.Errorf("got %s", got.RawJSON())
	}
	if got.Usage.TotalTokens != got.Usage.PromptTokens+got.Usage.CompletionTokens || got.Usage.CompletionTokens == 0 {
		t.Errorf("usage %+v", got.Usage)
	}
}

func TestSDKModels(t *testing.T) {
	_, client := sdk(t, Options{APIKey: testKey, Models: []string{"small", "big"}})
	page, err := client.Models.List(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var ids []string
	for _, m := range page.Data {
		ids = append(ids, m.ID)
	}
	if diff := cmp.Diff([]string{"small", "big"}, ids); diff != "" {
		t.Errorf("models (-want +got):\n%s", diff)
	}
	var apiErr *openai.Error
	if _, err := client.Chat.Completions.New(t.Context(), params("hi")); !errors.As(err, &apiErr) ||
		apiErr.StatusCode != http.StatusNotFound || apiErr.Code != "model_not_found" {
		t.Errorf("a model that is not listed: %v, want 404 model_not_found", err)
	}
}

func TestSDKErrors(t *testing.T) {
	tests := map[string]struct {
		script Script
		status int
		code   string
	}{
		"rate limit":  {Script{Status: 429, RetryAfter: "2"}, 429, "rate_limit_exceeded"},
		"internal":    {Script{Status: 500}, 500, "internal_server_error"},
		"unavailable": {Script{Status: 503}, 503, "service_unavailable"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			mock, client := sdk(t, Options{})
			mock.FailNext(1, tt.script)
			_, err := client.Chat.Completions.New(t.Context(), params("hi"))
			var apiErr *openai.Error
			if !errors.As(err, &apiErr) || apiErr.StatusCode != tt.status || apiErr.Code != tt.code {
				t.Fatalf("got %v, want %d %s", err, tt.status, tt.code)
			}
			if got := apiErr.Response.Header.Get("Retry-After"); got != tt.script.RetryAfter {
				t.Errorf("Retry-After %q, want %q", got, tt.script.RetryAfter)
			}
			if _, err := client.Chat.Completions.New(t.Context(), params("hi")); err != nil {
				t.Errorf("the request after the failure: %v", err)
			}
		})
	}
}

func TestSDKErrorEvent(t *testing.T) {
	mock, client := sdk(t, Options{})
	mock.FailNext(1, Script{Fault: FaultErrorEvent, AfterTokens: 2})
	stream := client.Chat.Completions.NewStreaming(t.Context(), params("hi"))
	t.Cleanup(func() {
		if err := stream.Close(); err != nil {
			t.Errorf("close stream: %v", err)
		}
	})
	chunks := 0
	for stream.Next() {
		chunks++
	}
	if stream.Err() == nil || chunks != 3 {
		t.Errorf("%d chunks and error %v, want 3 and one", chunks, stream.Err())
	}
}
