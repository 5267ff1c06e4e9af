package upstream

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/llmservice/llmservice/runtime/config/addresses"
	"github.com/llmservice/llmservice/runtime/config/egress"
	"github.com/llmservice/llmservice/runtime/pieces"
	"github.com/llmservice/llmservice/runtime/problem"
	"github.com/llmservice/llmservice/runtime/protocol/openai"
	"github.com/llmservice/llmservice/runtime/relay"
	"github.com/llmservice/llmservice/test/parley"
)

func TestMain(m *testing.M) {
	if os.Getenv(asServer) != "" {
		serveForever()
	}
	goleak.VerifyTestMain(eachKind{m})
}

// tested is the kind of client that tests use.
var tested Kind

// eachKind runs all tests with each kind of client. Fuzz targets and benchmarks have both themselves.
type eachKind struct{ *testing.M }

func (m eachKind) Run() int {
	flag.Parse()
	if flag.Lookup("test.fuzz").Value.String() != "" || flag.Lookup("test.bench").Value.String() != "" {
		return m.M.Run()
	}
	for _, tested = range []Kind{NetHTTP, Own} {
		fmt.Fprintln(os.Stderr, "client of upstreams:", tested)
		if code := m.M.Run(); code != 0 {
			return code
		}
	}
	return 0
}

func two(t *testing.T, credentials *Credentials, secret string) *Plan {
	t.Helper()
	var known Pools
	upstream := func(name string, urls ...string) *Upstream {
		o := Options{Name: name, Model: "model-" + name, Credentials: credentials}
		var members Members
		for _, url := range urls {
			members = append(members, Member{Endpoint: known.Get(EndpointKey{name, url})})
		}
		o.Endpoints, o.Pool = members, known.Pool(name)
		return New(o)
	}
	first := upstream("first", "http://a/v1", "http://b/v1/")
	first.Auth.Bearer = secret
	return &Plan{
		Upstreams: []*Upstream{first, upstream("second", "http://c")},
		Ask: func(u *Upstream) (*Question, error) {
			return &Question{Path: "/chat", Tap: letterTap{}, Body: pieces.Text{[]byte(u.Model)}}, nil
		},
	}
}

func TestAttemptsTryEveryEndpointOnceInOrder(t *testing.T) {
	next := two(t, nil, "").Attempts()
	failure := relay.Failure{}
	var asked []string
	for {
		a, final := next(t.Context(), failure)
		if a == nil {
			if final.Kind != relay.FailedConnect {
				t.Errorf("final failure %v", final)
			}
			break
		}
		asked = append(asked, a.Upstream+" "+a.Call.URL+" "+string(a.Call.Body.Joined()))
		a.Release()
		failure = relay.Failure{Kind: relay.FailedConnect}
	}
	if len(asked) != 3 || asked[0] == asked[1] || asked[2] != "second http://c/chat model-second" {
		t.Errorf("asked %q", asked)
	}
	for _, a := range asked[:2] {
		if a != "first http://a/v1/chat model-first" && a != "first http://b/v1/chat model-first" {
			t.Errorf("asked %q", a)
		}
	}
}

func TestAttemptsStopWhereAnotherWouldFailToo(t *testing.T) {
	for _, f := range []relay.Failure{
		{Kind: relay.FailedStatus, Status: 400},
		{Kind: relay.FailedStatus, Status: 404},
		{Kind: relay.FailedTimeout},
		{Kind: relay.FailedClient},
		{Kind: relay.FailedDraining},
		{Kind: relay.FailedTooLarge},
	} {
		next := two(t, nil, "").Attempts()
		first, _ := next(t.Context(), relay.Failure{})
		first.Release()
		if a, final := next(t.Context(), f); a != nil || final.Kind != f.Kind {
			t.Errorf("after %v: another attempt (%v), final %v", f, a != nil, final)
		}
	}
}

