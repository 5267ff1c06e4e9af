package engine_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/llmservice/llmservice/runtime/engine/nethttp"
	"github.com/llmservice/llmservice/runtime/relay"
)

// produced is a stream of the function's events.
func produced(run func(ctx context.Context, out relay.Sink) error) *relay.Stream {
	return &relay.Stream{
		Run:         run,
		Refuse:      func(error) *relay.Reply { return status(502) },
		Abort:       func(err error) []byte { return []byte("data: abort " + string(relay.FailureKindOf(err)) + "\n\n") },
		Timeout:     patience,
		MaxDuration: patience,
	}
}

func TestProducedStreams(t *testing.T) { onEach(t, testProducedStreams) }

func testProducedStreams(t *testing.T, e made) {
	t.Helper()
	broke := relay.Failure{Kind: relay.FailedEvent}
	for _, tt := range []struct {
		name    string
		run     func(ctx context.Context, out relay.Sink) error
		want    string
		status  int
		result  relay.Result
		failure relay.FailureKind
		content bool
	}{
		{
			name: "progress, content, done", want: "data: p\n\ndata: c\n\ndata: d\n\n", status: 200, result: relay.StreamDone, content: true,
			run: func(_ context.Context, out relay.Sink) error {
				return errors.Join(
					out.Send([]byte("data: p\n\n"), relay.Preamble), out.Send([]byte("data: c\n\n"), relay.Content),
					out.Send([]byte("data: d\n\n"), relay.Done),
				)
			},
		},
		{
			name: "nothing but an end", status: 200, result: relay.StreamDone, content: true,
			run: func(_ context.Context, out relay.Sink) error {
				return out.Send(nil, relay.Done)
			},
		},
		{
			name: "failed at once", want: "reply\n", status: 502, result: relay.StreamFailed, failure: relay.FailedEvent,
			run: func(context.Context, relay.Sink) error { return broke },
		},
		{
			name: "failed after progress", want: "data: p\n\ndata: abort error_event\n\n", status: 200, result: relay.StreamFailed, failure: relay.FailedEvent,
			run: func(_ context.Context, out relay.Sink) error {
				_ = out.Send([]byte("data: p\n\n"), relay.Preamble)
				return broke
			},
		},
		{
			name: "failed after its end", want: "data: d\n\n", status: 200, result: relay.StreamDone, failure: relay.FailedEvent, content: true,
			run: func(_ context.Context, out relay.Sink) error {
				_ = out.Send([]byte("data: d\n\n"), relay.Done)
				return broke
			},
		},
		{
			name: "nothing follows the end", want: "data: d\n\n", status: 200, result: relay.StreamDone, failure: relay.FailedPanic, content: true,
			run: func(_ context.Context, out relay.Sink) error {
				_ = out.Send([]byte("data: d\n\n"), relay.Done)
				return out.Send([]byte("data: c\n\n"), relay.Content)
			},
		},
		{
			name: "left without its last event", want: "data: c\n\ndata: abort panic\n\n", status: 200, result: relay.StreamFailed, failure: relay.FailedPanic, content: true,
			run: func(_ context.Context, out relay.Sink) error {
				return out.Send([]byte("data: c\n\n"), relay.Content)
			},
		},
		{
			name: "left without anything", want: "reply\n", status: 502, result: relay.StreamFailed, failure: relay.FailedPanic,
			run: func(context.Context, relay.Sink) error { return nil },
		},
		{
			name: "a reply in its place", want: "reply\n", status: 418, result: relay.Replied,
			run: func(_ context.Context, out relay.Sink) error { return out.Reply(status(418)) },
		},
		{
			name: "nothing follows a reply", want: "reply\n", status: 418, result: relay.Replied, failure: relay.FailedPanic,
			run: func(_ context.Context, out relay.Sink) error {
				_ = out.Reply(status(418))
				return out.Send([]byte("data: c\n\n"), relay.Content)
			},
		},
		{
			name: "too late for a reply", want: "data: p\n\ndata: abort panic\n\n", status: 200, result: relay.StreamFailed, failure: relay.FailedPanic,
			run: func(_ context.Context, out relay.Sink) error {
				_ = out.Send([]byte("data: p\n\n"), relay.Preamble)
				return out.Reply(status(418))
			},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := newPolicy(func(context.Context, *relay.Request) relay.Verdict { return relay.Verdict{Stream: produced(tt.run)} })
			resp, err := client(t).Post(serve(t, e, p, nil), "", strings.NewReader("x"))
			if got := body(t, resp, err); got != tt.want || resp.StatusCode != tt.status {
				t.Errorf("%d %q, want %d %q", resp.StatusCode, got, tt.status, tt.want)
			}
			o := p.outcome(t)
			if o.Result != tt.result || relay.FailureKindOf(o.Err) != tt.failure || o.Status != tt.status || (o.FirstContent > 0) != tt.content {
				t.Errorf("outcome %+v, want %s %s %d, content %v", o, tt.result, tt.failure, tt.status, tt.content)
			}
		})
	}
}

