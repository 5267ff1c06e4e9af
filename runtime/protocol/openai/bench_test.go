package openai

import (
	"slices"
	"strings"
	"testing"

	"github.com/llmservice/llmservice/runtime/llm"
	"github.com/llmservice/llmservice/runtime/wire"
)

// answerOf is a whole answer as OpenAI's API writes it.
func answerOf(message string) []byte {
	return []byte(`{"id":"chatcmpl-1","object":"chat.completion","created":1,"model":"real","choices":[{"index":0,"message":{"role":"assistant",` +
		message + `,"refusal":null,"annotations":[]},"logprobs":null,"finish_reason":"stop"}],` +
		`"usage":{"prompt_tokens":9,"completion_tokens":12,"total_tokens":21,"completion_tokens_details":{"reasoning_tokens":0}},"system_fingerprint":"fp"}`)
}

var answers = map[string][]byte{
	"short": answerOf(`"content":"Hello! How can I assist you today?"`),
	"long":  answerOf(`"content":"` + strings.Repeat(`It is tea.\n`, 20_000) + `"`),
	"calls": answerOf(`"content":null,"tool_calls":[` + strings.Repeat(`{"id":"call_1","type":"function","function":{"name":"find","arguments":"{\"q\":\"tea\"}"}},`, 7) +
		`{"id":"call_2","type":"function","function":{"name":"find","arguments":"{}"}}]`),
}

func BenchmarkReadCompletion(b *testing.B) {
	for _, name := range []string{"short", "long", "calls"} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(answers[name])))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := readCompletion(answers[name]); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkRename(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if _, err := (Dialect{}).Rename(answers["long"], "alias", &llm.Used{}); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkAnswerInChunks collects an answer of many chunks, with tool calls.
func BenchmarkAnswerInChunks(b *testing.B) {
	var frames []wire.Frame
	for _, delta := range []string{`"content":"token "`, `"tool_calls":[{"index":0,"function":{"arguments":"x"}}]`} {
		chunk := `{"model":"real","choices":[{"index":0,"delta":{` + delta + `},"finish_reason":null}]}`
		frames = append(frames, slices.Repeat([]wire.Frame{{HasData: true, Data: []byte(chunk), Raw: []byte("data: " + chunk + "\n\n")}}, 50)...)
	}
	b.ReportAllocs()
	for b.Loop() {
		collector := llm.NewCollector(keepAll)
		tap := newTapWith(llm.TapOptions{Collector: collector})
		var dst []byte
		for i := range frames {
			dst, _ = tap.Frame(dst[:0], &frames[i])
		}
		collector.Completion()
	}
}
