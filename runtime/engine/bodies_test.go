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
	"testing/synctest"
	"time"

	"github.com/llmservice/llmservice/runtime/engine/nethttp"
	"github.com/llmservice/llmservice/runtime/relay"
	"github.com/llmservice/llmservice/runtime/relay/enginetest"
)

// virtual is an engine in virtual time.
type virtual struct {
	t     *testing.T
	l     *enginetest.Listener
	drain func() // begins it, and waits for its end
}

// inBubble runs do before an engine in virtual time, with the deadlines of a gateway.
func inBubble(t *testing.T, e made, p relay.Policy, change func(*nethttp.Options), do func(t *testing.T, v *virtual)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		o := nethttp.Options{
			Logger: slog.New(slog.DiscardHandler), AcceptLoops: 1, Connections: many, BodyTimeout: 10 * time.Second,
			WriteTimeout: 30 * time.Second, ReplyTimeout: 5 * time.Minute, DrainDelay: 5 * time.Second, DrainTimeout: 5 * time.Minute,
		}
		if change != nil {
			change(&o)
		}
		v := &virtual{t: t, l: enginetest.Listen()}
		ctx, begin := context.WithCancel(context.WithoutCancel(t.Context()))
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			if err := e(o).Serve(ctx, v.l, p); err != nil {
				t.Error(err)
			}
		}()
		v.drain = func() { begin(); <-ended }
		do(t, v)
		v.drain()
	})
}

// dial returns a connection on which text was sent.
func (v *virtual) dial(text string) net.Conn {
	v.t.Helper()
	conn, err := v.l.Dial(v.t.Context())
	if err != nil {
		v.t.Fatal(err)
	}
	v.t.Cleanup(func() { _ = conn.Close() })
	if _, err := io.WriteString(conn, text); err != nil {
		v.t.Fatal(err)
	}
	return conn
}

// rest reads a connection to its end, in virtual time.
func rest(t *testing.T, conn net.Conn) (text string, after time.Duration) {
	t.Helper()
	began := time.Now()
	got, err := io.ReadAll(conn)
	if err != nil && !errors.Is(err, io.ErrClosedPipe) {
		t.Fatal(err)
	}
	return string(got), time.Since(began)
}

func lengths() *fakePolicy {
	return newPolicy(func(_ context.Context, r *relay.Request) relay.Verdict {
		return relay.Verdict{Reply: &relay.Reply{Status: 200, Body: fmt.Appendf(nil, "%d", len(r.Body))}}
	})
}

// Whatever a request leaves out, its connection ends in bounded time, and what can be told is told before.
func TestRequestsThatNeverCome(t *testing.T) { onEach(t, testRequestsThatNeverCome) }

func testRequestsThatNeverCome(t *testing.T, e made) {
	t.Helper()
	const missing = " HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n"
	for name, tt := range map[string]struct {
		sent, status string
		within       time.Duration
	}{
		"nothing":                     {"", "", headTimeout},
		"half a head":                 {"POST / HTT", "400", headTimeout},
		"no body":                     {"POST /" + missing, "408", 15 * time.Second},
		"half a body":                 {"POST /" + missing + "abc", "408", 15 * time.Second},
		"half a chunk":                {"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab", "408", 15 * time.Second},
		"no trailer":                  {"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n", "408", 15 * time.Second},
		"refused, no body":            {"POST /full" + missing, "429", restStall},
		"refused, no chunk":           {"POST /full HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n", "429", restStall},
		"refused, to be asked":        {"POST /full HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 9\r\n\r\n", "429", unasked},
		"too large, to be asked":      {"POST / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 9999\r\n\r\n", "413", unasked},
		"too large":                   {"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999\r\n\r\nabc", "413", restTimeout},
		"an expectation of its own":   {"POST / HTTP/1.1\r\nHost: x\r\nExpect: tea\r\nContent-Length: 9\r\n\r\n", "417", headTimeout},
		"a panic before the body":     {"POST /panic" + missing, "500", restStall},
		"no second request":           {"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n", "200", idleTimeout},
		"half a head of a second one": {"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\nPOST /", "200", headTimeout},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, e, lengths(), nil, func(t *testing.T, v *virtual) {
				t.Helper()
				var all sync.WaitGroup
				defer all.Wait()
				for range 20 {
					conn := v.dial(tt.sent)
					all.Go(func() {
						got, after := rest(t, conn)
						if _, status, _ := strings.Cut(got, " "); !strings.HasPrefix(status, tt.status) || (got == "") != (tt.status == "") {
							t.Errorf("got %q, want %q", got, tt.status)
						}
						if strings.Contains(got, " 100 ") {
							t.Error("asked for a body that was refused")
						}
						if after > tt.within {
							t.Errorf("closed after %s, want %s at most", after, tt.within)
						}
					})
				}
			})
		})
	}
}

