package engine_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/llmservice/llmservice/runtime/engine/nethttp"
	"github.com/llmservice/llmservice/runtime/relay"
	"github.com/llmservice/llmservice/runtime/upstream"
	"github.com/llmservice/llmservice/runtime/wire"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const patience = 20 * time.Second

// fakePolicy decides by a function and remembers outcomes.
type fakePolicy struct {
	relay.Memory

	decide   func(context.Context, *relay.Request) relay.Verdict
	outcomes chan relay.Outcome // nil if nobody reads them
	panics   chan any           // likewise
}

func newPolicy(decide func(context.Context, *relay.Request) relay.Verdict) *fakePolicy {
	return &fakePolicy{Memory: relay.Unlimited, decide: decide, outcomes: make(chan relay.Outcome, 128), panics: make(chan any, 128)}
}

func status(code int) *relay.Reply { return &relay.Reply{Status: code, Body: []byte("reply\n")} }

func (p *fakePolicy) Begin(h *relay.Head) relay.Exchange {
	return &fakeExchange{fakePolicy: p, head: h}
}

// fakeExchange implements relay.Exchange.
type fakeExchange struct {
	*fakePolicy

	head *relay.Head
}

func (p *fakePolicy) Patience() time.Duration { return 0 }

func (x *fakeExchange) Admit(context.Context) *relay.Reply {
	switch x.head.Path {
	case "/full":
		return status(429)
	case "/panic":
		panic("admit")
	}
	return nil
}

func (p *fakePolicy) BodyLimit() int64 { return 1 << 10 }

func (p *fakePolicy) Release() {}

func (p *fakePolicy) Decide(ctx context.Context, r *relay.Request) relay.Verdict {
	return p.decide(ctx, r)
}

func (p *fakePolicy) Within(ctx context.Context) context.Context { return ctx }

func (p *fakePolicy) Done(o relay.Outcome) {
	if p.outcomes != nil {
		p.outcomes <- o
	}
}

func (p *fakePolicy) Refuse(r relay.Refusal) *relay.Reply {
	return status(map[relay.Refusal]int{relay.BodyTooLarge: 413, relay.BodyUnreadable: 408}[r])
}

func (p *fakePolicy) Panicked(_ relay.Exchange, value any) *relay.Reply {
	if p.panics != nil {
		p.panics <- value
	}
	return status(500)
}

func (p *fakePolicy) outcome(t *testing.T) relay.Outcome {
	t.Helper()
	select {
	case o := <-p.outcomes:
		return o
	case <-time.After(patience):
		t.Fatal("no outcome")
		return relay.Outcome{}
	}
}

// upstreamFunc is an upstream.Doer whose answer's body is written by a function.
type upstreamFunc func(ctx context.Context, w io.Writer) error

func (f upstreamFunc) Do(ctx context.Context, _ *upstream.Call) (*upstream.Answer, error) {
	r, w := io.Pipe()
	stop := context.AfterFunc(ctx, func() { _ = r.CloseWithError(ctx.Err()) })
	go func() {
		defer stop()
		_ = w.CloseWithError(f(ctx, w))
	}()
	return &upstream.Answer{Status: 200, Header: http.Header{"Content-Type": {"text/event-stream; charset=utf-8"}}, Body: r}, nil
}

// letterTap reads frames of one letter: p, c, d and b for the four kinds.
type letterTap struct{ explode bool }

func (t letterTap) Frame(dst []byte, f *wire.Frame) ([]byte, relay.EventKind) {
	switch f.Data[0] {
	case 'p':
		return append(dst, f.Raw...), relay.Preamble
	case 'c':
		if t.explode {
			panic("tap")
		}
		return append(dst, f.Raw...), relay.Content
	case 'd':
		return append(dst, f.Raw...), relay.Done
	default:
		return dst, relay.Broken
	}
}

func (letterTap) Failure() relay.Failure { return relay.Failure{Kind: relay.FailedEvent} }

// relayOf relays one attempt of the client.
func relayOf(tap upstream.FrameTap, c upstream.Doer) *relay.Stream {
	var once sync.Once
	return relayAll(c, func(_ context.Context, after relay.Failure) (a *upstream.Attempt, final relay.Failure) {
		final = after
		once.Do(func() {
			a = &upstream.Attempt{Call: &upstream.Call{}, Tap: tap, FirstToken: patience, Idle: patience}
		})
		return a, final
	})
}

