package http1

import (
	"bufio"
	"context"
	"io"
	"net"
	"testing"

	"github.com/llmservice/llmservice/runtime/pieces"
)

// most is how much a call allocates: the answer, and what a context keeps of those that watch it.
const most = 5

func TestAllocations(t *testing.T) {
	p := newPool()
	defer p.Close()
	c := dial(t, p, echoing(t))
	c.home(c)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	r := &Request{Method: "POST", Host: "h", Target: "/", Body: pieces.Text{[]byte("{}")}}
	into := make([]byte, 100)
	call := func() {
		a, err := p.Get("").Exchange(ctx, r)
		if err != nil {
			t.Fatal(err)
		}
		for err == nil {
			_, err = a.Read(into)
		}
		_ = a.Close()
	}
	if n := testing.AllocsPerRun(200, call); n > most {
		t.Errorf("a call allocates %v times, want at most %d", n, most)
	}
}

// TestAllocationsOfAStream: reading costs none.
func TestAllocationsOfAStream(t *testing.T) {
	chunk := make(chan struct{})
	c := dial(t, newPool(), server(t, func(c net.Conn, requests *bufio.Reader) {
		next(requests)
		_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
		piece := []byte("d\r\ndata: hello\n\n\r\n")
		for range chunk {
			_, _ = c.Write(piece)
		}
	}))
	a, err := c.Exchange(t.Context(), get())
	if err != nil {
		t.Fatal(err)
	}
	into := make([]byte, 100)
	n := testing.AllocsPerRun(200, func() {
		chunk <- struct{}{}
		if n, err := a.Read(into); n != 13 || err != nil {
			t.Errorf("%d, %v", n, err)
		}
	})
	close(chunk)
	_ = a.Close()
	if n > 0 {
		t.Errorf("reading a chunk allocates %v times", n)
	}
}

// echoing answers each request with one write, and allocates nothing itself.
func echoing(t testing.TB) string {
	t.Helper()
	return server(t, func(c net.Conn, requests *bufio.Reader) {
		answer := []byte("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\nok")
		for {
			line, err := requests.ReadSlice('\n')
			switch {
			case err != nil:
				return
			case len(line) == 2:
				_, _ = requests.Discard(2)
				_, _ = c.Write(answer)
			}
		}
	})
}