// A body may come slowly, but not for ever.
func TestBodiesThatDrip(t *testing.T) { onEach(t, testBodiesThatDrip) }

func testBodiesThatDrip(t *testing.T, e made) {
	t.Helper()
	for name, tt := range map[string]struct {
		pause  time.Duration
		bytes  int
		status string
	}{
		"slowly, but in time":         {9 * time.Second, 1, "200"},
		"a byte now and then":         {9 * time.Second, 3, "408"},
		"with a pause that is longer": {11 * time.Second, 1, "408"},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, e, lengths(), nil, func(t *testing.T, v *virtual) {
				t.Helper()
				conn := v.dial(fmt.Sprintf("POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: %d\r\n\r\n", tt.bytes))
				var sender sync.WaitGroup
				defer sender.Wait()
				sender.Go(func() {
					for range tt.bytes {
						time.Sleep(tt.pause)
						if _, err := conn.Write([]byte("x")); err != nil {
							return
						}
					}
				})
				if got, _ := rest(t, conn); !strings.HasPrefix(got, "HTTP/1.1 "+tt.status) {
					t.Errorf("got %q, want %s", got, tt.status)
				}
			})
		})
	}
}

// A client that sends everything before it reads sees why it is refused, also a little above the limit.
func TestRefusalsAreSeenByClientsThatSendFirst(t *testing.T) {
	onEach(t, testRefusalsAreSeenByClientsThatSendFirst)
}

func testRefusalsAreSeenByClientsThatSendFirst(t *testing.T, e made) {
	t.Helper()
	url := serve(t, e, lengths(), nil)
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() {
			for path, want := range map[string]string{"/": "413", "/full": "429"} {
				for _, head := range []string{"Content-Length: 4194304\r\n\r\n", "Transfer-Encoding: chunked\r\n\r\n400000\r\n"} {
					body := head + strings.Repeat("x", 4<<20) + "\r\n0\r\n\r\n"
					if got := sendFirst(t, url, "POST "+path+" HTTP/1.1\r\nHost: x\r\n"+body); got != want {
						t.Errorf("%s: %s, want %s", path, got, want)
					}
				}
			}
		})
	}
	all.Wait()
}

// sendFirst sends all of a request, and only then reads the status of its answer.
func sendFirst(t *testing.T, url, request string) string {
	t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(url, "http://"))
	if err != nil {
		t.Error(err)
		return ""
	}
	defer func() { _ = conn.Close() }()
	if _, err := io.WriteString(conn, request); err != nil {
		t.Errorf("send: %v", err)
	}
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Errorf("read: %v", err)
		return ""
	}
	_ = resp.Body.Close()
	return resp.Status[:3]
}

// A refusal costs no connection where the rest of the body is short.
func TestRefusalsKeepTheConnection(t *testing.T) { onEach(t, testRefusalsKeepTheConnection) }

func testRefusalsKeepTheConnection(t *testing.T, e made) {
	t.Helper()
	url := serve(t, e, lengths(), nil)
	conn, err := net.Dial("tcp", strings.TrimPrefix(url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	answers := bufio.NewReader(conn)
	for _, tt := range []struct{ path, status string }{{"/full", "429"}, {"/full", "429"}, {"/", "200"}} {
		if _, err := fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\n", tt.path); err != nil {
			t.Fatal(err)
		}
		if tt.path == "/" {
			_, _ = io.WriteString(conn, "abc")
		}
		resp, err := http.ReadResponse(answers, nil)
		if got := body(t, resp, err); resp.Status[:3] != tt.status || resp.Close {
			t.Errorf("%s: %s %q, close %v", tt.path, resp.Status, got, resp.Close)
		}
		if tt.path == "/full" { // the answer was there before the body
			_, _ = io.WriteString(conn, "abc")
		}
	}
}
