package gateway

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/llmservice/llmservice/runtime/config"
	"github.com/llmservice/llmservice/runtime/relay"
	"github.com/llmservice/llmservice/runtime/upstream"
)

// idler answers as far as the first part of the path says, and then waits until the gateway leaves.
func idler(w http.ResponseWriter, r *http.Request) {
	_, _ = io.Copy(io.Discard, r.Body)
	until, _, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	if until != "header" {
		w.Header().Set("Content-Type", "text/event-stream")
		_ = http.NewResponseController(w).Flush()
	}
	if until == "idle" {
		_, _ = io.WriteString(w, strings.SplitAfter(teaChunks, "\n\n")[0])
		_ = http.NewResponseController(w).Flush()
	}
	<-r.Context().Done()
}

// deaf accepts connections and says nothing on them.
func deaf(t *testing.T) (address string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return l.Addr().String() // the kernel completes connections that nobody accepts
}

// TestEachTimerOfAConfig: each of the five timers of an upstream is the one that its field sets, ends a call with its own label in the
// metrics, and with its own words for the client.
func TestEachTimerOfAConfig(t *testing.T) {
	const soon = config.Duration(50 * time.Millisecond)
	at := serve(t, http.HandlerFunc(idler))
	timers := map[string]struct {
		set     func(*config.Timeouts)
		url     string
		streams bool
		label   relay.FailureKind
	}{
		"connect": {func(o *config.Timeouts) { o.Connect = soon }, "https://" + deaf(t), false, relay.FailedDial},
		"header":  {func(o *config.Timeouts) { o.Header = soon }, at + "/header", true, relay.FailedHeader},
		"first":   {func(o *config.Timeouts) { o.FirstToken = soon }, at + "/first", true, relay.FailedFirstToken},
		"idle":    {func(o *config.Timeouts) { o.Idle = soon }, at + "/idle", true, relay.FailedIdle},
		"total":   {func(o *config.Timeouts) { o.Total = soon }, at + "/total", false, relay.FailedTotal},
	}
	c := assistant(at)
	for name, timer := range timers {
		u := c.Upstreams[0]
		u.Name, u.Endpoints = name, []config.Endpoint{{URL: timer.url + "/v1"}}
		timer.set(&u.Timeouts)
		c.Upstreams = append(c.Upstreams, u)
		c.Models = append(c.Models, config.Model{Name: name, Upstreams: []string{name}})
	}
	r := start(t, c)
	for name, timer := range timers {
		got := text(t, r.post("/v1/chat/completions", strings.Replace(completion(timer.streams, "x"), "assistant", name, 1)))
		if want := upstream.Problem(relay.Failure{Kind: timer.label}).Message; !strings.Contains(got, want) {
			t.Errorf("%s: %s, want %q", name, got, want)
		}
	}
	resp, err := r.client.Get(r.adminURL + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	counted := text(t, resp)
	for name, timer := range timers {
		if line := fmt.Sprintf(`llmservice_upstream_attempts_total{failure=%q,upstream=%q} 1`, timer.label, name); !strings.Contains(counted, line) {
			t.Errorf("the metrics have no %s", line)
		}
	}
}