// relayAll relays attempts of the client.
func relayAll(c upstream.Doer, next upstream.Next) *relay.Stream {
	return &relay.Stream{
		Run: func(ctx context.Context, out relay.Sink) error {
			return upstream.Stream(ctx, c, next, out, nil)
		},
		Refuse:      func(error) *relay.Reply { return status(502) },
		Abort:       func(err error) []byte { return []byte("data: abort " + string(relay.FailureKindOf(err)) + "\n\n") },
		Timeout:     patience,
		MaxDuration: patience,
	}
}

func many() int { return 100 }

func serve(t testing.TB, e made, p relay.Policy, change func(*nethttp.Options)) string {
	t.Helper()
	o := nethttp.Options{
		Logger: slog.New(slog.DiscardHandler), AcceptLoops: 2, Connections: many,
		BodyTimeout: patience, WriteTimeout: patience, ReplyTimeout: patience, DrainTimeout: time.Second,
	}
	if change != nil {
		change(&o)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	ended := make(chan error, 1)
	go func() { ended <- e(o).Serve(ctx, l, p) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("serve: %v", err)
		}
	})
	return "http://" + l.Addr().String()
}

func client(t testing.TB) *http.Client {
	t.Helper()
	c := &http.Client{Transport: &http.Transport{}, Timeout: patience}
	t.Cleanup(c.CloseIdleConnections)
	return c
}

func body(t *testing.T, resp *http.Response, err error) string {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatalf("cut: %v (after %q)", err, b)
	}
	return string(b)
}

func TestStreamOutcomes(t *testing.T) { onEach(t, testStreamOutcomes) }

func testStreamOutcomes(t *testing.T, e made) {
	t.Helper()
	for _, tt := range []struct {
		name, upstream, want string
		status               int
		result               relay.Result
		failure              relay.FailureKind
	}{
		{name: "done", upstream: "data: p\n\ndata: c\n\ndata: d\n\n", want: "data: p\n\ndata: c\n\ndata: d\n\n", status: 200, result: relay.StreamDone},
		{name: "done without content", upstream: "data: p\n\ndata: d\n\n", want: "data: p\n\ndata: d\n\n", status: 200, result: relay.StreamDone},
		{name: "more after done", upstream: "data: c\n\ndata: d\n\ndata: c\n\n", want: "data: c\n\ndata: d\n\n", status: 200, result: relay.StreamDone},
		{name: "broken at once", upstream: "data: p\n\ndata: b\n\n", want: "reply\n", status: 502, result: relay.StreamFailed, failure: relay.FailedEvent},
		{name: "broken after content in one read", upstream: "data: c\n\ndata: b\n\n", want: "data: c\n\ndata: abort error_event\n\n", status: 200, result: relay.StreamFailed, failure: relay.FailedEvent},
		{name: "cut within a frame", upstream: "data: c\n\ndata: c", want: "data: c\n\ndata: abort truncated\n\n", status: 200, result: relay.StreamFailed, failure: relay.FailedTruncated},
		{name: "nothing", upstream: "", want: "reply\n", status: 502, result: relay.StreamFailed, failure: relay.FailedTruncated},
		{
			name: "a preamble without end", upstream: strings.Repeat("data: p\n\n", 256<<10/9+10), want: "reply\n",
			status: 502, result: relay.StreamFailed, failure: relay.FailedTooLarge,
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := upstreamFunc(func(_ context.Context, w io.Writer) error { _, err := io.WriteString(w, tt.upstream); return err })
			p := newPolicy(func(context.Context, *relay.Request) relay.Verdict {
				return relay.Verdict{Stream: relayOf(letterTap{}, c)}
			})
			url := serve(t, e, p, nil)
			resp, err := client(t).Post(url, "", strings.NewReader("x"))
			if got := body(t, resp, err); got != tt.want || resp.StatusCode != tt.status {
				t.Errorf("%d %q, want %d %q", resp.StatusCode, got, tt.status, tt.want)
			}
			if o := p.outcome(t); o.Result != tt.result || relay.FailureKindOf(o.Err) != tt.failure || o.Status != tt.status {
				t.Errorf("outcome %+v, want %s %s %d", o, tt.result, tt.failure, tt.status)
			}
		})
	}
}

// A panic ends one request and nothing else: before the answer by a 500, within a stream by its error event.
func TestPanics(t *testing.T) { onEach(t, testPanics) }

