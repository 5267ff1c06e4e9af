//go:build e2e

package e2e

import (
	"context"
	"errors"
	"net/http"
	"testing"
	"time"

	"github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/option"

	"github.com/llmservice/llmservice/api/v1alpha1"
	"github.com/llmservice/llmservice/test/scenario/streams"
)

// answerWithin bounds one answer.
const answerWithin = 30 * time.Second

// TestOpenAISDK uses a service as its callers do: with OpenAI's own client, of which only the address is changed.
func TestOpenAISDK(t *testing.T) {
	t.Parallel()
	ctx := bounded(t)
	f := start(ctx, t, "sdk", func(s *v1alpha1.LLMService) {
		small(s)
		s.Spec.Models = []v1alpha1.Model{{Name: "assistant", Upstreams: []string{s.Spec.Upstreams[0].Name}}}
	})
	client := openai.NewClient(option.WithBaseURL(f.url+"/v1"), option.WithAPIKey("unused"),
		option.WithMaxRetries(0), option.WithRequestTimeout(answerWithin))
	script := streams.Script{Tokens: 5, Pace: 10 * time.Millisecond}
	chat := func(model string) openai.ChatCompletionNewParams {
		return openai.ChatCompletionNewParams{
			Model: model, Messages: []openai.ChatCompletionMessageParamUnion{openai.UserMessage(script.Prompt())},
		}
	}
	t.Run("list", func(t *testing.T) { listModels(ctx, t, client) })
	t.Run("whole", func(t *testing.T) {
		answer := must(client.Chat.Completions.New(ctx, chat("assistant")))(t)
		if got := answer.Choices[0].Message.Content; got != script.Text() || answer.Model != "assistant" {
			t.Errorf("%q said %q, want %q from assistant", answer.Model, got, script.Text())
		}
		if answer.Usage.CompletionTokens != int64(script.Tokens) {
			t.Errorf("usage has %d completion tokens, want %d", answer.Usage.CompletionTokens, script.Tokens)
		}
	})
	t.Run("streamed", func(t *testing.T) {
		var whole openai.ChatCompletionAccumulator
		stream := client.Chat.Completions.NewStreaming(ctx, chat("assistant"))
		for stream.Next() {
			if chunk := stream.Current(); chunk.Model != "assistant" || !whole.AddChunk(chunk) {
				t.Fatalf("a chunk does not fit: %s", chunk.RawJSON())
			}
		}
		ok(t, stream.Err())
		if got := whole.Choices[0]; got.Message.Content != script.Text() || got.FinishReason != "stop" {
			t.Errorf("streamed %q with finish reason %q, want %q with stop", got.Message.Content, got.FinishReason, script.Text())
		}
	})
	t.Run("unknown model", func(t *testing.T) {
		_, err := client.Chat.Completions.New(ctx, chat("nobody"))
		wrong, is := errors.AsType[*openai.Error](err)
		if !is || wrong.StatusCode != http.StatusNotFound || wrong.Code != "model_not_found" {
			t.Errorf("error %v, want 404 with model_not_found", err)
		}
	})
	t.Run("unknown model, streamed", func(t *testing.T) {
		stream := client.Chat.Completions.NewStreaming(ctx, chat("nobody"))
		if stream.Next() {
			t.Errorf("got a chunk: %s", stream.Current().RawJSON())
		}
		if wrong, is := errors.AsType[*openai.Error](stream.Err()); !is || wrong.StatusCode != http.StatusNotFound {
			t.Errorf("error %v, want 404", stream.Err())
		}
	})
	t.Run("bad request", func(t *testing.T) {
		_, err := client.Chat.Completions.New(ctx, openai.ChatCompletionNewParams{Model: "assistant"})
		if wrong, is := errors.AsType[*openai.Error](err); !is || wrong.StatusCode != http.StatusBadRequest || wrong.Param != "messages" {
			t.Errorf("error %v, want 400 about messages", err)
		}
	})
}

func listModels(ctx context.Context, t *testing.T, client openai.Client) {
	t.Helper()
	page := must(client.Models.List(ctx))(t)
	if len(page.Data) != 1 || page.Data[0].ID != "assistant" {
		t.Errorf("models are %v, want assistant alone", page.Data)
	}
}
