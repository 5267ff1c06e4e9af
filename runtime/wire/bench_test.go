package wire

import (
	"fmt"
	"strings"
	"testing"
)

const chunkFrame = `data: {"id":"chatcmpl-1","object":"chat.completion.chunk","created":1,"model":"m",` +
	`"choices":[{"index":0,"delta":{"content":"token-17 "},"finish_reason":null}]}` + "\n\n"

// reads are the ways in which frames come in.
var reads = []struct {
	name   string
	chunks []string
}{
	{"FramePerRead", []string{chunkFrame}},
	{"ManyPerRead", []string{strings.Repeat(chunkFrame, 20)}},
	{"SplitInHalf", []string{chunkFrame[:80], chunkFrame[80:]}},
	{"CRLF", []string{crlf(chunkFrame)}},
	{"SplitInCRLF", []string{strings.TrimSuffix(crlf(chunkFrame), "\n"), "\n"}},
	{"MultiLineData", []string{"event: a\ndata: b\ndata: c\nid: 4\n\n"}},
	{"BytePerRead", strings.Split(chunkFrame, "")},
}

func crlf(s string) string { return strings.ReplaceAll(s, "\n", "\r\n") }

//nolint:thelper // Helper costs more than what is measured here.
func feed(tb testing.TB, p *Parser, chunks [][]byte) (frames int) {
	for _, c := range chunks {
		if err := p.Write(c); err != nil {
			tb.Fatal(err)
		}
		for _, ok := p.Next(); ok; _, ok = p.Next() {
			frames++
		}
	}
	return frames
}

func toBytes(chunks []string) [][]byte {
	out := make([][]byte, len(chunks))
	for i, c := range chunks {
		out[i] = []byte(c)
	}
	return out
}

func TestSteadyStateAllocatesNothing(t *testing.T) {
	for _, r := range reads {
		t.Run(r.name, func(t *testing.T) {
			p, in := NewParser(64<<10), toBytes(r.chunks)
			if n := feed(t, p, in); n == 0 { // grows the buffers to their size
				t.Fatal("no frame")
			}
			if n := testing.AllocsPerRun(100, func() { feed(t, p, in) }); n != 0 {
				t.Errorf("%v allocations per round, want none", n)
			}
		})
	}
}

func BenchmarkParser(b *testing.B) {
	for _, r := range reads {
		b.Run(r.name, func(b *testing.B) {
			p, in := NewParser(64<<10), toBytes(r.chunks)
			b.ReportAllocs()
			b.SetBytes(int64(len(strings.Join(r.chunks, ""))))
			frames := 0
			for b.Loop() {
				frames += feed(b, p, in)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(frames), "ns/frame")
		})
	}
}

// BenchmarkLongFrame shows that the cost per byte stays the same however long
// the frame gets: nothing is scanned or moved twice.
func BenchmarkLongFrame(b *testing.B) {
	for _, size := range []int{64 << 10, 1 << 20, 8 << 20} {
		for _, eol := range []string{"\n", "\r"} {
			b.Run(fmt.Sprintf("%dKiB/%q", size>>10, eol), func(b *testing.B) {
				line := []byte("data: " + strings.Repeat("x", 1000) + eol)
				b.SetBytes(int64(size))
				for b.Loop() {
					p := NewParser(size * 2)
					for range size / len(line) {
						feed(b, p, [][]byte{line})
					}
					if n := feed(b, p, [][]byte{[]byte(eol)}); n != 1 {
						b.Fatalf("%d frames, want 1", n)
					}
				}
			})
		}
	}
}

func BenchmarkAppendEvent(b *testing.B) {
	data := []byte(strings.TrimSuffix(strings.TrimPrefix(chunkFrame, "data: "), "\n\n"))
	var dst []byte
	b.ReportAllocs()
	for b.Loop() {
		dst = AppendEvent(dst[:0], "error", data)
	}
}
