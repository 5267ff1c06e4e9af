package openai

import (
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/go-cmp/cmp"

	"github.com/llmservice/llmservice/runtime/llm"
	"github.com/llmservice/llmservice/runtime/relay"
	"github.com/llmservice/llmservice/runtime/wire"
)

func newTap(alias string) *llm.Tap { return newTapWith(llm.TapOptions{Alias: alias}) }

func newTapWith(o llm.TapOptions) *llm.Tap { return llm.NewTap(Dialect{}, o) }

// through passes a stream's bytes through a tap, and returns what it lets pass and the kind of each frame.
func through(t *testing.T, tap *llm.Tap, stream string) (string, []relay.EventKind) {
	t.Helper()
	parser := wire.NewParser(1 << 20)
	if err := parser.Write([]byte(stream)); err != nil {
		t.Fatal(err)
	}
	var out []byte
	var kinds []relay.EventKind
	for frame, ok := parser.Next(); ok; frame, ok = parser.Next() {
		var kind relay.EventKind
		out, kind = tap.Frame(out, &frame)
		kinds = append(kinds, kind)
	}
	return string(out), kinds
}

func TestTapPassesBytesAsTheyAre(t *testing.T) {
	const stream = ": warming up\n\n" +
		"data: {\"model\":\"real\",\"choices\":[{\"delta\":{\"role\":\"assistant\",\"content\":\"\"}}]}\r\n\r\n" +
		"id: 7\ndata:{\"model\":\"real\",\"choices\":[{\"delta\":{\"content\":\"é\"}}]}\n\n" +
		"data: {\"model\":\"real\",\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n" +
		"data: [DONE]\n\n"
	kinds := []relay.EventKind{relay.Preamble, relay.Preamble, relay.Content, relay.Content, relay.Done}
	for alias, want := range map[string]string{"": stream, "assistant": strings.ReplaceAll(stream, `"real"`, `"assistant"`)} {
		got, gotKinds := through(t, newTap(alias), stream)
		if got != want {
			t.Errorf("alias %q: got\n%s\nwant\n%s", alias, got, want)
		}
		for i := range kinds {
			if gotKinds[i] != kinds[i] {
				t.Errorf("alias %q: frame %d is %v, want %v", alias, i, gotKinds[i], kinds[i])
			}
		}
	}
}

func TestTapEditsDataOverSeveralLines(t *testing.T) {
	got, _ := through(t, newTap("alias"), "data: {\"model\":\ndata: \"real\"}\n\n")
	if want := "data: {\"model\":\ndata: \"alias\"}\n\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestTapKnowsContent(t *testing.T) {
	for delta, want := range map[string]relay.EventKind{
		`{"role":"assistant"}`:                       relay.Preamble,
		`{"role":"assistant","content":null}`:        relay.Preamble,
		`{"content":""}`:                             relay.Preamble,
		`{"tool_calls":[]}`:                          relay.Preamble,
		`{"content":"x"}`:                            relay.Content,
		`{"reasoning_content":"x"}`:                  relay.Content,
		`{"tool_calls":[{"index":0,"id":"call_1"}]}`: relay.Content,
		`{"refusal":"no"}`:                           relay.Content,
	} {
		_, kinds := through(t, newTap(""), `data: {"choices":[{"delta":`+delta+"}]}\n\n")
		if kinds[0] != want {
			t.Errorf("%s is %v, want %v", delta, kinds[0], want)
		}
	}
}

func TestTapStopsWhatIsBroken(t *testing.T) {
	for name, frame := range map[string]string{
		"an error":       "data: {\"error\":{\"message\":\"key sk-123\"}}\n\n",
		"an error event": "event: error\ndata: {\"message\":\"sk-123\"}\n\n",
		"no JSON":        "data: sk-123 oops\n\n",
		"half JSON":      "data: {\"choices\":[{\"delta\":{\"content\":\"sk-123\n\n",
	} {
		out, kinds := through(t, newTap("alias"), frame)
		if kinds[0] != relay.Broken || out != "" {
			t.Errorf("%s: %v, let pass %q", name, kinds[0], out)
		}
	}
	if _, kinds := through(t, newTap(""), "data: {\"error\":null,\"choices\":[]}\n\n"); kinds[0] != relay.Preamble {
		t.Errorf("a null error is %v", kinds[0])
	}
}

