package wire

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

const noLimit = 1 << 30

// parsed is everything that a parser said about a stream.
type parsed struct {
	Frames   []Frame
	Partial  bool
	TooLarge bool
}

// parse feeds the chunks from one reused buffer, as a caller that reads from a
// connection does, so that a frame which outlives its bytes shows as garbage.
func parse(t testing.TB, limit int, chunks ...[]byte) parsed {
	t.Helper()
	return parseBy(t, NewParser(limit), chunks...)
}

// spilling returns a parser for which a frame of some bytes is large.
func spilling(limit, bytes int) *Parser {
	p := NewParser(limit)
	p.spillAt = bytes
	return p
}

func parseBy(t testing.TB, p *Parser, chunks ...[]byte) parsed {
	t.Helper()
	out := parsed{}
	var buf []byte
	drain := func() {
		for f, ok := p.Next(); ok; f, ok = p.Next() {
			out.Frames = append(out.Frames, clone(f))
		}
	}
	for _, chunk := range chunks {
		buf = append(buf[:0], chunk...)
		err := p.Write(buf)
		if err != nil && !errors.Is(err, ErrFrameTooLarge) {
			t.Fatalf("Write: %v", err)
		}
		out.TooLarge = out.TooLarge || err != nil
		drain()
		for i := range buf {
			buf[i] = '!'
		}
	}
	p.Finish()
	drain()
	out.Partial = p.Partial()
	return out
}

func clone(f Frame) Frame {
	f.Raw, f.Event = bytes.Clone(f.Raw), bytes.Clone(f.Event)
	f.Data, f.ID = bytes.Clone(f.Data), bytes.Clone(f.ID)
	return f
}

func bytewise(stream string) [][]byte {
	return slices.Collect(slices.Chunk([]byte(stream), 1))
}

// fields is a frame for tables: bytes as text, and the usual case as zero.
type fields struct {
	Raw, Event, Data, ID string
	Retry                time.Duration
	NoData               bool
}

