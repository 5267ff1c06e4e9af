package exchange_test

import (
	"bufio"
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
	"go.uber.org/goleak"

	"github.com/llmservice/llmservice/runtime/admission"
	"github.com/llmservice/llmservice/runtime/config/report"
	"github.com/llmservice/llmservice/runtime/engine/nethttp"
	"github.com/llmservice/llmservice/runtime/exchange"
	"github.com/llmservice/llmservice/runtime/metrics"
	"github.com/llmservice/llmservice/runtime/problem"
	"github.com/llmservice/llmservice/runtime/relay"
	"github.com/llmservice/llmservice/runtime/relay/enginetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// callers finds out who calls, by a key.
func callers(keys map[string]string) exchange.Gate {
	return exchange.Gate{Pass: func(_ context.Context, e *exchange.Entry) *problem.Error {
		caller, known := keys[e.Head.Header.Get("Authorization")]
		if !known {
			return &problem.Error{Status: http.StatusUnauthorized, Code: "unauthorized", Message: "Who are you?"}
		}
		e.Caller = caller
		return nil
	}}
}

// oneEach lets each caller have one request at a time. Others of its own wait.
func oneEach(patience time.Duration) exchange.Gate {
	// It is made within the bubble, where its channels can be waited for in virtual time.
	places := map[string]chan struct{}{"alice": make(chan struct{}, 1), "bob": make(chan struct{}, 1)}
	return exchange.Gate{Patience: patience, Pass: func(ctx context.Context, e *exchange.Entry) *problem.Error {
		place := places[e.Caller]
		select {
		case place <- struct{}{}:
			e.Hold(func() { <-place })
			return nil
		case <-ctx.Done():
			return problem.Busy(time.Second)
		}
	}}
}

// house is a policy with gates, and the way to it.
type house struct {
	t         *testing.T
	listener  *enginetest.Listener
	admission *admission.Admission
	metrics   *metrics.Metrics
}

// noLoad are the metrics of a replica that has nothing to do.
func noLoad() *metrics.Metrics {
	none := func() int64 { return 0 }
	return metrics.New(metrics.Load{
		InFlight: none, MaxInFlight: none, Budget: none, Reserved: none, Refused: none,
		Upstreams: func() []report.Upstream { return nil }, Endpoints: func() []metrics.Endpoint { return nil },
		Unreadable: none,
	})
}

// inHouse runs do before a policy whose route takes ten seconds.
func inHouse(t *testing.T, gates func() []exchange.Gate, do func(t *testing.T, h *house)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		h := &house{t: t, listener: enginetest.Listen(), admission: admission.New(2, 1<<30), metrics: noLoad()}
		h.admission.SetLimit(10)
		var table exchange.Table
		slow := func(context.Context, *relay.Request) relay.Verdict {
			return relay.Verdict{Produce: func(context.Context) *relay.Reply {
				<-time.After(10 * time.Second)
				return relay.JSON([]byte("{}"))
			}}
		}
		for _, r := range []*exchange.Route{
			{Method: "POST", Path: "/own", Format: problem.FastAPI, Decide: slow},
			{Method: "POST", Path: "/v1/chat", Format: problem.OpenAI, Decide: slow},
		} {
			if err := table.Add(r); err != nil {
				t.Fatal(err)
			}
		}
		if err := table.AddRest("/", problem.FastAPI); err != nil {
			t.Fatal(err)
		}
		serving := &exchange.Serving{BodyLimit: 1 << 10, Gates: gates(), Find: table.Find}
		policy := &exchange.Policy{
			Serving: func() *exchange.Serving { return serving }, Admission: h.admission, Metrics: h.metrics,
			Logger: slog.New(slog.DiscardHandler),
		}
		engine := nethttp.New(nethttp.Options{
			Logger: slog.New(slog.DiscardHandler), AcceptLoops: 1, Connections: func() int { return 100 },
			BodyTimeout: time.Minute, WriteTimeout: time.Minute, ReplyTimeout: time.Minute, DrainTimeout: time.Minute,
		})
		ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
		var serve sync.WaitGroup
		serve.Go(func() {
			if err := engine.Serve(ctx, h.listener, policy); err != nil {
				t.Error(err)
			}
		})
		do(t, h)
		stop()
		serve.Wait()
		if left := h.admission.InFlight(); left != 0 {
			t.Errorf("%d requests are still in flight", left)
		}
	})
}

// send sends a request's head, as the caller with a key. No body follows it.
func (h *house) send(path, key string, length string) net.Conn {
	h.t.Helper()
	conn, err := h.listener.Dial(h.t.Context())
	if err != nil {
		h.t.Fatal(err)
	}
	h.t.Cleanup(func() { _ = conn.Close() })
	head := "POST " + path + " HTTP/1.1\r\nHost: x\r\nAuthorization: " + key + "\r\nContent-Length: " + length + "\r\n\r\n"
	if _, err := io.WriteString(conn, head); err != nil {
		h.t.Fatal(err)
	}
	return conn
}

