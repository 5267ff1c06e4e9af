package wire

import (
	"bytes"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// FuzzParser holds the parser to what must be true of any bytes: the frames do
// not depend on how the bytes were split, nothing is lost or invented, and a
// browser that follows the standard to the letter would see the same events.
func FuzzParser(f *testing.F) {
	f.Add([]byte("data: a\n\ndata: b\r\n\r\n"), uint64(1), uint16(0))
	f.Fuzz(func(t *testing.T, stream []byte, seed uint64, limit uint16) {
		checkStream(t, stream, seed, limit)
	})
}

// TestAnyChunking runs the same properties over streams made of the pieces
// that matter, which random bytes rarely line up.
func TestAnyChunking(t *testing.T) {
	pieces := []string{
		"\n", "\r", "\r\n", "\n\n", "\r\r", "\r\n\r\n", "data: ", "data", "data:x", "event: e", "id: 1", "id:\x00",
		"retry: 10", ": c", ":", " ", "é", "\U0001F30D", "\uFEFF", "\xEF", "\xBB", "{\"a\":1}", strings.Repeat("long ", 40),
	}
	for seed := range uint64(1000) {
		r := rand.New(rand.NewPCG(seed, 0))
		var stream []byte
		for range r.IntN(40) {
			stream = append(stream, pieces[r.IntN(len(pieces))]...)
		}
		checkStream(t, stream, seed, uint16(r.IntN(300)))
	}
}

// checkStream takes a limit of zero for none.
func checkStream(t *testing.T, stream []byte, seed uint64, limit uint16) {
	t.Helper()
	bound := int(limit)
	if bound == 0 {
		bound = noLimit
	}
	whole := parse(t, bound, stream)
	if got := parse(t, bound, bytewise(string(stream))...); !reflect.DeepEqual(whole, got) {
		t.Fatalf("%q, one byte at a time differs:\n%s", stream, cmp.Diff(whole, got))
	}
	if got := parse(t, bound, chunked(stream, seed)...); !reflect.DeepEqual(whole, got) {
		t.Fatalf("%q, in chunks of seed %d, differs:\n%s", stream, seed, cmp.Diff(whole, got))
	}
	for _, large := range []int{1, 2, 7, 50} {
		for _, chunks := range [][][]byte{{stream}, bytewise(string(stream)), chunked(stream, seed)} {
			if got := parseBy(t, spilling(bound, large), chunks...); !reflect.DeepEqual(whole, got) {
				t.Fatalf("%q in %d chunks, kept in pieces of %d and more, differs:\n%s", stream, len(chunks), large, cmp.Diff(whole, got))
			}
		}
	}
	checkBytes(t, stream, whole, bound)
	if !whole.TooLarge {
		if want, got := standardEvents(stream), dispatched(whole.Frames); !slices.Equal(want, got) {
			t.Fatalf("%q: events (-standard +parser):\n%s", stream, cmp.Diff(want, got))
		}
	}
}

// checkBytes says that the frames are the stream, up to the unfinished rest.
func checkBytes(t *testing.T, stream []byte, got parsed, bound int) {
	t.Helper()
	var joined []byte
	for _, f := range got.Frames {
		if len(f.Raw) > bound {
			t.Fatalf("%q: a frame of %d bytes, with %d allowed", stream, len(f.Raw), bound)
		}
		joined = append(joined, f.Raw...)
	}
	rest, ok := bytes.CutPrefix(bytes.TrimPrefix(stream, byteOrderMark), joined)
	if !ok {
		t.Fatalf("%q: the frames are not its bytes: %q", stream, joined)
	}
	if got.Partial != (len(rest) > 0) {
		t.Fatalf("%q: Partial = %v with %q left", stream, got.Partial, rest)
	}
}

func chunked(stream []byte, seed uint64) [][]byte {
	r := rand.New(rand.NewPCG(seed, 1))
	var chunks [][]byte
	for len(stream) > 0 {
		n := min(len(stream), r.IntN(12)) // an empty write is a chunk as well
		chunks = append(chunks, stream[:n])
		stream = stream[n:]
	}
	return chunks
}

type event struct{ Type, Data, LastID string }

// standardEvents interprets a whole stream in the words of section 9.2.6, with
// no regard for cost.
func standardEvents(stream []byte) []event {
	text := strings.TrimPrefix(string(stream), "\uFEFF")
	text = strings.ReplaceAll(text, "\r\n", "\n")
	lines := strings.Split(strings.ReplaceAll(text, "\r", "\n"), "\n")
	var events []event
	var data, kind, id string
	for _, line := range lines[:len(lines)-1] {
		if line == "" {
			if data != "" {
				events = append(events, event{kind, strings.TrimSuffix(data, "\n"), id})
			}
			data, kind = "", ""
			continue
		}
		name, value, _ := strings.Cut(line, ":")
		value = strings.TrimPrefix(value, " ")
		switch {
		case name == "data":
			data += value + "\n"
		case name == "event":
			kind = value
		case name == "id" && !strings.Contains(value, "\x00"):
			id = value
		}
	}
	return events
}

func dispatched(frames []Frame) []event {
	var events []event
	id := ""
	for _, f := range frames {
		if f.HasID {
			id = string(f.ID)
		}
		if f.HasData {
			events = append(events, event{string(f.Event), string(f.Data), id})
		}
	}
	return events
}