func TestAMissingCredentialMovesOn(t *testing.T) {
	next := two(t, NewCredentials(t.TempDir(), "/"), "keys/openai").Attempts()
	a, _ := next(t.Context(), relay.Failure{})
	if a == nil || a.Upstream != "second" || a.Call.Header.Get("Authorization") != "" {
		t.Fatalf("attempt %+v", a)
	}
	a.Release()
	if a, final := next(t.Context(), relay.Failure{Kind: relay.FailedConnect}); a != nil || final.Kind != relay.FailedConnect {
		t.Errorf("final %v", final)
	}
	alone := two(t, NewCredentials(t.TempDir(), "/"), "keys/openai")
	alone.Upstreams = alone.Upstreams[:1]
	if a, final := alone.Attempts()(t.Context(), relay.Failure{}); a != nil || final.Kind != relay.FailedCredential {
		t.Errorf("final %v", final)
	}
}

func TestEndpointsKeepTheirStateAcrossConfigs(t *testing.T) {
	var known Pools
	key, other := EndpointKey{"u", "a"}, EndpointKey{"v", "a"}
	a := known.Get(key)
	if known.Get(other) == a {
		t.Error("two upstreams at one URL share their state")
	}
	known.Retain(map[EndpointKey]bool{key: true})
	if known.Get(key) != a {
		t.Error("a retained endpoint was forgotten")
	}
	known.Retain(map[EndpointKey]bool{other: true})
	if known.Get(key) == a {
		t.Error("an endpoint that no config names is remembered")
	}
}

func TestRetryAfter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		in := time.Now().Add(90 * time.Second).UTC().Format(http.TimeFormat)
		for value, want := range map[string]time.Duration{
			"7": 7 * time.Second, "0": 0, "-3": 0, "soon": 0, "99999999999999999999": time.Hour, "7200": time.Hour,
			in: 90 * time.Second, "Thu, 01 Jan 1970 00:00:00 GMT": 0,
		} {
			a := &Answer{Status: 429, Header: http.Header{"Retry-After": {value}}}
			if got := StatusFailure(a).RetryAfter; got != want {
				t.Errorf("%q: %s, want %s", value, got, want)
			}
		}
	})
}

func TestCredentialsAreReadAnew(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "keys", "openai")
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		c := NewCredentials(dir, "/")
		if _, err := c.Read("keys/openai"); !errors.Is(err, os.ErrNotExist) && (err == nil || !strings.Contains(err.Error(), "keys/openai")) {
			t.Errorf("missing: %v", err)
		}
		for content, want := range map[string]string{"one\n": "one", "two\t\n": "two", "": "is empty", "a\nb": "more than one line", strings.Repeat("x", 9<<10): "8192"} {
			if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
				t.Fatal(err)
			}
			time.Sleep(credentialTTL)
			got, err := c.Read("keys/openai")
			switch {
			case err != nil && !strings.Contains(err.Error(), want), err == nil && got != want:
				t.Errorf("%.10q: %q, %v; want %q", content, got, err, want)
			case err != nil && strings.Contains(err.Error(), "a\nb"):
				t.Error("the value is in the error")
			}
			if c.Loaded("keys/openai") != (err == nil) {
				t.Error("Loaded disagrees with Read")
			}
		}
	})
}

func TestClientFollowsNoRedirect(t *testing.T) {
	asked := make(chan http.Header, 4)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked <- r.Header
		http.Redirect(w, r, "http://127.0.0.1:1/", http.StatusFound)
	}))
	defer server.Close()
	c := NewClient(addresses.Rules{}, egress.Proxy{}, tested)
	defer c.Close()
	for range 2 {
		answer, err := c.Do(t.Context(), &Call{Method: "POST", URL: server.URL, Header: http.Header{}, Connect: time.Second})
		if err != nil {
			t.Fatal(err)
		}
		_ = answer.Body.Close()
		if h := <-asked; answer.Status != http.StatusFound || h.Get("Accept-Encoding") != "" {
			t.Errorf("status %d, headers %v", answer.Status, h)
		}
	}
}

func TestConnectIsBounded(t *testing.T) {
	c := NewClient(addresses.Rules{}, egress.Proxy{}, tested)
	defer c.Close()
	_, err := c.Do(t.Context(), &Call{Method: "POST", URL: "http://127.0.0.1:1", Header: http.Header{}, Connect: time.Second})
	if f, ok := errors.AsType[relay.Failure](err); !ok || f.Kind != relay.FailedConnect || !f.Unsent {
		t.Errorf("a closed port: %v, want a failure to connect that says that nothing was sent", err)
	}
}