func testPanics(t *testing.T, e made) {
	t.Helper()
	explode := true
	model := upstreamFunc(func(_ context.Context, w io.Writer) error {
		_, err := io.WriteString(w, "data: c\n\n")
		return err
	})
	p := newPolicy(func(_ context.Context, r *relay.Request) relay.Verdict {
		switch r.Path {
		case "/decide":
			panic("decide")
		case "/produce":
			return relay.Verdict{Produce: func(context.Context) *relay.Reply { panic("produce") }}
		case "/stream":
			return relay.Verdict{Stream: relayOf(letterTap{explode: explode}, model)}
		}
		return relay.Verdict{Reply: status(200)}
	})
	url := serve(t, e, p, nil)
	c := client(t)
	for _, path := range []string{"/decide", "/produce", "/stream"} {
		resp, err := c.Post(url+path, "", nil)
		if got := body(t, resp, err); resp.StatusCode != 500 || got != "reply\n" {
			t.Errorf("%s: %d %q", path, resp.StatusCode, got)
		}
		<-p.panics
	}
	resp, err := c.Post(url+"/fine", "", nil)
	if body(t, resp, err); resp.StatusCode != 200 {
		t.Errorf("after the panics: %d", resp.StatusCode)
	}
}

func TestAPanicWithinAStreamIsAnErrorEvent(t *testing.T) {
	onEach(t, testAPanicWithinAStreamIsAnErrorEvent)
}

func testAPanicWithinAStreamIsAnErrorEvent(t *testing.T, e made) {
	t.Helper()
	tap := &laterTap{}
	sent := make(chan struct{})
	model := upstreamFunc(func(_ context.Context, w io.Writer) error {
		_, _ = io.WriteString(w, "data: c\n\n")
		<-sent
		_, err := io.WriteString(w, "data: c\n\n")
		return err
	})
	p := newPolicy(func(context.Context, *relay.Request) relay.Verdict { return relay.Verdict{Stream: relayOf(tap, model)} })
	url := serve(t, e, p, nil)
	resp, err := client(t).Post(url, "", nil)
	if err != nil {
		t.Fatal(err)
	}
	first, err := bufio.NewReader(io.TeeReader(resp.Body, io.Discard)).ReadString('\n')
	if err != nil || first != "data: c\n" {
		t.Fatalf("first line %q, %v", first, err)
	}
	close(sent)
	if rest := body(t, resp, nil); !strings.Contains(rest, "abort panic") {
		t.Errorf("the rest is %q", rest)
	}
	if o := p.outcome(t); o.Result != relay.StreamFailed || relay.FailureKindOf(o.Err) != relay.FailedPanic {
		t.Errorf("outcome %+v", o)
	}
}

type laterTap struct {
	letterTap

	frames int
}

func (t *laterTap) Frame(dst []byte, f *wire.Frame) ([]byte, relay.EventKind) {
	if t.frames++; t.frames > 1 {
		panic("later")
	}
	return append(dst, f.Raw...), relay.Content
}

func TestBodies(t *testing.T) { onEach(t, testBodies) }

func testBodies(t *testing.T, e made) {
	t.Helper()
	p := newPolicy(func(_ context.Context, r *relay.Request) relay.Verdict {
		return relay.Verdict{Reply: &relay.Reply{Status: 200, Body: fmt.Appendf(nil, "%d", len(r.Body))}}
	})
	url := serve(t, e, p, nil)
	c := client(t)
	for name, tt := range map[string]struct {
		body   io.Reader
		status int
		want   string
	}{
		"none":                  {nil, 200, "0"},
		"at the limit":          {strings.NewReader(strings.Repeat("x", 1<<10)), 200, "1024"},
		"above":                 {strings.NewReader(strings.Repeat("x", 1<<10+1)), 413, "reply\n"},
		"above, in chunks":      {io.MultiReader(strings.NewReader(strings.Repeat("x", 1<<11))), 413, "reply\n"},
		"in chunks, as allowed": {io.MultiReader(strings.NewReader("abc")), 200, "3"},
	} {
		resp, err := c.Post(url, "", tt.body)
		if got := body(t, resp, err); resp.StatusCode != tt.status || got != tt.want {
			t.Errorf("%s: %d %q, want %d %q", name, resp.StatusCode, got, tt.status, tt.want)
		}
	}
	resp, err := c.Post(url+"/full", "", strings.NewReader("x"))
	if body(t, resp, err); resp.StatusCode != 429 {
		t.Errorf("full: %d", resp.StatusCode)
	}
}

