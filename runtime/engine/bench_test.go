package engine_test

import (
	"context"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/llmservice/llmservice/runtime/relay"
	"github.com/llmservice/llmservice/runtime/upstream"
)

// eventByEvent is a body that gives one event for each read.
type eventByEvent struct{ left int }

func (b *eventByEvent) Read(p []byte) (int, error) {
	b.left--
	switch {
	case b.left < 0:
		return 0, io.EOF
	case b.left == 0:
		return copy(p, "data: d\n\n"), nil
	}
	return copy(p, "data: c\n\n"), nil
}

func (b *eventByEvent) Close() error { return nil }

// BenchmarkRelay is a stream of 1000 events, over loopback, client included.
func BenchmarkRelay(b *testing.B) { benchEach(b, benchRelay) }

func benchRelay(b *testing.B, e made) {
	b.Helper()
	model := doFunc(func() *upstream.Answer {
		return &upstream.Answer{
			Status: 200, Header: http.Header{"Content-Type": {"text/event-stream"}}, Body: &eventByEvent{left: 1000},
		}
	})
	p := newPolicy(func(context.Context, *relay.Request) relay.Verdict {
		return relay.Verdict{Stream: relayOf(letterTap{}, model)}
	})
	ask(b, e, p, 9000)
}

type doFunc func() *upstream.Answer

func (f doFunc) Do(context.Context, *upstream.Call) (*upstream.Answer, error) { return f(), nil }

// BenchmarkReply is a request with a small body and its whole answer, over loopback, client included.
func BenchmarkReply(b *testing.B) { benchEach(b, benchReply) }

func benchReply(b *testing.B, e made) {
	b.Helper()
	p := newPolicy(func(context.Context, *relay.Request) relay.Verdict {
		return relay.Verdict{Reply: status(http.StatusOK)}
	})
	ask(b, e, p, int64(len("reply\n")))
}

// ask makes one request after another, each of which is answered with so many bytes.
func ask(b *testing.B, e made, p *fakePolicy, bytes int64) {
	b.Helper()
	url := serve(b, e, p, nil)
	c := client(b)
	b.ReportAllocs()
	for b.Loop() {
		resp, err := c.Post(url, "", strings.NewReader("x"))
		if err != nil {
			b.Fatal(err)
		}
		if n, err := io.Copy(io.Discard, resp.Body); err != nil || n != bytes {
			b.Fatalf("%d bytes, %v", n, err)
		}
		_ = resp.Body.Close()
		<-p.outcomes
	}
}

func benchEach(b *testing.B, bench func(b *testing.B, e made)) {
	b.Helper()
	for name, e := range engines {
		b.Run(name, func(b *testing.B) { bench(b, e) })
	}
}
