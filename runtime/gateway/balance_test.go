package gateway

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/llmservice/llmservice/runtime/config"
	"github.com/llmservice/llmservice/runtime/config/delivery"
	"github.com/llmservice/llmservice/runtime/config/report"
)

// ledger is what model servers have answered, by the question.
type ledger struct {
	mu       sync.Mutex
	answered map[string]int
}

// model answers a question with itself.
func (l *ledger) model(t *testing.T) *httptest.Server {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body := make([]byte, r.ContentLength)
		_, _ = r.Body.Read(body)
		_, rest, _ := strings.Cut(string(body), "ask-")
		question, _, _ := strings.Cut(rest, `"`)
		w.Header().Set("Content-Type", "application/json")
		_, err := fmt.Fprintf(w, `{"model":"m","choices":[{"message":{"role":"assistant","content":"ask-%s"},"finish_reason":"stop"}]}`, question)
		if err == nil {
			l.mu.Lock()
			defer l.mu.Unlock()
			l.answered[question]++
		}
	}))
	t.Cleanup(server.Close)
	return server
}

// A pool that loses one of its three servers while clients call it, connections and all, costs them no error, and nobody
// gets an answer that is not theirs.
func TestAPoolLosesAServerUnderLoad(t *testing.T) {
	l := &ledger{answered: map[string]int{}}
	var endpoints []config.Endpoint
	var servers []*httptest.Server
	for range 3 {
		servers = append(servers, l.model(t))
		endpoints = append(endpoints, config.Endpoint{URL: servers[len(servers)-1].URL})
	}
	c := assistant(servers[0].URL)
	c.Upstreams[0].Endpoints = endpoints
	r := start(t, c)
	var clients sync.WaitGroup
	for i := range 8 {
		clients.Go(func() {
			for n := range 60 {
				if i == 0 && n == 20 {
					_ = servers[0].Listener.Close()
					servers[0].CloseClientConnections()
				}
				question := fmt.Sprintf("ask-%d-%d", i, n)
				status, answer := r.ask(question)
				if status != http.StatusOK || !strings.Contains(answer, `"`+question+`"`) {
					t.Errorf("%s: %d %s", question, status, answer)
				}
			}
		})
	}
	clients.Wait()
	if len(l.answered) != 8*60 {
		t.Errorf("%d questions were answered, want %d", len(l.answered), 8*60)
	}
}

func (r *replica) ask(question string) (status int, answer string) {
	resp, err := r.client.Post(r.url+"/v1/chat/completions", "application/json",
		strings.NewReader(`{"model":"assistant","messages":[{"role":"user","content":"`+question+`"}]}`))
	if err != nil {
		return 0, err.Error()
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		return 0, err.Error()
	}
	return resp.StatusCode, string(text)
}

// What is known of an endpoint outlives a reload, and is in the status and in the metrics.
func TestAnEjectionSurvivesAReload(t *testing.T) {
	dead, asked := answers(t, http.StatusInternalServerError)
	url, _ := answers(t, http.StatusOK)
	c := noted(dead, url)
	c.Upstreams[0].Ejection = &config.Ejection{Backoff: &config.Backoff{Initial: config.Duration(time.Hour), Max: config.Duration(time.Hour)}}
	r := start(t, c)
	for range 8 {
		_ = text(t, r.post("/note", `{"question":"hi"}`))
	}
	before := asked.Load()
	c.Runtime.MaxInFlight = 7
	c.Upstreams[0].Endpoints[1].Weight = 3
	r.write(delivery.CurrentKey, encode(t, c))
	r.await("the new revision", func(s report.Status) bool { return s.Revision == delivery.Revision(encode(t, c)) })
	for range 8 {
		if resp := r.post("/note", `{"question":"hi"}`); resp.StatusCode != http.StatusOK {
			t.Errorf("%d after the reload", resp.StatusCode)
		}
	}
	if now := asked.Load(); before != 2 || now != before {
		t.Errorf("the endpoint that fails got %d calls before the reload and %d after it, want 2 and 0", before, now-before)
	}
	states := r.g.Status().Upstreams
	if len(states) != 1 || len(states[0].Unavailable) != 1 || states[0].Unavailable[0].Until.Before(time.Now().Add(time.Minute)) {
		t.Fatalf("the status has %+v", states)
	}
	states[0].Unavailable[0].Until = time.Time{}
	want := report.Upstream{
		Name: "a", Endpoints: 2, Available: 1, Ejections: 1,
		Unavailable: []report.Endpoint{{Host: strings.TrimPrefix(dead, "http://"), Condition: "Ejected"}},
	}
	if diff := cmp.Diff(want, states[0]); diff != "" {
		t.Error(diff)
	}
	const figures = `
# HELP llmservice_upstream_ejections_total Endpoints that were left out because they failed.
# TYPE llmservice_upstream_ejections_total counter
llmservice_upstream_ejections_total{upstream="a"} 1
# HELP llmservice_upstream_endpoints Endpoints of an upstream.
# TYPE llmservice_upstream_endpoints gauge
llmservice_upstream_endpoints{upstream="a"} 2
# HELP llmservice_upstream_endpoints_available Endpoints that have their share of the calls.
# TYPE llmservice_upstream_endpoints_available gauge
llmservice_upstream_endpoints_available{upstream="a"} 1
`
	if err := testutil.GatherAndCompare(r.g.metrics.Registry, strings.NewReader(figures),
		"llmservice_upstream_ejections_total", "llmservice_upstream_endpoints", "llmservice_upstream_endpoints_available"); err != nil {
		t.Error(err)
	}
}

