package wire

import (
	"strings"
	"testing"
)

func TestAppendEvent(t *testing.T) {
	tests := map[string]struct{ event, data, want string }{
		"plain":          {"", "[DONE]", "data: [DONE]\n\n"},
		"with a type":    {"error", "{}", "event: error\ndata: {}\n\n"},
		"empty":          {"", "", "data: \n\n"},
		"leading space":  {"", " a", "data:  a\n\n"},
		"lines":          {"", "a\nb\r\nc\rd", "data: a\ndata: b\ndata: c\ndata: d\n\n"},
		"ends in a line": {"", "a\n", "data: a\ndata: \n\n"},
		"no injection":   {"a\r\ndata: b", "c", "event: a  data: b\ndata: c\n\n"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got := AppendEvent([]byte("before"), tt.event, []byte(tt.data))
			if string(got) != "before"+tt.want {
				t.Errorf("got %q, want %q after %q", got, tt.want, "before")
			}
		})
	}
}

func TestAppendComment(t *testing.T) {
	for text, want := range map[string]string{
		"keep-alive":  ": keep-alive\n\n",
		"":            ": \n\n",
		"a\ndata: b":  ": a\n: data: b\n\n",
		"a\r\rb\r\nc": ": a\n: \n: b\n: c\n\n",
	} {
		if got := string(AppendComment(nil, text)); got != want {
			t.Errorf("AppendComment(%q) = %q, want %q", text, got, want)
		}
	}
}

// FuzzAppend: whatever is encoded is one frame that reads back as itself.
func FuzzAppend(f *testing.F) {
	f.Add("error", []byte("a\r\nb\n"), "ping\n\n")
	f.Fuzz(func(t *testing.T, kind string, data []byte, comment string) {
		stream := AppendComment(AppendEvent(nil, kind, data), comment)
		got := parse(t, noLimit, stream)
		if len(got.Frames) != 2 || got.Partial {
			t.Fatalf("%q: %d frames, partial %v; want 2 whole ones", stream, len(got.Frames), got.Partial)
		}
		wantKind := strings.NewReplacer("\r", " ", "\n", " ").Replace(kind)
		wantData := strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(string(data))
		if e := got.Frames[0]; string(e.Event) != wantKind || string(e.Data) != wantData {
			t.Errorf("event %q with data %q, want %q with %q", e.Event, e.Data, wantKind, wantData)
		}
		if c := got.Frames[1]; c.HasData || len(c.Event) > 0 || c.HasID || c.HasRetry {
			t.Errorf("the comment %q has fields: %+v", comment, c)
		}
	})
}
