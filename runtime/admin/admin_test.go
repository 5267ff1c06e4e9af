package admin_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	"go.uber.org/goleak"

	"github.com/llmservice/llmservice/runtime/admin"
	"github.com/llmservice/llmservice/runtime/config"
	"github.com/llmservice/llmservice/runtime/config/delivery"
	"github.com/llmservice/llmservice/runtime/config/report"
	"github.com/llmservice/llmservice/runtime/metrics"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var client = &http.Client{Timeout: 10 * time.Second}

// gateway stands for the process that the listener tells of.
type gateway struct {
	notReady atomic.Pointer[error]
	status   report.Status
	registry *prometheus.Registry
}

func (g *gateway) unready(err error) { g.notReady.Store(&err) }

func (g *gateway) options() admin.Options {
	return admin.Options{
		Status: func() report.Status { return g.status },
		Ready: func() error {
			if err := g.notReady.Load(); err != nil {
				return *err
			}
			return nil
		},
		Registry: g.registry,
		Logger:   slog.New(slog.DiscardHandler),
	}
}

// start serves until the test ends, and gives the base URL.
func start(t *testing.T, o admin.Options) string {
	t.Helper()
	l := listen(t)
	serve(t, o, l)
	return "http://" + l.Addr().String()
}

// serve runs the admin server on a listener until the test ends.
func serve(t *testing.T, o admin.Options, l net.Listener) {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- admin.New(o).Serve(ctx, l) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Errorf("Serve: %v", err)
		}
		client.CloseIdleConnections()
	})
}

func listen(t *testing.T) net.Listener {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return l
}

type answer struct {
	status int
	header http.Header
	body   string
}

func do(t *testing.T, method, url, accept string) answer {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Accept", accept)
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer{resp.StatusCode, resp.Header, string(body)}
}

func TestPaths(t *testing.T) {
	g := &gateway{registry: prometheus.NewRegistry()}
	base := start(t, g.options())
	for _, tc := range []struct {
		method, path string
		status       int
		allow        string
	}{
		{"GET", report.LivePath, 200, ""},
		{"HEAD", report.LivePath, 200, ""},
		{"GET", report.ReadyPath, 200, ""},
		{"GET", report.StatusPath, 200, ""},
		{"GET", report.MetricsPath, 200, ""},
		{"POST", report.LivePath, 405, "GET, HEAD"},
		{"PUT", report.ReadyPath, 405, "GET, HEAD"},
		{"DELETE", report.StatusPath, 405, "GET, HEAD"},
		{"POST", report.MetricsPath, 405, "GET, HEAD"},
		{"GET", "/", 404, ""},
		{"GET", report.StatusPath + "/", 404, ""},
		{"GET", "/debug/pprof/", 404, ""},
		{"GET", "/debug/pprof/heap", 404, ""},
		{"GET", "/debug/vars", 404, ""},
		{"GET", "/v1/models", 404, ""},
	} {
		t.Run(tc.method+" "+tc.path, func(t *testing.T) {
			got := do(t, tc.method, base+tc.path, "")
			if got.status != tc.status || got.header.Get("Allow") != tc.allow {
				t.Errorf("got %d, Allow %q; want %d, %q", got.status, got.header.Get("Allow"), tc.status, tc.allow)
			}
		})
	}
}

func TestReadyFollowsTheGateway(t *testing.T) {
	g := &gateway{registry: prometheus.NewRegistry()}
	g.unready(errors.New("no config has been loaded"))
	base := start(t, g.options())
	for _, tc := range []struct {
		err    error
		status int
		body   string
	}{
		{errors.New("no config has been loaded"), 503, "no config has been loaded\n"},
		{nil, 200, "ok\n"},
		{errors.New("draining"), 503, "draining\n"},
		{errors.Join(errors.New("one"), errors.New("two")), 503, "one; two\n"},
	} {
		g.unready(tc.err)
		if got := do(t, "GET", base+report.ReadyPath, ""); got.status != tc.status || got.body != tc.body {
			t.Errorf("%v: got %d %q, want %d %q", tc.err, got.status, got.body, tc.status, tc.body)
		}
		if got := do(t, "GET", base+report.LivePath, ""); got.status != 200 || got.body != "ok\n" {
			t.Errorf("%v: live got %d %q; a gateway that is not ready is not to be killed", tc.err, got.status, got.body)
		}
	}
}

