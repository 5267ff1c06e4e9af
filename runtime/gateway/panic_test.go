package gateway

import (
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/llmservice/llmservice/runtime/relay"
	"github.com/llmservice/llmservice/test/mockllm"
)

// A panic's value may hold a prompt: it is counted and its stack logged, but never the value.
func TestPanicsAreCountedAndKeptToThemselves(t *testing.T) {
	_, url := startMock(t, mockllm.Options{})
	r := start(t, assistant(url))
	began := r.g.policy.Begin(&relay.Head{Path: "/answer"})
	reply := r.g.policy.Panicked(began, "a private matter")
	if reply.Status != 500 || strings.Contains(string(reply.Body), "private") || strings.Contains(r.logs.String(), "private") {
		t.Errorf("%d %s\n%s", reply.Status, reply.Body, r.logs)
	}
	if !strings.Contains(r.logs.String(), "TestPanicsAreCounted") {
		t.Errorf("no stack in %s", r.logs)
	}
	const want = `
# HELP llmservice_panics_total Requests that ended because of a fault of the gateway.
# TYPE llmservice_panics_total counter
llmservice_panics_total 1
`
	if err := testutil.GatherAndCompare(r.g.metrics.Registry, strings.NewReader(want), "llmservice_panics_total"); err != nil {
		t.Error(err)
	}
	if n, err := testutil.GatherAndCount(r.g.metrics.Registry, "llmservice_requests_total"); err != nil || n != 0 {
		t.Errorf("the panic was counted as %d requests: whoever answers counts (%v)", n, err)
	}
}