// A client gets an error that it can act on, and never the upstream's words.
func TestProblems(t *testing.T) {
	for kind, want := range map[relay.FailureKind]problem.Code{
		relay.FailedConnect: problem.UpstreamUnreachable, relay.FailedAddress: problem.UpstreamUnreachable,
		relay.FailedDial: problem.UpstreamUnreachable, relay.FailedHeader: problem.UpstreamTimeout,
		relay.FailedFirstToken: problem.UpstreamTimeout,
		relay.FailedIdle:       problem.UpstreamTimeout, relay.FailedTotal: problem.UpstreamTimeout,
		relay.FailedTruncated: problem.UpstreamTruncated, relay.FailedMalformed: problem.UpstreamError,
		relay.FailedEvent: problem.UpstreamError, relay.FailedTooLarge: problem.UpstreamError,
		relay.FailedCredential: problem.UpstreamUnavailable, relay.FailedTimeout: problem.Timeout,
		relay.FailedDuration: problem.DurationExceeded, relay.FailedDraining: problem.Draining, relay.FailedPanic: problem.Internal,
		relay.FailedBudget: problem.BudgetExceeded, relay.FailedSchema: problem.ResponseInvalid,
		relay.FailedSuperseded: problem.Internal,
	} {
		e := Problem(relay.Failure{Kind: kind, Err: errors.New("sk-secret")})
		if e.Code != want || strings.Contains(e.Message, "sk-secret") {
			t.Errorf("%s: %+v, want %s", kind, e, want)
		}
	}
}

// A step's own error is a problem already.
func TestAStepsOwnProblem(t *testing.T) {
	own := problem.TooLarge(7)
	if got := Problem(fmt.Errorf("steps.answer: %w", own)); got != own {
		t.Errorf("%+v", got)
	}
	// An upstream's failure stays the same, no matter what led to it.
	if got := Problem(relay.Failure{Kind: relay.FailedMalformed, Err: own}); got.Code != problem.UpstreamError {
		t.Errorf("%+v", got)
	}
}

func TestWholeStopsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	calls := 0
	client := clientFunc(func(context.Context, *Call) (*Answer, error) {
		calls++
		cancel()
		return nil, errors.New("gone")
	})
	p := two(t, nil, "")
	for _, u := range p.Upstreams {
		u.Timeouts.Total = time.Minute
	}
	_, err := Fetch(ctx, client, p.Attempts(), Expect{}, nil)
	if calls != 1 || relay.FailureKindOf(err) != relay.FailedClient {
		t.Errorf("%d calls, failure %v", calls, err)
	}
}

type clientFunc func(context.Context, *Call) (*Answer, error)

func (f clientFunc) Do(ctx context.Context, c *Call) (*Answer, error) { return f(ctx, c) }

// A key is sent as its upstream's dialect sends keys, so a request that changes upstreams may change that, too.
func TestSecretsAreSentInEachDialect(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "key"), []byte("s3cret"), 0o600); err != nil {
		t.Fatal(err)
	}
	p := two(t, NewCredentials(dir, "/"), "key")
	p.Upstreams[0].Dialect, p.Upstreams[1].Dialect = parley.Dialect{}, openai.Dialect{}
	plain := New(Options{Name: "plain", Credentials: p.Upstreams[0].credentials, Endpoints: Members{{Endpoint: &Endpoint{URL: "http://d"}}}})
	p.Upstreams = append(p.Upstreams[:2], plain)
	for _, u := range p.Upstreams {
		u.Auth.Bearer = "key"
	}
	next, failure := p.Attempts(), relay.Failure{}
	for i, want := range []http.Header{
		{parley.KeyField: {"s3cret"}}, {parley.KeyField: {"s3cret"}}, {"Authorization": {"Bearer s3cret"}}, {"Authorization": {"Bearer s3cret"}},
	} {
		a, final := next(t.Context(), failure)
		if a == nil {
			t.Fatal(final)
		}
		got := http.Header{}
		for _, name := range []string{parley.KeyField, "Authorization"} {
			if values := a.Call.Header[name]; values != nil {
				got[name] = values
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("attempt %d (-want +got):\n%s", i, diff)
		}
		a.Release()
		failure = relay.Failure{Kind: relay.FailedConnect}
	}
}