func TestStatusIsTheContracts(t *testing.T) {
	want := report.Status{
		Version: config.Version, Revision: "9f2c", Source: delivery.LastGoodKey, Draining: true, InFlight: 3,
		Rejected: &report.RejectedConfig{Revision: "aa", Message: "routes[0].path: <&>"},
		Streams:  report.Streams{Opened: 7, Open: 2, Done: 3, Failed: 1, Cancelled: 1},
		Secrets:  []report.SecretState{{SecretFile: config.SecretFile{Secret: "s", Key: "k"}, Loaded: true}},
	}
	g := &gateway{registry: prometheus.NewRegistry(), status: want}
	got := do(t, "GET", start(t, g.options())+report.StatusPath, "")
	if media := got.header.Get("Content-Type"); media != "application/json" {
		t.Errorf("Content-Type %q", media)
	}
	if cache := got.header.Get("Cache-Control"); cache != "no-store" {
		t.Errorf("Cache-Control %q", cache)
	}
	var read report.Status
	if err := json.Unmarshal([]byte(got.body), &read, json.RejectUnknownMembers(true)); err != nil {
		t.Fatalf("%v in %s", err, got.body)
	}
	if diff := cmp.Diff(want, read); diff != "" {
		t.Errorf("status (-want +got):\n%s", diff)
	}
}

func TestScrape(t *testing.T) {
	zero := func() int64 { return 0 }
	m := metrics.New(metrics.Load{
		InFlight: func() int64 { return 42 }, MaxInFlight: zero, Budget: zero, Reserved: zero, Refused: zero,
		Upstreams: func() []report.Upstream { return []report.Upstream{{Name: "fast", InFlight: 3}} },
		Endpoints: func() []metrics.Endpoint { return nil }, Unreadable: zero,
	})
	m.Serving("9f2c")
	g := &gateway{registry: m.Registry}
	base := start(t, g.options())

	text := do(t, "GET", base+report.MetricsPath, "text/plain;version=0.0.4")
	parser := expfmt.NewTextParser(model.LegacyValidation)
	families, err := parser.TextToMetricFamilies(strings.NewReader(text.body))
	if err != nil {
		t.Fatal(err)
	}
	inFlight := families["llmservice_in_flight"]
	if inFlight == nil || inFlight.GetMetric()[0].GetGauge().GetValue() != 42 {
		t.Errorf("llmservice_in_flight: got %v, want 42", inFlight)
	}
	problems, err := promlint.New(strings.NewReader(text.body)).Lint()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		t.Errorf("promlint: %s: %s", p.Metric, p.Text)
	}

	open := do(t, "GET", base+report.MetricsPath, "application/openmetrics-text;version=1.0.0")
	if media := open.header.Get("Content-Type"); !strings.HasPrefix(media, "application/openmetrics-text; version=1.0.0") {
		t.Errorf("Content-Type %q, want OpenMetrics", media)
	}
	if !strings.HasSuffix(open.body, "# EOF\n") {
		t.Error("the OpenMetrics exposition does not end with # EOF")
	}
}

func TestProfilesWhereAskedFor(t *testing.T) {
	g := &gateway{registry: prometheus.NewRegistry()}
	o := g.options()
	o.Profiling = true
	base := start(t, o)
	for _, path := range []string{"/debug/pprof/", "/debug/pprof/heap", "/debug/pprof/cmdline"} {
		if got := do(t, "GET", base+path, ""); got.status != 200 || got.body == "" {
			t.Errorf("%s: got %d with %d bytes", path, got.status, len(got.body))
		}
	}
}

// An answer that has begun when the server is told to stop arrives whole, and Serve returns only after it.
func TestStopIsGraceful(t *testing.T) {
	entered, leave := make(chan struct{}), make(chan struct{})
	g := &gateway{registry: prometheus.NewRegistry()}
	o := g.options()
	o.Status = func() report.Status {
		close(entered)
		<-leave
		return report.Status{Revision: "9f2c"}
	}
	l := listen(t)
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- admin.New(o).Serve(ctx, l) }()

	conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	if _, err := io.WriteString(conn, "GET "+report.StatusPath+" HTTP/1.1\r\nHost: a\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	<-entered
	stop()
	for { // the listener closes first
		c, err := new(net.Dialer).DialContext(t.Context(), "tcp", l.Addr().String())
		if err != nil {
			break
		}
		_ = c.Close()
	}
	select {
	case err := <-ended:
		t.Fatalf("Serve returned (%v) while an answer was open", err)
	default:
	}
	close(leave)
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	if body, err := io.ReadAll(resp.Body); err != nil || !strings.Contains(string(body), "9f2c") {
		t.Errorf("got %q, %v", body, err)
	}
	if err := <-ended; err != nil {
		t.Errorf("Serve: %v", err)
	}
}

func TestServeReportsABrokenListener(t *testing.T) {
	g := &gateway{registry: prometheus.NewRegistry()}
	l := listen(t)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if err := admin.New(g.options()).Serve(t.Context(), l); !errors.Is(err, net.ErrClosed) {
		t.Errorf("got %v, want %v", err, net.ErrClosed)
	}
}