// Steps that run together send together, and no event stands within another.
func TestConcurrentSendersDoNotMix(t *testing.T) { onEach(t, testConcurrentSendersDoNotMix) }

func testConcurrentSendersDoNotMix(t *testing.T, e made) {
	t.Helper()
	const senders, each = 8, 50
	p := newPolicy(func(context.Context, *relay.Request) relay.Verdict {
		return relay.Verdict{Stream: produced(func(_ context.Context, out relay.Sink) error {
			var all sync.WaitGroup
			for i := range senders {
				all.Go(func() {
					for range each {
						_ = out.Send(fmt.Appendf(nil, "data: %s\n\n", strings.Repeat(string(rune('a'+i)), 1000)), relay.Content)
					}
				})
			}
			all.Wait()
			return out.Send([]byte("data: d\n\n"), relay.Done)
		})}
	})
	resp, err := client(t).Post(serve(t, e, p, nil), "", nil)
	events := strings.Split(strings.TrimSuffix(body(t, resp, err), "\n\n"), "\n\n")
	if len(events) != senders*each+1 {
		t.Fatalf("%d events, want %d", len(events), senders*each+1)
	}
	for _, event := range events[:senders*each] {
		if event != "data: "+strings.Repeat(event[6:7], 1000) {
			t.Errorf("mixed: %s", event)
		}
	}
}

func TestPanicsOfProducedStreams(t *testing.T) { onEach(t, testPanicsOfProducedStreams) }

func testPanicsOfProducedStreams(t *testing.T, e made) {
	t.Helper()
	sends := map[string]relay.EventKind{"/progress": relay.Preamble, "/content": relay.Content, "/done": relay.Done}
	p := newPolicy(func(_ context.Context, r *relay.Request) relay.Verdict {
		return relay.Verdict{Stream: produced(func(_ context.Context, out relay.Sink) error {
			if kind, ok := sends[r.Path]; ok {
				_ = out.Send([]byte("data: x\n\n"), kind)
			}
			panic("run")
		})}
	})
	url := serve(t, e, p, nil)
	for path, want := range map[string]string{
		"/nothing": "reply\n", "/progress": "data: x\n\ndata: abort panic\n\n",
		"/content": "data: x\n\ndata: abort panic\n\n", "/done": "data: x\n\n",
	} {
		resp, err := client(t).Post(url+path, "", nil)
		if got := body(t, resp, err); got != want || (resp.StatusCode == 500) != (path == "/nothing") {
			t.Errorf("%s: %d %q, want %q", path, resp.StatusCode, got, want)
		}
		<-p.panics
		if o := p.outcome(t); o.Result != relay.StreamFailed || relay.FailureKindOf(o.Err) != relay.FailedPanic {
			t.Errorf("%s: outcome %+v", path, o)
		}
	}
}

// waiting sends once and then waits for its context.
func waiting(kind relay.EventKind) *relay.Stream {
	return produced(func(ctx context.Context, out relay.Sink) error {
		if err := out.Send([]byte("data: x\n\n"), kind); err != nil {
			return err
		}
		<-ctx.Done()
		return relay.FailureOf(ctx, ctx.Err(), relay.FailedEvent)
	})
}

// Progress does not end the wait for content, content does; nothing extends the longest duration.
func TestTimeoutsOfProducedStreams(t *testing.T) { onEach(t, testTimeoutsOfProducedStreams) }

func testTimeoutsOfProducedStreams(t *testing.T, e made) {
	t.Helper()
	const short = 50 * time.Millisecond
	for name, tt := range map[string]struct {
		kind           relay.EventKind
		timeout, whole time.Duration
		want           relay.FailureKind
	}{
		"progress":                 {relay.Preamble, short, patience, relay.FailedTimeout},
		"content":                  {relay.Content, short, 4 * short, relay.FailedDuration},
		"a longest duration first": {relay.Preamble, patience, short, relay.FailedDuration},
	} {
		p := newPolicy(func(context.Context, *relay.Request) relay.Verdict {
			stream := waiting(tt.kind)
			stream.Timeout, stream.MaxDuration = tt.timeout, tt.whole
			return relay.Verdict{Stream: stream}
		})
		resp, err := client(t).Post(serve(t, e, p, nil), "", nil)
		if got, want := body(t, resp, err), "data: x\n\ndata: abort "+string(tt.want)+"\n\n"; got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
		if o := p.outcome(t); o.Result != relay.StreamFailed || relay.FailureKindOf(o.Err) != tt.want {
			t.Errorf("%s: outcome %+v", name, o)
		}
	}
}

// Content that comes when the time is up is not sent, even where its sender has not heard of it.
func TestLateContentIsNotSent(t *testing.T) { onEach(t, testLateContentIsNotSent) }