func TestABodyThatDoesNotArrive(t *testing.T) { onEach(t, testABodyThatDoesNotArrive) }

func testABodyThatDoesNotArrive(t *testing.T, e made) {
	t.Helper()
	p := newPolicy(func(context.Context, *relay.Request) relay.Verdict { return relay.Verdict{Reply: status(200)} })
	url := serve(t, e, p, func(o *nethttp.Options) { o.BodyTimeout = 50 * time.Millisecond })
	resp := raw(t, url, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nabc")
	if body(t, resp, nil); resp.StatusCode != 408 || !resp.Close {
		t.Errorf("status %d, close %v", resp.StatusCode, resp.Close)
	}
}

// A client that reads nothing is left once a write has taken too long, and its upstream is cancelled.
func TestStalledReadersAreLeft(t *testing.T) { onEach(t, testStalledReadersAreLeft) }

func testStalledReadersAreLeft(t *testing.T, e made) {
	t.Helper()
	cancelled := make(chan struct{})
	model := upstreamFunc(func(_ context.Context, w io.Writer) error {
		defer close(cancelled)
		event := []byte("data: c" + strings.Repeat("x", 64<<10) + "\n\n")
		for {
			if _, err := w.Write(event); err != nil {
				return err
			}
		}
	})
	p := newPolicy(func(context.Context, *relay.Request) relay.Verdict {
		return relay.Verdict{Stream: relayOf(letterTap{}, model)}
	})
	url := serve(t, e, p, func(o *nethttp.Options) { o.WriteTimeout = 100 * time.Millisecond })
	postUnread(t, url)
	if o := p.outcome(t); o.Result != relay.ClientLeft || relay.FailureKindOf(o.Err) != relay.FailedClient {
		t.Errorf("outcome %+v", o)
	}
	<-cancelled
}

func TestServeFailsWithItsListener(t *testing.T) { onEach(t, testServeFailsWithItsListener) }

func testServeFailsWithItsListener(t *testing.T, e made) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = l.Close()
	err = e(nethttp.Options{AcceptLoops: 1, Connections: many, Logger: slog.New(slog.DiscardHandler)}).Serve(t.Context(), l, newPolicy(nil))
	if !errors.Is(err, net.ErrClosed) {
		t.Errorf("error %v, want net.ErrClosed", err)
	}
}

func TestDrainDeadline(t *testing.T) { onEach(t, testDrainDeadline) }

func testDrainDeadline(t *testing.T, e made) {
	t.Helper()
	model := upstreamFunc(func(ctx context.Context, w io.Writer) error {
		_, _ = io.WriteString(w, "data: c\n\n")
		<-ctx.Done()
		return ctx.Err()
	})
	for name, tt := range map[string]struct {
		verdict relay.Verdict
		want    string
	}{
		"relayed":                 {relay.Verdict{Stream: relayOf(letterTap{}, model)}, "data: c\n\ndata: abort draining\n\n"},
		"produced":                {relay.Verdict{Stream: waiting(relay.Content)}, "data: x\n\ndata: abort draining\n\n"},
		"produced, with progress": {relay.Verdict{Stream: waiting(relay.Preamble)}, "data: x\n\ndata: abort draining\n\n"},
	} {
		t.Run(name, func(t *testing.T) { drainDeadline(t, e, tt.verdict, tt.want) })
	}
}

func drainDeadline(t *testing.T, e made, verdict relay.Verdict, want string) {
	t.Helper()
	p := newPolicy(func(context.Context, *relay.Request) relay.Verdict { return verdict })
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, drain := context.WithCancel(context.WithoutCancel(t.Context()))
	ended := make(chan error, 1)
	engine := e(nethttp.Options{
		Logger: slog.New(slog.DiscardHandler), AcceptLoops: 1, Connections: many, BodyTimeout: patience, WriteTimeout: patience,
		ReplyTimeout: patience,
		DrainTimeout: 50 * time.Millisecond,
	})
	go func() { ended <- engine.Serve(ctx, l, p) }()
	resp, err := client(t).Post("http://"+l.Addr().String(), "", nil)
	if err != nil {
		t.Fatal(err)
	}
	drain()
	if got := body(t, resp, nil); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

// postUnread makes a request and reads nothing of its answer.
func postUnread(t *testing.T, url string) {
	t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	if _, err := io.WriteString(conn, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
}
