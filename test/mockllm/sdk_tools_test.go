package mockllm

import (
	"encoding/json"
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/shared"
)

// withTools are parameters of a request that may call two functions.
func withTools(prompt string) openai.ChatCompletionNewParams {
	p := params(prompt)
	for _, name := range []string{"retrieve", "now"} {
		p.Tools = append(p.Tools, openai.ChatCompletionFunctionTool(shared.FunctionDefinitionParam{
			Name: name, Parameters: shared.FunctionParameters{"type": "object"},
		}))
	}
	return p
}

type toolCall struct{ ID, Name, Arguments string }

func called(m openai.ChatCompletionMessage) []toolCall {
	var calls []toolCall
	for _, c := range m.ToolCalls {
		calls = append(calls, toolCall{c.ID, c.Function.Name, c.Function.Arguments})
	}
	return calls
}

// complete asks whole, or streams and lets the SDK add the chunks up.
func complete(t *testing.T, client openai.Client, p openai.ChatCompletionNewParams, streamed bool) openai.ChatCompletion {
	t.Helper()
	if !streamed {
		got, err := client.Chat.Completions.New(t.Context(), p)
		if err != nil {
			t.Fatal(err)
		}
		return *got
	}
	p.StreamOptions.IncludeUsage = openai.Bool(true)
	stream := client.Chat.Completions.NewStreaming(t.Context(), p)
	defer stream.Close()
	acc := openai.ChatCompletionAccumulator{}
	for stream.Next() {
		if !acc.AddChunk(stream.Current()) {
			t.Fatalf("the SDK cannot add up chunk %s", stream.Current().RawJSON())
		}
	}
	if err := stream.Err(); err != nil {
		t.Fatal(err)
	}
	return acc.ChatCompletion
}

// TestSDKAgent holds a conversation as an agent does: two calls at once, their results, a text that uses them.
func TestSDKAgent(t *testing.T) {
	const script = `[[mock {"turns":[
		{"toolCalls":[{"name":"retrieve","arguments":{"q": "all about é"}},{"name":"now"}]},
		{"toolCalls":[{"name":"retrieve","arguments":"{not JSON"}],"text":"Let me see. "},
		{"text":"I found: ","echoRole":"tool"}]}]]`
	for _, streamed := range []bool{false, true} {
		_, client := sdk(t, Options{})
		p := withTools(script)
		first := complete(t, client, p, streamed)
		choice := first.Choices[0]
		want := []toolCall{{"call_0_0", "retrieve", `{"q":"all about é"}`}, {"call_0_1", "now", "{}"}}
		if diff := cmp.Diff(want, called(choice.Message)); diff != "" || choice.FinishReason != "tool_calls" || choice.Message.Content != "" {
			t.Errorf("streamed %v: %q, %s (-want +got):\n%s", streamed, choice.Message.Content, choice.FinishReason, diff)
		}
		if first.Usage.CompletionTokens != 6 { // two heads, arguments of 19 bytes in three pieces, and of 2 in one
			t.Errorf("streamed %v: usage %+v", streamed, first.Usage)
		}
		p.Messages = append(p.Messages, choice.Message.ToParam(), openai.ToolMessage("A", "call_0_0"), openai.ToolMessage("B", "call_0_1"))
		choice = complete(t, client, p, streamed).Choices[0]
		want = []toolCall{{"call_1_0", "retrieve", "{not JSON"}}
		if diff := cmp.Diff(want, called(choice.Message)); diff != "" || choice.Message.Content != "Let me see. " {
			t.Errorf("streamed %v: %q (-want +got):\n%s", streamed, choice.Message.Content, diff)
		}
		p.Messages = append(p.Messages, choice.Message.ToParam(), openai.ToolMessage("C", "call_1_0"))
		choice = complete(t, client, p, streamed).Choices[0]
		if got := choice.Message.Content; got != "I found: A\nB\nC" || choice.FinishReason != "stop" || len(choice.Message.ToolCalls) > 0 {
			t.Errorf("streamed %v: %q, %s", streamed, got, choice.FinishReason)
		}
	}
}

// TestToolCallsAreAskedFor: only a request that can answer a call gets one.
func TestToolCallsAreAskedFor(t *testing.T) {
	const prompt = `[[mock {"text":"fine","toolCalls":[{"name":"now"},{"name":"now"}]}]]`
	for name, tt := range map[string]struct {
		change func(*openai.ChatCompletionNewParams)
		calls  int
	}{
		"several":     {func(*openai.ChatCompletionNewParams) {}, 2},
		"one by one":  {func(p *openai.ChatCompletionNewParams) { p.ParallelToolCalls = openai.Bool(false) }, 1},
		"no tools":    {func(p *openai.ChatCompletionNewParams) { p.Tools = nil }, 0},
		"choice none": {func(p *openai.ChatCompletionNewParams) { p.ToolChoice.OfAuto = openai.String("none") }, 0},
	} {
		_, client := sdk(t, Options{})
		p := withTools(prompt)
		tt.change(&p)
		got := complete(t, client, p, true).Choices[0]
		want := "tool_calls"
		if tt.calls == 0 {
			want = "stop"
		}
		if len(got.Message.ToolCalls) != tt.calls || got.FinishReason != want || got.Message.Content != "fine" {
			t.Errorf("%s: %s", name, got.RawJSON())
		}
	}
}

