package openai

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/llmservice/llmservice/runtime/llm"
	"github.com/llmservice/llmservice/runtime/problem"
	"github.com/llmservice/llmservice/runtime/wire"
)

// The table of docs/streams.md shows the same bytes for chunks of the gateway's own.
func TestBytes(t *testing.T) {
	const chunk = `data: {"id":"chat\"1","object":"chat.completion.chunk","created":1700000000,"model":"docs","choices":[`
	const problemBody = `{"error":{"message":"The upstream did not answer in time.","type":"server_error","param":null,"code":"upstream_timeout"}}`
	began := func() *ChunkWriter { return newStream(`chat"1`, "docs", time.Unix(1_700_000_000, 0)) }
	w := began()
	calls := &llm.Delta{ToolCalls: []llm.ToolCallDelta{
		{Index: 0, ID: "c1", Name: "find", Arguments: []byte(`{"q":`)}, {Index: 1, Arguments: []byte("1}")}, {Index: -1, ID: "c3"},
	}}
	for _, part := range []struct{ what, got, want string }{
		{"nothing", string(w.Delta(nil, nil)), ""},
		{"nothing else", string(w.Rest(nil, &llm.Delta{Text: []byte("a")})), ""},
		{
			"first", string(w.Delta(nil, []byte("a \"b\"\n"))),
			chunk + `{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":null}]}` + "\n\n" +
				chunk + `{"index":0,"delta":{"content":"a \"b\"\n"},"finish_reason":null}]}` + "\n\n",
		},
		{
			"again", string(w.Delta([]byte("kept"), []byte("é"))),
			"kept" + chunk + `{"index":0,"delta":{"content":"é"},"finish_reason":null}]}` + "\n\n",
		},
		{
			"a refusal", string(w.Rest(nil, &llm.Delta{Refusal: []byte("no")})),
			chunk + `{"index":0,"delta":{"refusal":"no"},"finish_reason":null}]}` + "\n\n",
		},
		{
			"calls", string(w.Rest(nil, calls)),
			chunk + `{"index":0,"delta":{"tool_calls":[` +
				`{"index":0,"id":"c1","type":"function","function":{"name":"find","arguments":"{\"q\":"}},` +
				`{"index":1,"function":{"arguments":"1}"}},{"index":0,"id":"c3","type":"function","function":{"arguments":""}}` +
				`]},"finish_reason":null}]}` + "\n\n",
		},
		{
			"done", string(w.Done(nil, "length", []byte(`{"total_tokens":3}`))),
			chunk + `{"index":0,"delta":{},"finish_reason":"length"}]}` + "\n\n" +
				chunk + `],"usage":{"total_tokens":3}}` + "\n\ndata: [DONE]\n\n",
		},
		{"error", string((Dialect{}).AppendError(nil, problem.New(problem.UpstreamTimeout))), "data: " + problemBody + "\n\n"},
		{"bare", string(began().Done(nil, "", nil)), "data: [DONE]\n\n"},
	} {
		if diff := cmp.Diff(part.want, part.got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", part.what, diff)
		}
	}
}

// The upstream's own bytes may have line ends, which must not end an event's data.
func TestUsageOverSeveralLines(t *testing.T) {
	p := wire.NewParser(1 << 20)
	if err := p.Write(newStream("1", "m", time.Unix(1, 0)).Done(nil, "stop", []byte("{\n\"total_tokens\":3\n}"))); err != nil {
		t.Fatal(err)
	}
	var frames []string
	for f, ok := p.Next(); ok; f, ok = p.Next() {
		frames = append(frames, string(f.Data))
	}
	if want := "],\"usage\":{\n\"total_tokens\":3\n}}"; len(frames) != 4 || !strings.HasSuffix(frames[2], want) {
		t.Errorf("got %q", frames)
	}
}

// Most of a stream is tokens.
func TestATokenAllocatesNothing(t *testing.T) {
	text, dst, w := []byte("token \"x\" "), make([]byte, 0, 1024), newStream("1", "m", time.Unix(1, 0))
	if n := testing.AllocsPerRun(100, func() { w.Delta(dst, text) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
