package wire

import (
	"bytes"
	"strings"
	"testing"
)

func TestRestIsTheFrameThatWasCutOff(t *testing.T) {
	for in, want := range map[string]string{
		"data: a\n\ndata: b":           "data: b\n\n",
		"data: a\n\ndata: b\n":         "data: b\n\n",
		"data: a\n\ndata: b\r\n":       "data: b\r\n\n",
		"\xEF\xBB\xBFdata: b":          "data: b\n\n",
		": c\nevent: e\ndata: b\ndata": ": c\nevent: e\ndata: b\ndata\n\n",
		"data: a\n\n":                  "",
		"data: a\r\r":                  "",
		"":                             "",
	} {
		for i, size := range []int{1, 3, 1000, 1, 3, 1000} {
			p := spilling(100, []int{usualFrame, 2}[i/3])
			for rest := []byte(in); len(rest) > 0; rest = rest[min(size, len(rest)):] {
				if err := p.Write(rest[:min(size, len(rest))]); err != nil {
					t.Fatal(err)
				}
				for _, ok := p.Next(); ok; _, ok = p.Next() {
				}
			}
			if _, some := p.Rest(); some {
				t.Errorf("%q: a rest before the end", in)
			}
			p.Finish()
			for _, ok := p.Next(); ok; _, ok = p.Next() {
			}
			f, some := p.Rest()
			if string(f.Raw) != want || some != (want != "") {
				t.Errorf("%q by %d: %q, want %q", in, size, f.Raw, want)
			}
			if some && !bytes.HasPrefix(f.Data, []byte("b")) {
				t.Errorf("%q: data %q", in, f.Data)
			}
		}
	}
	p := NewParser(4)
	if err := p.Write([]byte("data: too long")); err == nil {
		t.Fatal("no error")
	}
	p.Finish()
	if _, some := p.Rest(); some {
		t.Error("a frame that is too large has a rest")
	}
}

// TestInRaw: each byte of the data stands where the frame says.
func TestInRaw(t *testing.T) {
	for _, in := range []string{
		"data: abc\n\n", "id: abc\ndata:abc\nretry: 1\n\n", ": abc\r\ndata:  a\r\ndata\r\nevent: abc\r\ndata: b\r\n\r\n", "data:a\rdata: b\r\r", "data: a\ndata:\ndata: c\n\n",
	} {
		p := NewParser(100)
		if err := p.Write([]byte(in)); err != nil {
			t.Fatal(err)
		}
		p.Finish()
		f, ok := p.Next()
		if !ok {
			t.Fatalf("%q: no frame", in)
		}
		last := -1
		for i, c := range f.Data {
			at := f.InRaw(i)
			if got := f.Raw[at]; at <= last || got != c && (c != '\n' || got != '\r') {
				t.Errorf("%q: byte %d (%q) is said to stand at %d (%q)", in, i, c, at, got)
			}
			last = at
		}
		if f.InRaw(len(f.Data)+9) != len(f.Raw) {
			t.Errorf("%q: a byte beyond the data", in)
		}
	}
}

// TestMemoryFollowsWhatArrives: a parser that takes large frames holds no more than it has been sent, and lets go of it.
func TestMemoryFollowsWhatArrives(t *testing.T) {
	const most = 4 << 20
	p := NewParser(most)
	line := []byte("data: " + strings.Repeat("x", 16<<10-7) + "\n")
	for sent := len(line); sent < most; sent += len(line) {
		feed(t, p, [][]byte{line})
		if held := p.Buffered(); held > 2*sent+retainedBuffer {
			t.Fatalf("%d bytes are held of %d", held, sent)
		}
	}
	if n := feed(t, p, [][]byte{[]byte("\n")}); n != 1 {
		t.Fatalf("%d frames", n)
	}
	if held := p.Buffered(); held < most/2 || held > 4*most {
		t.Errorf("%d bytes are held of a frame of %d", held, most)
	}
	feed(t, p, [][]byte{[]byte("data: a\n\n")})
	if held := p.Buffered(); held > 2*retainedBuffer {
		t.Errorf("%d bytes are held of nothing", held)
	}
	if err := p.Write(bytes.Repeat(line, most/len(line)+1)); err == nil || !strings.Contains(err.Error(), "frame 3 has over 4194304 bytes") {
		t.Errorf("%v", err)
	}
}