func TestParser(t *testing.T) {
	tests := map[string]struct {
		stream  string
		want    []fields
		partial bool
	}{
		"nothing": {stream: ""},
		"LF": {
			stream: "data: a\n\ndata: b\n\n",
			want:   []fields{{Raw: "data: a\n\n", Data: "a"}, {Raw: "data: b\n\n", Data: "b"}},
		},
		"CRLF": {
			stream: "data: a\r\n\r\ndata: b\r\n\r\n",
			want:   []fields{{Raw: "data: a\r\n\r\n", Data: "a"}, {Raw: "data: b\r\n\r\n", Data: "b"}},
		},
		"CR": {
			stream: "data: a\r\rdata: b\r\r",
			want:   []fields{{Raw: "data: a\r\r", Data: "a"}, {Raw: "data: b\r\r", Data: "b"}},
		},
		"line ends mixed": {
			stream: "data: a\rdata: b\ndata: c\r\n\ndata: d\n\r\ndata: e\n\r",
			want: []fields{
				{Raw: "data: a\rdata: b\ndata: c\r\n\n", Data: "a\nb\nc"},
				{Raw: "data: d\n\r\n", Data: "d"},
				{Raw: "data: e\n\r", Data: "e"},
			},
		},
		"LF after a frame of bare CRs": {
			stream: "data: a\r\r\ndata: b\r\r",
			want: []fields{
				{Raw: "data: a\r\r", Data: "a"},
				{Raw: "\n", NoData: true},
				{Raw: "data: b\r\r", Data: "b"},
			},
		},
		"byte order mark": {
			stream: "\uFEFFdata: a\n\n",
			want:   []fields{{Raw: "data: a\n\n", Data: "a"}},
		},
		"only the first byte order mark is one": {
			stream: "\uFEFF\uFEFFdata: a\n\ndata: b\n\n",
			want: []fields{
				{Raw: "\uFEFFdata: a\n\n", NoData: true},
				{Raw: "data: b\n\n", Data: "b"},
			},
		},
		"half a byte order mark": {stream: "\xEF\xBB", partial: true},
		"nearly a byte order mark": {
			stream: "\xEF\xBB\n\n",
			want:   []fields{{Raw: "\xEF\xBB\n\n", NoData: true}},
		},
		"a byte order mark alone": {stream: "\uFEFF"},
		"data lines are joined": {
			stream: "data: a\ndata:\ndata: b\n\n",
			want:   []fields{{Raw: "data: a\ndata:\ndata: b\n\n", Data: "a\n\nb"}},
		},
		"data of one frame does not reach the next": {
			stream: "data: a\ndata: b\n\ndata: c\n\ndata: d\ndata: e\n\n",
			want: []fields{
				{Raw: "data: a\ndata: b\n\n", Data: "a\nb"},
				{Raw: "data: c\n\n", Data: "c"},
				{Raw: "data: d\ndata: e\n\n", Data: "d\ne"},
			},
		},
		"one space after the colon is dropped": {
			stream: "data:a\n\ndata:  a \n\ndata:\ta\n\n",
			want: []fields{
				{Raw: "data:a\n\n", Data: "a"},
				{Raw: "data:  a \n\n", Data: " a "},
				{Raw: "data:\ta\n\n", Data: "\ta"},
			},
		},
		"data without colon or value": {
			stream: "data\n\ndata:\n\ndata\ndata\n\n",
			want: []fields{
				{Raw: "data\n\n"}, {Raw: "data:\n\n"}, {Raw: "data\ndata\n\n", Data: "\n"},
			},
		},
		"colons in the value": {
			stream: "data: a: b:\n\n",
			want:   []fields{{Raw: "data: a: b:\n\n", Data: "a: b:"}},
		},
		"comments": {
			stream: ": ping\n\n:data: a\ndata: b\n\n",
			want: []fields{
				{Raw: ": ping\n\n", NoData: true}, {Raw: ":data: a\ndata: b\n\n", Data: "b"},
			},
		},
		"unknown fields, other case, leading space": {
			stream: "Data: a\n data: b\ndatum: c\nx\n\n",
			want:   []fields{{Raw: "Data: a\n data: b\ndatum: c\nx\n\n", NoData: true}},
		},
		"blank lines": {
			stream: "\n\r\n\ndata: a\n\n\n",
			want: []fields{
				{Raw: "\n", NoData: true},
				{Raw: "\r\n", NoData: true},
				{Raw: "\n", NoData: true},
				{Raw: "data: a\n\n", Data: "a"},
				{Raw: "\n", NoData: true},
			},
		},
		"the last event type counts": {
			stream: "event: a\nevent: error\ndata: b\n\nevent: c\n\n",
			want: []fields{
				{Raw: "event: a\nevent: error\ndata: b\n\n", Event: "error", Data: "b"},
				{Raw: "event: c\n\n", Event: "c", NoData: true},
			},
		},
		"ids": {
			stream: "id: 1\ndata: a\n\nid\n\nid: x\x00y\n\nid: 2\nid: \x00\n\n",
			want: []fields{
				{Raw: "id: 1\ndata: a\n\n", ID: "1", Data: "a"},
				{Raw: "id\n\n", NoData: true},
				{Raw: "id: x\x00y\n\n", NoData: true},
				{Raw: "id: 2\nid: \x00\n\n", ID: "2", NoData: true},
			},
		},
		"runes": {
			stream: "data: 你好 \U0001F30D\n\ndata: \xff\xfe\n\n",
			want: []fields{
				{Raw: "data: 你好 \U0001F30D\n\n", Data: "你好 \U0001F30D"},
				{Raw: "data: \xff\xfe\n\n", Data: "\xff\xfe"},
			},
		},
		"cut in a line":     {stream: "data: a\n\ndata: b", want: []fields{{Raw: "data: a\n\n", Data: "a"}}, partial: true},
		"cut after a line":  {stream: "data: a\n", partial: true},
		"cut after a CR":    {stream: "data: a\r", partial: true},
		"cut in a CRLFCRLF": {stream: "data: a\r\n\r", want: []fields{{Raw: "data: a\r\n\r", Data: "a"}}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			whole := parse(t, noLimit, []byte(tt.stream))
			if diff := cmp.Diff(tt.want, textOf(whole.Frames)); diff != "" {
				t.Errorf("frames (-want +got):\n%s", diff)
			}
			if whole.Partial != tt.partial {
				t.Errorf("Partial() = %v, want %v", whole.Partial, tt.partial)
			}
			if diff := cmp.Diff(whole, parse(t, noLimit, bytewise(tt.stream)...)); diff != "" {
				t.Errorf("one byte at a time differs (-whole +bytewise):\n%s", diff)
			}
		})
	}
}

func textOf(frames []Frame) []fields {
	var out []fields
	for _, f := range frames {
		out = append(out, fields{
			Raw: string(f.Raw), Event: string(f.Event), Data: string(f.Data), ID: string(f.ID),
			Retry: f.Retry, NoData: !f.HasData,
		})
	}
	return out
}

func TestRetry(t *testing.T) {
	tests := map[string]struct {
		want time.Duration
		has  bool
	}{
		"0":                    {0, true},
		"1500":                 {1500 * time.Millisecond, true},
		"007":                  {7 * time.Millisecond, true},
		"":                     {},
		"-1":                   {},
		"+1":                   {},
		"1.5":                  {},
		"1s":                   {},
		"١":                    {}, // digits, but not ASCII's
		"99999999999999999999": {},
		"9223372036855":        {}, // more milliseconds than a Duration holds
	}
	for value, tt := range tests {
		f := parse(t, noLimit, []byte("retry: "+value+"\n\n")).Frames[0]
		if f.Retry != tt.want || f.HasRetry != tt.has {
			t.Errorf("retry %q = %v, %v; want %v, %v", value, f.Retry, f.HasRetry, tt.want, tt.has)
		}
	}
}

func TestHasIDTellsEmptyFromNone(t *testing.T) {
	tests := map[string]bool{"id:\n\n": true, "id\n\n": true, "data: a\n\n": false, "id: \x00\n\n": false}
	for stream, want := range tests {
		if got := parse(t, noLimit, []byte(stream)).Frames[0].HasID; got != want {
			t.Errorf("%q: HasID = %v, want %v", stream, got, want)
		}
	}
}

