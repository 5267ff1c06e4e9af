package engine_test

import (
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	goruntime "runtime"
	"strings"
	"testing"
	"time"

	"github.com/llmservice/llmservice/runtime/config/addresses"
	"github.com/llmservice/llmservice/runtime/config/egress"
	"github.com/llmservice/llmservice/runtime/pieces"
	"github.com/llmservice/llmservice/runtime/relay"
	"github.com/llmservice/llmservice/runtime/upstream"
)

const (
	// mostAllocations is how often the engine may allocate for a request with a small body and its whole answer: its head, its body,
	// its context, and what the policy of this test allocates itself.
	mostAllocations = 24
	// mostHeld is what a silent stream may hold, in bytes, with its goroutine's stack and both connections: the engine, the stream's
	// contract, and the call of the upstream. The far ends of the connections count, too, because they are this process. Stacks are
	// twice as large under the race detector.
	mostHeld, mostHeldRacing = 22 << 10, 36 << 10
)

const small = "POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"

// TestAllocationsOfAnExchange: both sides of the exchange are this process, but the client allocates nothing.
func TestAllocationsOfAnExchange(t *testing.T) {
	p := newPolicy(func(context.Context, *relay.Request) relay.Verdict {
		return relay.Verdict{Reply: status(http.StatusOK)}
	})
	p.outcomes = nil
	client := dialled(t, serve(t, engines["http1"], p, nil))
	request, answer := []byte(small), make([]byte, 512)
	n := testing.AllocsPerRun(500, func() {
		_, _ = client.Write(request)
		if n, err := client.Read(answer); err != nil || !bytes.HasSuffix(answer[:n], []byte("reply\n")) {
			t.Fatalf("%q, %v", answer[:n], err)
		}
	})
	if n > mostAllocations {
		t.Errorf("an exchange allocates %v times, want at most %d", n, mostAllocations)
	}
	t.Log(n)
}

// TestMemoryOfAHeldStream counts what is live while streams are silent.
func TestMemoryOfAHeldStream(t *testing.T) {
	const streams = 80 // of the places that the server has
	client := upstream.NewClient(addresses.Rules{}, egress.Proxy{}, upstream.Own)
	defer client.Close()
	url := "http://" + silent(t)
	p := newPolicy(func(context.Context, *relay.Request) relay.Verdict {
		return relay.Verdict{Stream: relayAll(client, func(_ context.Context, after relay.Failure) (*upstream.Attempt, relay.Failure) {
			return &upstream.Attempt{
				Call: &upstream.Call{Method: http.MethodPost, URL: url, Header: http.Header{}, Body: pieces.Text{[]byte("{}")}, Connect: patience},
				Tap:  letterTap{}, FirstToken: patience, Idle: patience,
			}, after
		})}
	})
	p.outcomes = nil
	at := serve(t, engines["http1"], p, nil)
	for range 16 { // so that what is made once is there
		hold(t, at)
	}
	before := live()
	for range streams {
		hold(t, at)
	}
	each := (live() - before) / streams
	most := mostHeld
	if racing {
		most = mostHeldRacing
	}
	if each > most {
		t.Errorf("a held stream takes %d bytes, want at most %d", each, most)
	}
	t.Log(each)
}

// live is the memory of what is in use, in bytes, stacks included.
func live() int {
	for range 3 { // pools are empty after the second, and stacks shrink
		goruntime.GC()
	}
	var m goruntime.MemStats
	goruntime.ReadMemStats(&m)
	return int(m.HeapAlloc + m.StackInuse)
}

func dialled(t *testing.T, url string) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	return conn
}

// hold opens a stream, and reads its first event.
func hold(t *testing.T, url string) {
	t.Helper()
	conn := dialled(t, url)
	_, _ = io.WriteString(conn, small)
	var got []byte
	for into := make([]byte, 512); !bytes.Contains(got, []byte("data: c\n\n")); {
		n, err := conn.Read(into)
		if got = append(got, into[:n]...); err != nil {
			t.Fatalf("%q, %v", got, err)
		}
	}
}

// silent answers each connection's first request with one event of a stream, and nothing more.
func silent(t *testing.T) (address string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	t.Cleanup(func() { _ = l.Close(); <-ended })
	go func() {
		defer close(ended)
		for into := make([]byte, 4<<10); ; {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			t.Cleanup(func() { _ = conn.Close() })
			_, _ = conn.Read(into)
			_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n9\r\ndata: c\n\n\r\n")
		}
	}()
	return l.Addr().String()
}