// A status lists few endpoints, however many fail.
func TestAStatusOfManyFailingEndpointsIsShort(t *testing.T) {
	c := assistant()
	l := listen(t)
	_ = l.Close()
	for i := range 10 {
		u := assistant("http://" + l.Addr().String()).Upstreams[0]
		u.Name = fmt.Sprint("u", i)
		for j := range 15 {
			u.Endpoints = append(u.Endpoints, config.Endpoint{URL: fmt.Sprint("http://", l.Addr(), "/", strings.Repeat("x", 1000), j)})
		}
		c.Upstreams = append(c.Upstreams, u)
		c.Models[0].Upstreams = append(c.Models[0].Upstreams, u.Name)
	}
	c.Routes = nil
	r := start(t, c)
	if status, answer := r.ask("ask-1"); status != http.StatusBadGateway {
		t.Fatalf("%d %s", status, answer)
	}
	listed, ejections := 0, int64(0)
	for _, u := range r.g.Status().Upstreams {
		listed, ejections = listed+len(u.Unavailable), ejections+u.Ejections
	}
	if listed != report.MaxUnavailable || ejections != 160 {
		t.Errorf("%d endpoints are listed of %d that were ejected", listed, ejections)
	}
}

// Limits of the config are those of calls: more wait, as many as may, and others are refused.
func TestLimitsOfAnUpstreamAreKept(t *testing.T) {
	for name, limit := range map[string]func(u *config.Upstream){
		"of the upstream": func(u *config.Upstream) { u.MaxInFlight = 3 },
		"of the endpoint": func(u *config.Upstream) { u.Endpoints[0].MaxInFlight = 3 },
	} {
		t.Run(name, func(t *testing.T) {
			released := make(chan struct{})
			url := serve(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				<-released
				w.Header().Set("Content-Type", "application/json")
				_, _ = w.Write([]byte("{}"))
			}))
			c := noted(url)
			limit(&c.Upstreams[0])
			c.Upstreams[0].Queue = &config.Queue{Depth: 30, Timeout: config.Duration(patience)}
			r := start(t, c)
			answered := make(chan map[int]int, 1)
			go func() { answered <- r.atOnce(40, "/note", `{"question":"hi"}`) }()
			r.await("7 calls are refused", func(s report.Status) bool { return s.Upstreams[0].Refusals == 7 })
			if u := r.g.Status().Upstreams[0]; u.InFlight != 3 || u.Waiting != 30 {
				t.Errorf("%d calls are open, %d wait; want 3 and 30", u.InFlight, u.Waiting)
			}
			close(released)
			if diff := cmp.Diff(map[int]int{http.StatusOK: 33, http.StatusTooManyRequests: 7}, <-answered); diff != "" {
				t.Error(diff)
			}
		})
	}
}