// The last read may bring the end together with bytes, so Finish may come
// before the frames have been taken.
func TestFinishBeforeTheFramesAreTaken(t *testing.T) {
	p := NewParser(noLimit)
	if err := p.Write([]byte("data: a\n\ndata: b\r\n\r")); err != nil {
		t.Fatal(err)
	}
	p.Finish()
	for _, want := range []string{"a", "b"} {
		if f, ok := p.Next(); !ok || string(f.Data) != want {
			t.Errorf("Next = %q, %v; want %q", f.Data, ok, want)
		}
	}
	if f, ok := p.Next(); ok || p.Partial() {
		t.Errorf("after the last frame: %q, %v, partial %v", f.Raw, ok, p.Partial())
	}
}

// A frame must not wait for the bytes that follow it: they may be a second
// away, or never come.
func TestFrameIsReadyAtItsLastByte(t *testing.T) {
	for _, stream := range []string{"data: a\n\n", "data: a\r\n\r\n", "data: a\r\r", "data: a\r\n\n", ": ping\n\n"} {
		p := NewParser(noLimit)
		for i, b := range []byte(stream) {
			if err := p.Write([]byte{b}); err != nil {
				t.Fatal(err)
			}
			f, ok := p.Next()
			if last := i == len(stream)-1; ok != last {
				t.Fatalf("%q: a frame after byte %d: %v, want %v", stream, i, ok, last)
			}
			if ok && string(f.Raw) != stream {
				t.Errorf("Raw = %q, want %q", f.Raw, stream)
			}
		}
		if p.Partial() {
			t.Errorf("%q: partial after its last byte", stream)
		}
	}
}

func TestFrameTooLarge(t *testing.T) {
	fits := "data: 0123\n\n" // 12 bytes
	tests := map[string]struct {
		stream string
		frames int
		large  bool
	}{
		"as large as allowed":       {fits + fits, 2, false},
		"one byte more":             {fits + "data: 01234\n\n" + fits, 1, true},
		"no end in sight":           {fits + strings.Repeat("x", 13), 1, true},
		"unfinished but not larger": {fits + strings.Repeat("x", 12), 1, false},
		"many short lines":          {strings.Repeat("x\n", 7), 0, true},
		"LF of the CRLF is one too": {fits + "data: 01\r\n\r\n" + "data: 012\r\n\r\n", 2, true},
		"a byte order mark is free": {"\uFEFF" + fits, 1, false},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			whole := parse(t, len(fits), []byte(tt.stream))
			if len(whole.Frames) != tt.frames || whole.TooLarge != tt.large {
				t.Errorf("%d frames, too large %v; want %d, %v", len(whole.Frames), whole.TooLarge, tt.frames, tt.large)
			}
			if tt.large && !whole.Partial {
				t.Error("a refused frame left no trace in Partial")
			}
			if diff := cmp.Diff(whole, parse(t, len(fits), bytewise(tt.stream)...)); diff != "" {
				t.Errorf("one byte at a time differs (-whole +bytewise):\n%s", diff)
			}
		})
	}
}

func TestTooLargeIsFinal(t *testing.T) {
	p := NewParser(4)
	for _, b := range []string{"12345", "\n\n", "", "\n"} {
		if err := p.Write([]byte(b)); !errors.Is(err, ErrFrameTooLarge) {
			t.Errorf("Write(%q) = %v, want ErrFrameTooLarge", b, err)
		}
		if f, ok := p.Next(); ok {
			t.Errorf("a frame after the refused one: %q", f.Raw)
		}
	}
}

func TestWriteBeforeDrainedIsRefused(t *testing.T) {
	p := NewParser(noLimit)
	if err := p.Write([]byte("data: a\n\n")); err != nil {
		t.Fatal(err)
	}
	if err := p.Write([]byte("data: b\n\n")); !errors.Is(err, errNotDrained) {
		t.Fatalf("Write = %v, want errNotDrained", err)
	}
	if f, ok := p.Next(); !ok || string(f.Data) != "a" {
		t.Errorf("Next = %q, %v; want the frame that was there", f.Data, ok)
	}
	if err := p.Write([]byte("data: c\n\n")); err != nil {
		t.Errorf("Write after draining: %v", err)
	}
}

func TestMemoryOfAHugeFrameIsReleased(t *testing.T) {
	p := NewParser(noLimit)
	huge := bytes.Repeat([]byte("data: x\n"), retainedBuffer)
	for _, b := range [][]byte{huge, []byte("\n"), []byte("data: a\n\n")} {
		if err := p.Write(b); err != nil {
			t.Fatal(err)
		}
		for _, ok := p.Next(); ok; _, ok = p.Next() {
		}
	}
	if kept := cap(p.buf) + cap(p.joined); kept > 2*retainedBuffer {
		t.Errorf("%d bytes kept after a huge frame, want at most %d", kept, 2*retainedBuffer)
	}
}