func BenchmarkTap(b *testing.B) {
	frame := wire.Frame{HasData: true, Raw: []byte("data: {\"id\":\"chatcmpl-1\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"real\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"token \"},\"finish_reason\":null}]}\n\n")}
	frame.Data = frame.Raw[6 : len(frame.Raw)-2]
	tap := newTap("alias")
	var dst []byte
	b.ReportAllocs()
	for b.Loop() {
		dst, _ = tap.Frame(dst[:0], &frame)
	}
}

// recorded is a Writer that shows its calls.
type recorded struct{}

func (recorded) Delta(dst, text []byte) []byte {
	return append(append(append(dst, '<'), text...), '>')
}

func (recorded) Done(dst []byte, finishReason string, usage jsontext.Value) []byte {
	return append(dst, "done "+finishReason+" "+string(usage)...)
}

const answered = ": warm\n\n" +
	"data: {\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"\"}}]}\n\n" +
	"data: {\"choices\":[{\"index\":0,\"delta\":{\"reasoning_content\":\"hm\"}}]}\n\n" +
	"data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"a\\u000ab\"}}]}\n\n" +
	"data: {\"choices\":[{\"index\":1,\"delta\":{\"content\":\"other\"}}]}\n\n" +
	"data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"c\"},\"finish_reason\":\"stop\"}]}\n\n" +
	"data: {\"choices\":[],\"usage\":{\"total_tokens\":3}}\n\n" +
	"data: [DONE]\n\n"

func TestTapWritesAnotherFormat(t *testing.T) {
	got, kinds := through(t, newTapWith(llm.TapOptions{Writer: recorded{}}), answered)
	if want := "<a\nb><c>done stop {\"total_tokens\":3}"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	want := []relay.EventKind{
		relay.Preamble, relay.Preamble, relay.Content, relay.Content, relay.Content, relay.Content, relay.Content, relay.Done,
	}
	if diff := cmp.Diff(want, kinds); diff != "" {
		t.Errorf("kinds (-want +got):\n%s", diff)
	}
	if got, _ := through(t, newTapWith(llm.TapOptions{Writer: recorded{}}), "data: {\"choices\":[{\"delta\":{}}]}\n\ndata: [DONE]\n\n"); got != "done  " {
		t.Errorf("an answer of nothing: %q", got)
	}
}

func TestTapHoldsDone(t *testing.T) {
	for name, tt := range map[string]struct {
		options llm.TapOptions
		want    string
	}{
		"passed on": {llm.TapOptions{HoldDone: true}, strings.TrimSuffix(answered, "data: [DONE]\n\n")},
		"written":   {llm.TapOptions{HoldDone: true, Writer: recorded{}}, "<a\nb><c>"},
	} {
		got, kinds := through(t, newTapWith(tt.options), answered)
		if got != tt.want || kinds[len(kinds)-1] != relay.Done {
			t.Errorf("%s: %q, %v", name, got, kinds)
		}
	}
}

// FuzzChunk checks that an event passes byte for byte or not at all, whether its deltas are read or not.
func FuzzChunk(f *testing.F) {
	f.Add("{\"model\":\"m\",\"choices\":[{\"delta\":{\"content\":\"a\"}}]}")
	f.Add("{\"error\":{}}")
	f.Add("{\"choices\":[{\"delta\":{\"tool_calls\":[{\"id\":x}]}}]}")
	f.Fuzz(func(t *testing.T, data string) {
		stream := string(wire.AppendEvent(nil, "", []byte(data)))
		for _, tap := range []*llm.Tap{newTap(""), newTapWith(llm.TapOptions{Collector: llm.NewCollector(keepAll)})} {
			got, kinds := through(t, tap, stream)
			if want := kinds[0] != relay.Broken; (want && got != stream) || (!want && got != "") {
				t.Errorf("%v: %q passed as %q", kinds, stream, got)
			}
		}
		aliased, kinds := through(t, newTap("alias"), stream)
		if kinds[0] == relay.Broken || strings.Contains(data, "[DONE]") {
			return
		}
		if _, again := through(t, newTap(""), aliased); again[0] != kinds[0] {
			t.Errorf("with the alias %q became %q: %v, %v", stream, aliased, kinds, again)
		}
	})
}

func BenchmarkTapCollects(b *testing.B) {
	frame := wire.Frame{HasData: true, Raw: []byte("data: {\"id\":\"chatcmpl-1\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"real\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"token \"},\"finish_reason\":null}]}\n\n")}
	frame.Data = frame.Raw[6 : len(frame.Raw)-2]
	tap := newTapWith(llm.TapOptions{Collector: llm.NewCollector(keepAll)})
	var dst []byte
	b.ReportAllocs()
	for b.Loop() {
		dst, _ = tap.Frame(dst[:0], &frame)
	}
}
