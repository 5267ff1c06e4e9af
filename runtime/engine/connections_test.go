package engine_test

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/llmservice/llmservice/runtime/engine/nethttp"
	"github.com/llmservice/llmservice/runtime/relay"
	"github.com/llmservice/llmservice/runtime/upstream"
)

// A client that shuts its sending side is taken to have left. It gets no answer, and least of all an invented one.
func TestAHalfClosedConnectionGetsNoAnswer(t *testing.T) {
	onEach(t, testAHalfClosedConnectionGetsNoAnswer)
}

func testAHalfClosedConnectionGetsNoAnswer(t *testing.T, e made) {
	t.Helper()
	model := clientFunc(func(ctx context.Context, _ *upstream.Call) (*upstream.Answer, error) {
		<-ctx.Done()
		return nil, ctx.Err()
	})
	verdicts := map[string]func() relay.Verdict{
		"whole": func() relay.Verdict {
			return relay.Verdict{Produce: func(ctx context.Context) *relay.Reply { <-ctx.Done(); return status(200) }}
		},
		"stream, nothing sent": func() relay.Verdict {
			return relay.Verdict{Stream: produced(func(ctx context.Context, _ relay.Sink) error {
				<-ctx.Done()
				return relay.FailureOf(ctx, ctx.Err(), relay.FailedEvent)
			})}
		},
		"stream, begun": func() relay.Verdict { return relay.Verdict{Stream: waiting(relay.Content)} },
		"relayed":       func() relay.Verdict { return relay.Verdict{Stream: relayOf(letterTap{}, model)} },
	}
	for name, verdict := range verdicts {
		t.Run(name, func(t *testing.T) {
			p := newPolicy(func(context.Context, *relay.Request) relay.Verdict { return verdict() })
			url := serve(t, e, p, nil)
			var all sync.WaitGroup
			for range 20 {
				all.Go(func() {
					got := halfClosed(t, url)
					begun := strings.HasPrefix(got, "HTTP/1.1 200") && strings.Contains(got, "data: x\n\n")
					if (got == "") == (name == "stream, begun") || got != "" && (!begun || strings.HasSuffix(got, "0\r\n\r\n")) {
						t.Errorf("got %q", got)
					}
				})
				if o := p.outcome(t); o.Result != relay.ClientLeft {
					t.Errorf("outcome %+v", o)
				}
			}
			all.Wait()
		})
	}
}

func halfClosed(t *testing.T, url string) string {
	t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(url, "http://"))
	if err != nil {
		t.Error(err)
		return ""
	}
	defer func() { _ = conn.Close() }()
	_, _ = io.WriteString(conn, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc")
	_ = conn.(*net.TCPConn).CloseWrite()
	got, err := io.ReadAll(conn)
	if err != nil {
		t.Error(err)
	}
	return string(got)
}

// The connection that has waited the longest for a request gives its place to a new one.
func TestPlacesOfConnections(t *testing.T) { onEach(t, testPlacesOfConnections) }

func testPlacesOfConnections(t *testing.T, e made) {
	t.Helper()
	var answer chan struct{}
	p := newPolicy(func(_ context.Context, r *relay.Request) relay.Verdict {
		return relay.Verdict{Produce: func(context.Context) *relay.Reply {
			if r.Path == "/busy" {
				<-answer
			}
			return status(200)
		}}
	})
	const get = " HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n"
	inBubble(t, e, p, func(o *nethttp.Options) { o.Connections = func() int { return 2 } }, func(t *testing.T, v *virtual) {
		t.Helper()
		answer = make(chan struct{})
		first := v.dial("POST /" + get)
		reply(t, first)
		time.Sleep(time.Second)
		second := v.dial("POST /" + get)
		reply(t, second)
		time.Sleep(time.Second)
		busy := v.dial("POST /busy" + get)
		if got, after := rest(t, first); got != "" || after != 0 {
			t.Errorf("the connection that waited the longest got %q and closed after %s", got, after)
		}
		synctest.Wait()
		third := v.dial("POST /busy" + get)
		if got, after := rest(t, second); got != "" || after != 0 {
			t.Errorf("the next one got %q and closed after %s", got, after)
		}
		// Both places have a request now: a new connection waits for one of them.
		time.Sleep(time.Minute)
		fourth := make(chan net.Conn)
		go func() { fourth <- v.dial("POST /" + get) }()
		time.Sleep(time.Minute)
		select {
		case <-fourth:
			t.Error("a third connection was served")
		default:
		}
		close(answer)
		reply(t, busy)
		reply(t, third)
		reply(t, <-fourth)
	})
}

