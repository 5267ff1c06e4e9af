package gateway

import (
	"context"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/llmservice/llmservice/runtime/config"
	"github.com/llmservice/llmservice/runtime/config/report"
	"github.com/llmservice/llmservice/runtime/exchange"
	"github.com/llmservice/llmservice/runtime/relay"
	"github.com/llmservice/llmservice/test/mockllm"
)

// What a route has ended itself is counted as that.
func TestCallsThatTheRouteEndsAreNoFailures(t *testing.T) {
	_, url := startMock(t, mockllm.Options{})
	r := start(t, assistant(url))
	observe := r.g.metrics.Attempt
	for _, kind := range []relay.FailureKind{
		relay.NoFailure, relay.FailedClient, relay.FailedSuperseded, relay.FailedBudget, relay.FailedMemory, relay.FailedSchema,
	} {
		observe("a", relay.Failure{Kind: kind})
	}
	observe("a", relay.Failure{Kind: relay.FailedIdle})
	const want = `
# HELP llmservice_upstream_attempts_total Calls to upstreams, by upstream and failure (none for success).
# TYPE llmservice_upstream_attempts_total counter
llmservice_upstream_attempts_total{failure="budget",upstream="a"} 1
llmservice_upstream_attempts_total{failure="client_left",upstream="a"} 1
llmservice_upstream_attempts_total{failure="idle_timeout",upstream="a"} 1
llmservice_upstream_attempts_total{failure="memory",upstream="a"} 1
llmservice_upstream_attempts_total{failure="none",upstream="a"} 1
llmservice_upstream_attempts_total{failure="schema",upstream="a"} 1
llmservice_upstream_attempts_total{failure="superseded",upstream="a"} 1
`
	if err := testutil.GatherAndCompare(r.g.metrics.Registry, strings.NewReader(want), "llmservice_upstream_attempts_total"); err != nil {
		t.Error(err)
	}
}

// A route finds its path's parameters in the request, and metrics its template: a client's path is no label.
func TestPathsHaveParameters(t *testing.T) {
	_, url := startMock(t, mockllm.Options{})
	c := assistant(url)
	c.Routes[1].Path = "/items/{id}/{part}"
	c.Routes[1].Request = &config.Request{Parameters: []config.Parameter{{Name: "id", In: config.InPath}, {Name: "part", In: config.InPath}}}
	r := start(t, c)
	head := &relay.Head{Method: "POST", Path: "/items/a/b/c d", EscapedPath: "/items/a%2Fb/c%20d"}
	found := r.g.serving().Find(head)
	if found.Wrong != nil || found.Route.Path != "/items/{id}/{part}" {
		t.Fatalf("%+v", found)
	}
	if diff := cmp.Diff(map[string]string{"id": "a/b", "part": "c d"}, found.Params); diff != "" {
		t.Error(diff)
	}
	if resp := r.post("/items/a%2Fb/c%20d", question(`{"tokens":1}`)); resp.StatusCode != http.StatusOK {
		t.Errorf("%d %s", resp.StatusCode, text(t, resp))
	}
	if resp := r.post("/items/a", question(`{"tokens":1}`)); resp.StatusCode != http.StatusNotFound {
		t.Errorf("%d %s", resp.StatusCode, text(t, resp))
	}
}

// Streams that a route produces are counted like those that are relayed.
func TestProducedStreamsAreCounted(t *testing.T) {
	_, url := startMock(t, mockllm.Options{})
	r := start(t, assistant(url))
	policy := *r.g.policy
	own := &exchange.Route{Path: "/own", Decide: func(context.Context, *relay.Request) relay.Verdict {
		return relay.Verdict{Stream: &relay.Stream{Run: func(context.Context, relay.Sink) error { return nil }}}
	}}
	policy.Serving = func() *exchange.Serving {
		return &exchange.Serving{Find: func(*relay.Head) exchange.Found { return exchange.Found{Route: own} }}
	}
	x := policy.Begin(&relay.Head{})
	x.Decide(t.Context(), &relay.Request{})
	open := func() report.Streams { return r.g.Status().Streams }
	if got, want := open(), (report.Streams{Opened: 1, Open: 1}); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
	x.Done(relay.Outcome{Result: relay.StreamFailed, Err: relay.Failure{Kind: relay.FailedBudget}})
	if got, want := open(), (report.Streams{Opened: 1, Failed: 1}); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
}