func testLateContentIsNotSent(t *testing.T, e made) {
	t.Helper()
	for name, send := range map[string]func(out relay.Sink) error{
		"an event": func(out relay.Sink) error { return out.Send([]byte("data: c\n\n"), relay.Content) },
		"a reply":  func(out relay.Sink) error { return out.Reply(status(200)) },
	} {
		p := newPolicy(func(context.Context, *relay.Request) relay.Verdict {
			stream := produced(func(ctx context.Context, out relay.Sink) error {
				<-ctx.Done()
				if f, ok := errors.AsType[relay.Failure](send(out)); !ok || f.Kind != relay.FailedTimeout {
					t.Errorf("%s: %v", name, f)
				}
				return nil
			})
			stream.Timeout = time.Millisecond
			return relay.Verdict{Stream: stream}
		})
		resp, err := client(t).Post(serve(t, e, p, nil), "", nil)
		if got := body(t, resp, err); got != "reply\n" || resp.StatusCode != 502 {
			t.Errorf("%s: %d %q", name, resp.StatusCode, got)
		}
		if o := p.outcome(t); relay.FailureKindOf(o.Err) != relay.FailedTimeout {
			t.Errorf("%s: outcome %+v", name, o)
		}
	}
}

// A client that goes ends the stream's context, whatever was sent; one that reads nothing is left.
func TestClientsOfProducedStreamsLeave(t *testing.T) { onEach(t, testClientsOfProducedStreamsLeave) }

func testClientsOfProducedStreamsLeave(t *testing.T, e made) {
	t.Helper()
	for name, kind := range map[string]relay.EventKind{"after progress": relay.Preamble, "after content": relay.Content} {
		p := newPolicy(func(context.Context, *relay.Request) relay.Verdict { return relay.Verdict{Stream: waiting(kind)} })
		resp, err := client(t).Post(serve(t, e, p, nil), "", nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := bufio.NewReader(resp.Body).ReadString('\n'); err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		if o := p.outcome(t); o.Result != relay.ClientLeft || relay.FailureKindOf(o.Err) != relay.FailedClient {
			t.Errorf("%s: outcome %+v", name, o)
		}
	}
}

func TestStalledReadersOfProducedStreamsAreLeft(t *testing.T) {
	onEach(t, testStalledReadersOfProducedStreamsAreLeft)
}

func testStalledReadersOfProducedStreamsAreLeft(t *testing.T, e made) {
	t.Helper()
	p := newPolicy(func(context.Context, *relay.Request) relay.Verdict {
		return relay.Verdict{Stream: produced(func(_ context.Context, out relay.Sink) error {
			event := []byte("data: " + strings.Repeat("x", 64<<10) + "\n\n")
			for out.Send(event, relay.Content) == nil {
			}
			return nil // whatever the sender makes of it
		})}
	})
	url := serve(t, e, p, func(o *nethttp.Options) { o.WriteTimeout = 100 * time.Millisecond })
	postUnread(t, url)
	if o := p.outcome(t); o.Result != relay.ClientLeft || relay.FailureKindOf(o.Err) != relay.FailedClient {
		t.Errorf("outcome %+v", o)
	}
}

// What a route's parameters are made of reaches the policy as it was sent.
func TestHeadsOfRequests(t *testing.T) { onEach(t, testHeadsOfRequests) }

func testHeadsOfRequests(t *testing.T, e made) {
	t.Helper()
	heads := make(chan relay.Head, 1)
	p := newPolicy(func(_ context.Context, r *relay.Request) relay.Verdict {
		heads <- r.Head
		return relay.Verdict{Reply: status(200)}
	})
	url := serve(t, e, p, nil)
	for sent, want := range map[string][3]string{
		"/items/a%2Fb%20c?q=1&q=%zz;x": {"/items/a/b c", "/items/a%2Fb%20c", "q=1&q=%zz;x"},
		"/plain":                       {"/plain", "/plain", ""},
		"/%7Bid%7D/ü":                  {"/{id}/ü", "/%7Bid%7D/%C3%BC", ""},
	} {
		resp, err := client(t).Post(url+sent, "", nil)
		body(t, resp, err)
		if h := <-heads; [3]string{h.Path, h.EscapedPath, h.RawQuery} != want {
			t.Errorf("%s: path %q, escaped %q, query %q", sent, h.Path, h.EscapedPath, h.RawQuery)
		}
	}
	resp := raw(t, url, "GET /items/%zz HTTP/1.1\r\nHost: x\r\n\r\n")
	if body(t, resp, nil); resp.StatusCode != 400 {
		t.Errorf("malformed escapes: %d", resp.StatusCode)
	}
}

// raw sends a request as it is written, and returns the answer.
func raw(t *testing.T, url, request string) *http.Response {
	t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	if _, err := io.WriteString(conn, request); err != nil {
		t.Fatal(err)
	}
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	return resp
}
