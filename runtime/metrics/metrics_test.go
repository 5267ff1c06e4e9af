package metrics

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/llmservice/llmservice/runtime/config/report"
	"github.com/llmservice/llmservice/runtime/llm"
	"github.com/llmservice/llmservice/runtime/relay"
)

func TestStreamsAddUp(t *testing.T) {
	m := New(Load{})
	for range 6 {
		m.StreamBegan()
	}
	// A reply that a route sent in a stream's place is no failure.
	for _, r := range []relay.Result{relay.StreamDone, relay.StreamDone, relay.Replied, relay.StreamFailed, relay.ClientLeft} {
		m.StreamEnded("/chat", relay.Outcome{Result: r})
	}
	want := report.Streams{Opened: 6, Open: 1, Done: 3, Failed: 1, Cancelled: 1}
	if diff := cmp.Diff(want, m.Streams()); diff != "" {
		t.Error(diff)
	}
	if got := testutil.ToFloat64(m.streams.WithLabelValues("/chat", "done")); got != 3 {
		t.Errorf("done %v, want 3", got)
	}
}

// TestRefusedConfigsBeginAtZero: a counter that appears with its first event shows Prometheus no increase.
func TestRefusedConfigsBeginAtZero(t *testing.T) {
	reloads := New(Load{}).reloads
	if series := testutil.CollectAndCount(reloads); series != 1 {
		t.Fatalf("%d series", series)
	}
	if refused := testutil.ToFloat64(reloads); refused != 0 {
		t.Errorf("%v refused configs", refused)
	}
}

func TestOutcomesAreScraped(t *testing.T) {
	three := func() int64 { return 3 }
	m := New(Load{
		InFlight: three, MaxInFlight: three, Budget: three, Reserved: three, Refused: three, Unreadable: three,
		Endpoints: func() []Endpoint { return []Endpoint{{Upstream: "fast", Host: "a"}} },
		Upstreams: func() []report.Upstream { return []report.Upstream{{Name: "fast"}, {Name: "slow"}} },
	})
	m.End("/chat", relay.Outcome{Status: 200, Duration: time.Second, FirstContent: time.Millisecond})
	m.Attempt("fast", relay.Failure{})
	m.Attempt("fast", relay.Failure{Kind: relay.FailedStatus, Status: 503})
	m.Tokens(By{"/v1/chat/completions", "assistant", "fast", Reported}, llm.Tokens{Prompt: 9, Completion: 5, Total: 14, Cached: 4})
	m.Cost(By{"/v1/chat/completions", "assistant", "fast", Reported}, 0.25)
	m.Serving("one")
	m.Serving("two")
	m.Rejected()
	problems, err := testutil.GatherAndLint(m.Registry, "llmservice_requests_total", "llmservice_in_flight",
		"llmservice_streams_open", "llmservice_upstream_attempts_total", "llmservice_config_revision", "llmservice_tokens_total", "llmservice_cost_total")
	if err != nil || len(problems) > 0 {
		t.Errorf("lint: %v %v", problems, err)
	}
	for name, want := range map[string]int{
		"llmservice_requests_total": 1, "llmservice_request_duration_seconds": 1, "llmservice_first_content_seconds": 1,
		"llmservice_upstream_attempts_total": 2, "llmservice_config_revision": 1, "llmservice_config_reloads_total": 2,
		"llmservice_tokens_total": 3, "llmservice_cost_total": 1, // nothing was thought
		"llmservice_in_flight": 1, "llmservice_max_in_flight": 1, "llmservice_memory_budget_bytes": 1,
		"llmservice_upstream_in_flight": 2, "llmservice_upstream_waiting": 2, "llmservice_upstream_endpoints": 2,
		"llmservice_upstream_endpoints_available": 2, "llmservice_upstream_ejections_total": 2,
		"llmservice_upstream_panics_total": 2, "llmservice_upstream_refusals_total": 2,
		"llmservice_upstream_retries_total": 2, "llmservice_upstream_retries_refused_total": 2,
		"llmservice_upstream_unkeyed_total": 2,
		"llmservice_memory_reserved_bytes":  1, "llmservice_memory_refusals_total": 1,
		"llmservice_secrets_unreadable": 1,
	} {
		if got, err := testutil.GatherAndCount(m.Registry, name); err != nil || got != want {
			t.Errorf("%s: %d series, want %d (%v)", name, got, want, err)
		}
	}
}

// A series that was counted before is found without its labels being written anew.
func TestCountingAllocatesNothing(t *testing.T) {
	m := New(Load{})
	by := By{"/v1/chat/completions", "assistant", "fast", Reported}
	outcome := relay.Outcome{Status: 200, Duration: time.Second, FirstContent: time.Millisecond, Result: relay.StreamDone}
	count := func() {
		m.End("/chat", outcome)
		m.StreamBegan()
		m.StreamEnded("/chat", outcome)
		m.Attempt("fast", relay.Failure{})
		m.Tokens(by, llm.Tokens{Prompt: 9, Completion: 5, Total: 14, Cached: 4})
		m.Cost(by, 0.25)
	}
	if n := testing.AllocsPerRun(100, count); n != 0 {
		t.Errorf("%v allocations", n)
	}
	if got := testutil.ToFloat64(m.requests.WithLabelValues("/chat", "200")); got != 101 { // one to warm up
		t.Errorf("%v requests counted, want 101", got)
	}
}

func BenchmarkCount(b *testing.B) {
	m := New(Load{})
	by := By{"/v1/chat/completions", "assistant", "fast", Reported}
	b.ReportAllocs()
	for b.Loop() {
		m.End("/chat", relay.Outcome{Status: 200, Duration: time.Second})
		m.Attempt("fast", relay.Failure{})
		m.Tokens(by, llm.Tokens{Prompt: 9, Completion: 5, Total: 14})
	}
}
