package format

import (
	"bytes"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// The bytes are those of FastAPI's format_sse_event: event, data, id, retry.
func TestFields(t *testing.T) {
	events := Events{}.Result(Events{}.Value(nil, "a", []byte("1")), []byte("1\n2"))
	for name, tt := range map[string]struct {
		fields      Fields
		first, then string
	}{
		"none": {
			Fields{},
			"event: a\ndata: 1\n\nevent: result\ndata: 1\ndata: 2\n\n", "data: x\n\n",
		},
		"ids": {
			Fields{IDs: true},
			"event: a\ndata: 1\nid: 1\n\nevent: result\ndata: 1\ndata: 2\nid: 2\n\n", "data: x\nid: 3\n\n",
		},
		"retry": {
			Fields{Retry: 1500 * time.Millisecond},
			"event: a\ndata: 1\nretry: 1500\n\nevent: result\ndata: 1\ndata: 2\n\n", "data: x\n\n",
		},
		"both": {
			Fields{IDs: true, Retry: time.Hour},
			"event: a\ndata: 1\nid: 1\nretry: 3600000\n\nevent: result\ndata: 1\ndata: 2\nid: 2\n\n", "data: x\nid: 3\n\n",
		},
	} {
		first, next := tt.fields.Add([]byte("kept"), events)
		if diff := cmp.Diff("kept"+tt.first, string(first)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
		then, _ := next.Add(nil, []byte("data: x\n\n"))
		if diff := cmp.Diff(tt.then, string(then)); diff != "" {
			t.Errorf("%s, afterwards (-want +got):\n%s", name, diff)
		}
		if again, _ := tt.fields.Add([]byte("kept"), events); string(again) != string(first) {
			t.Errorf("%s: the same fields give %q at first, and then %q", name, first, again)
		}
	}
}

// FuzzFields: whatever texts a stream has, a reader gets the same events, each with the next number.
func FuzzFields(f *testing.F) {
	f.Add("a\n\nid: 7\r\rb", "c")
	f.Fuzz(func(t *testing.T, one, two string) {
		var stream []byte
		for _, text := range []string{one, two} {
			stream = NewStep("s").Delta(stream, []byte(text))
			stream = NewText().Delta(stream, []byte(text))
		}
		marked, _ := Fields{IDs: true}.Add(nil, stream)
		if diff := cmp.Diff(read(t, stream), read(t, marked)); diff != "" {
			t.Errorf("(-without ids +with):\n%s", diff)
		}
		if got, want := bytes.Count(marked, []byte("\nid: ")), len(read(t, stream)); got != want {
			t.Errorf("%d of %d events have an id", got, want)
		}
	})
}