func TestSDKMaxTokens(t *testing.T) {
	tests := map[string]struct {
		prompt string
		limit  int64
		text   string
		finish string
	}{
		"default reply": {"hi", 2, "token-0 token-1", "length"},
		"text":          {`[[mock {"text":"a b c"}]]`, 2, "a b ", "length"},
		"exactly":       {`[[mock {"text":"a b c"}]]`, 3, "a b c", "stop"},
		"JSON":          {`[[mock {"json":{"answer":[1,2,3]}}]]`, 1, `{"answer`, "length"},
		"scripted":      {`[[mock {"text":"a b c","finishReason":"content_filter"}]]`, 1, "a ", "content_filter"},
	}
	for name, tt := range tests {
		for _, streamed := range []bool{false, true} {
			_, client := sdk(t, Options{})
			p := params(tt.prompt)
			p.MaxTokens = openai.Int(tt.limit)
			p.MaxCompletionTokens = openai.Int(100)
			got := complete(t, client, p, streamed)
			choice := got.Choices[0]
			if choice.Message.Content != tt.text || choice.FinishReason != tt.finish || got.Usage.CompletionTokens != tt.limit {
				t.Errorf("%s, streamed %v: %q, %s, %d tokens", name, streamed, choice.Message.Content, choice.FinishReason, got.Usage.CompletionTokens)
			}
		}
	}
	_, client := sdk(t, Options{})
	p := withTools(`[[mock {"toolCalls":[{"name":"now"},{"name":"retrieve","arguments":{"q":"x"}}]}]]`)
	p.MaxCompletionTokens = openai.Int(3)
	choice := complete(t, client, p, false).Choices[0]
	if diff := cmp.Diff([]toolCall{{"call_0_0", "now", "{}"}, {"call_0_1", "retrieve", ""}}, called(choice.Message)); diff != "" || choice.FinishReason != "length" {
		t.Errorf("calls cut off: %s (-want +got):\n%s", choice.FinishReason, diff)
	}
}

// TestSDKStructuredOutput: an answer that is no JSON, and one that is after the model was told.
func TestSDKStructuredOutput(t *testing.T) {
	for _, streamed := range []bool{false, true} {
		mock, client := sdk(t, Options{})
		p := params(`[[mock {"turns":[{"text":"Sure!"},{"json":{"answer": 42, "why": "a b é"}}]}]]`)
		p.ResponseFormat.OfJSONSchema = &shared.ResponseFormatJSONSchemaParam{
			JSONSchema: shared.ResponseFormatJSONSchemaJSONSchemaParam{Name: "answer", Schema: map[string]any{"type": "object"}},
		}
		first := complete(t, client, p, streamed).Choices[0].Message
		if json.Valid([]byte(first.Content)) {
			t.Errorf("the first answer is %q", first.Content)
		}
		p.Messages = append(p.Messages, first.ToParam(), openai.UserMessage("This is no JSON. Answer with JSON."))
		second := complete(t, client, p, streamed).Choices[0].Message
		if want := `{"answer":42,"why":"a b é"}`; second.Content != want {
			t.Errorf("the second answer is %q, want %q", second.Content, want)
		}
		if got := mock.StatsOf("/v1/chat/completions").Opened; got != 2 {
			t.Errorf("%d calls", got)
		}
	}
}

func TestSDKWithoutUsage(t *testing.T) {
	_, client := sdk(t, Options{})
	for _, streamed := range []bool{false, true} {
		if got := complete(t, client, params(`[[mock {"noUsage":true}]]`), streamed); got.Usage.TotalTokens != 0 || got.Choices[0].Message.Content == "" {
			t.Errorf("streamed %v: %s", streamed, got.RawJSON())
		}
	}
}

func TestSDKEmbeddings(t *testing.T) {
	mock, client := sdk(t, Options{APIKey: testKey, Models: []string{"e"}})
	embed := func(p openai.EmbeddingNewParams) *openai.CreateEmbeddingResponse {
		t.Helper()
		p.Model = "e"
		got, err := client.Embeddings.New(t.Context(), p)
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	got := embed(openai.EmbeddingNewParams{
		Input:      openai.EmbeddingNewParamsInputUnion{OfArrayOfStrings: []string{"the red fox", "Fox the RED", "a stone", ""}},
		Dimensions: openai.Int(64),
	})
	near, far := dot(got.Data[0].Embedding, got.Data[1].Embedding), dot(got.Data[0].Embedding, got.Data[2].Embedding)
	if math.Abs(near-1) > 1e-9 || far > 0.9 {
		t.Errorf("the same words are %v alike, others %v", near, far)
	}
	for i, d := range got.Data {
		if len(d.Embedding) != 64 || math.Abs(dot(d.Embedding, d.Embedding)-1) > 1e-9 || d.Index != int64(i) {
			t.Errorf("vector %d: %v", i, d)
		}
	}
	if got.Usage.PromptTokens != 8 || got.Usage.TotalTokens != 8 || got.Model != "e" {
		t.Errorf("%s", got.RawJSON())
	}
	one := embed(openai.EmbeddingNewParams{Input: openai.EmbeddingNewParamsInputUnion{OfString: openai.String("[[mock {}]] a stone")}})
	again := embed(openai.EmbeddingNewParams{Input: openai.EmbeddingNewParamsInputUnion{OfString: openai.String("a stone")}})
	if diff := cmp.Diff(one.Data[0].Embedding, again.Data[0].Embedding); diff != "" || len(one.Data[0].Embedding) != defaultDimensions {
		t.Errorf("the script counts (-with +without):\n%s", diff)
	}
	if s := mock.StatsOf("/v1/embeddings"); s.Finished != 3 || mock.StatsOf("/v1/chat/completions").Opened != 0 {
		t.Errorf("figures %+v", s)
	}
}

func dot(a, b []float64) float64 {
	sum := 0.0
	for i := range a {
		sum += a[i] * b[i]
	}
	return sum
}