// wants reads the answer, which has to come after a while.
func (h *house) wants(conn net.Conn, status int, body string, after time.Duration) {
	h.t.Helper()
	began := time.Now()
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		h.t.Error(err)
		return
	}
	text, err := io.ReadAll(resp.Body)
	if took := time.Since(began); err != nil || resp.StatusCode != status || !strings.HasPrefix(string(text), body) || took != after {
		h.t.Errorf("%d %s (%v) after %s, want %d %s after %s", resp.StatusCode, text, err, took, status, body, after)
	}
}

// A caller whom nobody knows is refused in its route's format before it has sent a body. Nothing is held for it.
func TestCallersAreKnownBeforeTheBody(t *testing.T) {
	gates := func() []exchange.Gate { return []exchange.Gate{callers(map[string]string{"key-a": "alice"})} }
	inHouse(t, gates, func(t *testing.T, h *house) {
		t.Helper()
		h.wants(h.send("/own", "wrong", "100"), 401, `{"detail":"Who are you?"`, 0)
		h.wants(h.send("/v1/chat", "wrong", "100"), 401, `{"error":{"message":"Who are you?"`, 0)
		h.wants(h.send("/nowhere", "wrong", "100"), 404, `{"detail":"Not Found"`, 0)
		if n := h.admission.InFlight(); n != 0 {
			t.Errorf("%d are in flight", n)
		}
		h.wants(h.send("/own", "key-a", "0"), 200, "{}", 10*time.Second)
		const want = `
# HELP llmservice_requests_total Requests answered, by route and status; status 0 means that the client left.
# TYPE llmservice_requests_total counter
llmservice_requests_total{route="/own",status="200"} 1
llmservice_requests_total{route="unmatched",status="401"} 2
llmservice_requests_total{route="unmatched",status="404"} 1
`
		if err := testutil.GatherAndCompare(h.metrics.Registry, strings.NewReader(want), "llmservice_requests_total"); err != nil {
			t.Error(err)
		}
	})
}

// A request waits for its caller's own others, before its body is asked for; other callers do not wait for it. What it has is
// given back when it ends.
func TestCallersWaitForThemselves(t *testing.T) {
	gates := func() []exchange.Gate {
		return []exchange.Gate{callers(map[string]string{"key-a": "alice", "key-b": "bob"}), oneEach(15 * time.Second)}
	}
	inHouse(t, gates, func(t *testing.T, h *house) {
		t.Helper()
		first := h.send("/own", "key-a", "0")
		synctest.Wait()
		second := h.send("/own", "key-a", "0")
		synctest.Wait() // it is the next in line
		third := h.send("/v1/chat", "key-a", "100")
		other := h.send("/own", "key-b", "0")
		synctest.Wait()
		if n := h.admission.InFlight(); n != 2 {
			t.Errorf("%d are in flight, want 2: those that wait hold nothing", n)
		}
		var all sync.WaitGroup
		all.Go(func() { h.wants(first, 200, "{}", 10*time.Second) })
		all.Go(func() { h.wants(other, 200, "{}", 10*time.Second) })
		all.Go(func() { h.wants(second, 200, "{}", 20*time.Second) })
		all.Go(func() { h.wants(third, 429, `{"error":{"message":"The service is at its limit.`, 15*time.Second) })
		all.Wait()
		h.wants(h.send("/own", "key-a", "0"), 200, "{}", 10*time.Second)
	})
}

// A client that leaves while it waits gives up its place in the queue, and is not counted as refused.
func TestAClientThatLeavesWaitsNoLonger(t *testing.T) {
	gates := func() []exchange.Gate {
		return []exchange.Gate{callers(map[string]string{"key-a": "alice"}), oneEach(time.Minute)}
	}
	inHouse(t, gates, func(t *testing.T, h *house) {
		t.Helper()
		first := h.send("/own", "key-a", "0")
		synctest.Wait()
		_ = h.send("/own", "key-a", "0").Close()
		_ = h.send("/own", "key-a", "100").Close()
		synctest.Wait()
		h.wants(first, 200, "{}", 10*time.Second)
		h.wants(h.send("/own", "key-a", "0"), 200, "{}", 10*time.Second)
		const want = `
# HELP llmservice_requests_total Requests answered, by route and status; status 0 means that the client left.
# TYPE llmservice_requests_total counter
llmservice_requests_total{route="/own",status="200"} 2
llmservice_requests_total{route="unmatched",status="0"} 2
`
		if err := testutil.GatherAndCompare(h.metrics.Registry, strings.NewReader(want), "llmservice_requests_total"); err != nil {
			t.Error(err)
		}
	})
}
