package format

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/llmservice/llmservice/runtime/problem"
	"github.com/llmservice/llmservice/runtime/wire"
)

const problemBody = `{"error":{"message":"The upstream did not answer in time.","type":"server_error","param":null,"code":"upstream_timeout"}}`

// TestBytes is the table of docs/streams.md: what each format writes, to the byte.
func TestBytes(t *testing.T) {
	tests := map[string]struct {
		writer                    func() Writer
		first, again, done, fails string
		bare                      string // done, with nothing known
	}{
		"Text": {
			writer: func() Writer { return NewText() },
			first:  "data: a \"b\"\ndata: \n\n",
			again:  "data: é\n\n",
			done:   "event: done\ndata: {\"finishReason\":\"length\",\"usage\":{\"total_tokens\":3}}\n\n",
			fails:  "event: error\ndata: " + problemBody + "\n\n",
			bare:   "event: done\ndata: {\"finishReason\":null,\"usage\":null}\n\n",
		},
		"JSON": {
			writer: func() Writer { return JSON{} },
			first:  "event: delta\ndata: {\"text\":\"a \\\"b\\\"\\n\"}\n\n",
			again:  "event: delta\ndata: {\"text\":\"é\"}\n\n",
			done:   "event: done\ndata: {\"finishReason\":\"length\",\"usage\":{\"total_tokens\":3}}\n\n",
			fails:  "event: error\ndata: " + problemBody + "\n\n",
			bare:   "event: done\ndata: {\"finishReason\":null,\"usage\":null}\n\n",
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			w := tt.writer()
			for _, part := range []struct{ what, got, want string }{
				{"nothing", string(w.Delta(nil, nil)), ""},
				{"first", string(w.Delta(nil, []byte("a \"b\"\n"))), tt.first},
				{"again", string(w.Delta([]byte("kept"), []byte("é"))), "kept" + tt.again},
				{"done", string(w.Done(nil, "length", []byte(`{"total_tokens":3}`))), tt.done},
				{"error", string(w.Error(nil, problem.New(problem.UpstreamTimeout))), tt.fails},
				{"bare", string(tt.writer().Done(nil, "", nil)), tt.bare},
			} {
				if diff := cmp.Diff(part.want, part.got); diff != "" {
					t.Errorf("%s (-want +got):\n%s", part.what, diff)
				}
			}
		})
	}
}

func TestEvents(t *testing.T) {
	var e Events
	step := NewStep("vote.left")
	for _, part := range []struct{ what, got, want string }{
		{"step", string(step.Delta(nil, []byte("hi\r\n"))), "event: vote.left\ndata: {\"text\":\"hi\\r\\n\"}\n\n"},
		{"empty", string(step.Delta(nil, nil)), ""},
		{"a step's end", string(step.Done([]byte("kept"), "stop", []byte("{}"))), "kept"},
		{"a name of two lines", string(NewStep("a\nb").Delta(nil, []byte("x"))), "event: a b\ndata: {\"text\":\"x\"}\n\n"},
		{"progress", string(e.Progress(nil, []byte(`{"step":"a"}`))), "event: progress\ndata: {\"step\":\"a\"}\n\n"},
		{"result", string(e.Result(nil, []byte("{\n}"))), "event: result\ndata: {\ndata: }\n\n"},
		{"done", string(e.Done(nil, []byte(`{}`))), "event: done\ndata: {\"usage\":{}}\n\n"},
		{"done, bare", string(e.Done(nil, nil)), "event: done\ndata: {\"usage\":null}\n\n"},
		{"error", string(e.Error(nil, problem.New(problem.UpstreamTimeout))), "event: error\ndata: " + problemBody + "\n\n"},
	} {
		if diff := cmp.Diff(part.want, part.got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", part.what, diff)
		}
	}
}

// read returns the data of each event.
func read(t testing.TB, stream []byte) []string {
	t.Helper()
	p := wire.NewParser(1 << 20)
	if err := p.Write(stream); err != nil {
		t.Fatal(err)
	}
	p.Finish()
	var data []string
	for f, ok := p.Next(); ok; f, ok = p.Next() {
		data = append(data, string(f.Data))
	}
	if p.Partial() {
		t.Errorf("an event is not ended in %q", stream)
	}
	return data
}

// FuzzText: however a text is cut into pieces, a reader gets it with each CR, LF and CRLF as LF.
func FuzzText(f *testing.F) {
	f.Add("a\r\nb\rc\n\n d", uint8(2))
	f.Fuzz(func(t *testing.T, text string, size uint8) {
		var stream []byte
		w := NewText()
		for rest := text; rest != ""; {
			n := min(int(size)+1, len(rest))
			stream = w.Delta(stream, []byte(rest[:n]))
			rest = rest[n:]
		}
		got := strings.Join(read(t, stream), "")
		want := strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(text)
		if got != want {
			t.Errorf("%q in pieces of %d came as %q", text, int(size)+1, got)
		}
	})
}

// FuzzJSON: a piece of text is always one event, and its data says the same text.
func FuzzJSON(f *testing.F) {
	f.Add("a\"\\\r\n\u2028\x00")
	f.Fuzz(func(t *testing.T, text string) {
		for _, w := range []interface{ Delta(dst, text []byte) []byte }{JSON{}, NewStep("s")} {
			frames := read(t, w.Delta(nil, []byte(text)))
			if text == "" && len(frames) == 0 {
				continue
			}
			var got struct {
				Text string `json:"text"`
			}
			if len(frames) != 1 || json.Unmarshal([]byte(frames[0]), &got) != nil {
				t.Fatalf("%q gave %q", text, frames)
			}
			if utf8.ValidString(text) && got.Text != text {
				t.Errorf("%q came as %q", text, got.Text)
			}
		}
	})
}

// A token is what there is most of.
func TestATokenAllocatesNothing(t *testing.T) {
	text, dst := []byte("token \"x\" "), make([]byte, 0, 1024)
	for name, w := range map[string]Writer{
		"Text": NewText(), "JSON": JSON{},
	} {
		if n := testing.AllocsPerRun(100, func() { w.Delta(dst, text) }); n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}
