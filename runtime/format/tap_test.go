package format_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/llmservice/llmservice/runtime/format"
	"github.com/llmservice/llmservice/runtime/llm"
	"github.com/llmservice/llmservice/runtime/protocol/openai"
	"github.com/llmservice/llmservice/runtime/relay"
	"github.com/llmservice/llmservice/runtime/wire"
)

// TestAnUpstreamsStreamInAnotherFormat: the writers are what a tap of OpenAI's protocol writes with.
func TestAnUpstreamsStreamInAnotherFormat(t *testing.T) {
	const upstream = "data: {\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"\"}}]}\n\n" +
		"data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"one\\r\"}}]}\n\n" +
		"data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"\\ntwo\"},\"finish_reason\":\"stop\"}]}\n\n" +
		"data: {\"choices\":[],\"usage\":{\"total_tokens\":3}}\n\n" +
		"data: [DONE]\n\n"
	const done = "event: done\ndata: {\"finishReason\":\"stop\",\"usage\":{\"total_tokens\":3}}\n\n"
	for name, tt := range map[string]struct {
		writer llm.Writer
		want   string
	}{
		"Text": {format.NewText(), "data: one\ndata: \n\ndata: two\n\n" + done},
		"JSON": {format.JSON{}, "event: delta\ndata: {\"text\":\"one\\r\"}\n\nevent: delta\ndata: {\"text\":\"\\ntwo\"}\n\n" + done},
		"step": {format.NewStep("draft"), "event: draft\ndata: {\"text\":\"one\\r\"}\n\nevent: draft\ndata: {\"text\":\"\\ntwo\"}\n\n"},
	} {
		parser := wire.NewParser(1 << 20)
		if err := parser.Write([]byte(upstream)); err != nil {
			t.Fatal(err)
		}
		tap := llm.NewTap(openai.Dialect{}, llm.TapOptions{Writer: tt.writer})
		var got []byte
		var last relay.EventKind
		for f, ok := parser.Next(); ok; f, ok = parser.Next() {
			got, last = tap.Frame(got, &f)
		}
		if diff := cmp.Diff(tt.want, string(got)); diff != "" || last != relay.Done {
			t.Errorf("%s: ends with %v (-want +got):\n%s", name, last, diff)
		}
	}
}