func reply(t *testing.T, conn net.Conn) {
	t.Helper()
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if got := body(t, resp, err); resp.StatusCode != http.StatusOK {
		t.Errorf("%d %s", resp.StatusCode, got)
	}
}

// A drain ends in seconds if nothing is in flight, whatever is open; where something is, it waits for that.
func TestDrainWaitsForWhatIsInFlightAlone(t *testing.T) {
	onEach(t, testDrainWaitsForWhatIsInFlightAlone)
}

func testDrainWaitsForWhatIsInFlightAlone(t *testing.T, e made) {
	t.Helper()
	const head = "POST / HTTP/1.1\r\nHost: x\r\n"
	for name, tt := range map[string]struct {
		sent  string
		reads bool
		most  time.Duration
	}{
		"an idle connection":         {head + "Content-Length: 0\r\n\r\n", true, 6 * time.Second},
		"nothing sent":               {"", true, 12 * time.Second},
		"half a head":                {"POST / HT", true, 12 * time.Second},
		"half a second head":         {head + "Content-Length: 0\r\n\r\nPOST", true, 12 * time.Second},
		"half a body":                {head + "Content-Length: 9\r\n\r\nabc", true, 12 * time.Second},
		"half a refused body":        {"POST /full HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nabc", true, 12 * time.Second},
		"an answer that is not read": {head + "Content-Length: 0\r\n\r\n", false, 12 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, e, lengths(), nil, func(t *testing.T, v *virtual) {
				t.Helper()
				for range 20 {
					conn := v.dial(tt.sent)
					if tt.reads {
						go func() { _, _ = io.Copy(io.Discard, conn) }()
					}
				}
				synctest.Wait()
				began := time.Now()
				v.drain()
				if took := time.Since(began); took > tt.most {
					t.Errorf("drained after %s, want %s at most", took, tt.most)
				}
			})
		})
	}
}

// A body that is still coming when a drain begins may come to its end, and its request to its answer.
func TestDrainServesABodyThatComes(t *testing.T) { onEach(t, testDrainServesABodyThatComes) }

func testDrainServesABodyThatComes(t *testing.T, e made) {
	t.Helper()
	p := newPolicy(func(_ context.Context, r *relay.Request) relay.Verdict {
		return relay.Verdict{Produce: func(context.Context) *relay.Reply {
			time.Sleep(time.Minute)
			return &relay.Reply{Status: 200, Body: r.Body}
		}}
	})
	inBubble(t, e, p, nil, func(t *testing.T, v *virtual) {
		t.Helper()
		conn := v.dial("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nab")
		go v.drain()
		time.Sleep(9 * time.Second)
		_, _ = io.WriteString(conn, "c")
		if got, _ := rest(t, conn); !strings.HasSuffix(got, "\r\n\r\nabc") || !strings.Contains(got, "Connection: close") {
			t.Errorf("got %q", got)
		}
	})
}

// A body that comes slowly, as it may while nobody is in a hurry, does not hold up a drain, and its client is told.
func TestDrainDoesNotWaitForABodyThatDrips(t *testing.T) {
	onEach(t, testDrainDoesNotWaitForABodyThatDrips)
}

func testDrainDoesNotWaitForABodyThatDrips(t *testing.T, e made) {
	t.Helper()
	large := &largeBodies{lengths()}
	inBubble(t, e, large, nil, func(t *testing.T, v *virtual) {
		t.Helper()
		conn := v.dial("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n")
		var both sync.WaitGroup
		defer both.Wait()
		both.Go(func() {
			for range 60 { // a minute of bytes that are fast enough
				if _, err := conn.Write(make([]byte, bodyRate)); err != nil {
					return
				}
				time.Sleep(time.Second)
			}
		})
		both.Go(func() {
			if got, _ := rest(t, conn); !strings.HasPrefix(got, "HTTP/1.1 408") {
				t.Errorf("got %q", got)
			}
		})
		began := time.Now()
		v.drain()
		if took := time.Since(began); took > 20*time.Second {
			t.Errorf("drained after %s", took)
		}
	})
}

// largeBodies is a policy that allows them.
type largeBodies struct{ *fakePolicy }

func (p *largeBodies) Begin(h *relay.Head) relay.Exchange {
	return &largeBody{fakeExchange{fakePolicy: p.fakePolicy, head: h}}
}

type largeBody struct{ fakeExchange }

func (*largeBody) BodyLimit() int64 { return 4 << 20 }
