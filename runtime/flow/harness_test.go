package flow

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
	"go.uber.org/goleak"

	"github.com/llmservice/llmservice/runtime/admission"
	"github.com/llmservice/llmservice/runtime/config"
	"github.com/llmservice/llmservice/runtime/config/program"
	"github.com/llmservice/llmservice/runtime/engine/nethttp"
	"github.com/llmservice/llmservice/runtime/llm"
	"github.com/llmservice/llmservice/runtime/problem"
	"github.com/llmservice/llmservice/runtime/protocol"
	"github.com/llmservice/llmservice/runtime/relay"
	"github.com/llmservice/llmservice/runtime/relay/enginetest"
	"github.com/llmservice/llmservice/runtime/requestlog"
	"github.com/llmservice/llmservice/runtime/route"
	"github.com/llmservice/llmservice/runtime/upstream"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// world is a gateway with one or more routes, behind the real engine, over pipes in place of a network: within a bubble of
// testing/synctest all its time is virtual. Its upstreams are functions.
type world struct {
	t         *testing.T
	began     time.Time
	client    *scripted
	http      *http.Client
	admission *admission.Admission
	memory    int64
	fronts    map[string]llm.Front
	drain     func() // begins a drain

	mu       sync.Mutex
	reports  []string
	panics   []string
	invalid  []string
	observed []string // UPSTREAM:FAILURE of each attempt
	outcomes []relay.Outcome
}

// models are the upstreams that stand for models; web is a plain HTTP service.
var models = []string{"a", "b", "c"}

// settings are a world's, other than its routes.
type settings struct {
	functions string // a JSON list
	// dependencies are the service's, a JSON list.
	dependencies string
	timeouts     config.Timeouts
	endpoints    int   // of each upstream; 0 means one
	memory       int64 // of the replica; 0 is enough
	// dialects are those of upstreams that do not speak OpenAI's. front, if set, is the dialect of streams in its place.
	dialects map[string]llm.Dialect
	front    llm.Front
}

// newWorld serves routes, each a JSON object that is merged into a default.
func newWorld(t *testing.T, s settings, script map[string]upstreamFunc, routes ...string) *world {
	t.Helper()
	w := &world{t: t, began: time.Now(), memory: s.memory, client: &scripted{began: time.Now(), script: script}}
	p := compiled(t, s, routes...)
	ups := map[string]*upstream.Upstream{}
	w.fronts = protocol.Formats()
	if s.front != nil {
		w.fronts[config.FormatOpenAI] = s.front
	}
	for i := range p.Config.Upstreams {
		u := &p.Config.Upstreams[i]
		o := upstream.Options{Name: u.Name, Timeouts: upstream.Timeouts{
			Connect: u.Timeouts.Connect.Std(), FirstToken: u.Timeouts.FirstToken.Std(),
			Idle: u.Timeouts.Idle.Std(), Total: u.Timeouts.Total.Std(),
		}}
		_, o.Model = u.Protocol()
		o.Dialect = protocol.DialectOf(u)
		if d, other := s.dialects[u.Name]; other {
			o.Dialect = d
		}
		var members upstream.Members
		for _, e := range u.Endpoints {
			members = append(members, upstream.Member{Endpoint: &upstream.Endpoint{URL: e.URL}})
		}
		o.Endpoints = members
		ups[u.Name] = upstream.New(o)
	}
	w.serve(p, ups)
	return w
}

func compiled(t testing.TB, s settings, routes ...string) *program.Program {
	t.Helper()
	c := &config.Config{
		Version: config.Version, Service: config.Service{Name: "test"}, Runtime: config.Runtime{MaxInFlight: 100},
	}
	def := config.Timeouts{
		Connect: config.Duration(time.Second), FirstToken: config.Duration(10 * time.Second),
		Idle: config.Duration(20 * time.Second), Total: config.Duration(2 * time.Minute),
	}
	if s.timeouts != (config.Timeouts{}) {
		def = s.timeouts
	}
	for _, name := range append([]string{"web"}, models...) {
		u := config.Upstream{Name: name, Timeouts: def, OpenAI: &config.OpenAI{Model: "model-" + name}}
		if name == "web" {
			u.OpenAI, u.HTTP = nil, &config.HTTP{}
		}
		for i := range max(s.endpoints, 1) {
			u.Endpoints = append(u.Endpoints, config.Endpoint{URL: fmt.Sprintf("http://%s.test/%d", name, i)})
		}
		c.Upstreams = append(c.Upstreams, u)
	}
	if s.functions != "" {
		mustUnmarshal(t, s.functions, &c.Functions)
	}
	if s.dependencies != "" {
		mustUnmarshal(t, s.dependencies, &c.Dependencies)
	}
	for _, text := range routes {
		r := config.Route{
			Path: "/", Method: http.MethodPost, Timeout: config.Duration(30 * time.Second),
			Budget: config.Budget{MaxCalls: 64, MaxBytes: 16 << 20},
		}
		mustUnmarshal(t, text, &r)
		c.Routes = append(c.Routes, r)
	}
	p, errs := program.Compile(c)
	if len(errs) > 0 {
		t.Fatalf("compile: %v", errs)
	}
	return p
}

func mustUnmarshal(t testing.TB, text string, into any) {
	t.Helper()
	if err := json.Unmarshal([]byte(text), into, json.RejectUnknownMembers(true)); err != nil {
		t.Fatalf("%v in %s", err, text)
	}
}

const maxStreamDuration = 5 * time.Minute

func (w *world) serve(p *program.Program, ups map[string]*upstream.Upstream) {
	w.admission = admission.New(2, cmp.Or(w.memory, 1<<30))
	w.admission.SetLimit(100)
	env := &Environment{
		Client: w.client, Upstreams: ups, Fronts: w.fronts, MaxStreamDuration: maxStreamDuration, Heavy: w.admission.Heavy,
		Observe:       func(name string, f relay.Failure) { w.note(&w.observed, name+":"+f.Error()) },
		Report:        func(_ *requestlog.Record, _ string, err error) { w.note(&w.reports, chain(err)) },
		Panicked:      func(kind string, _ []byte) { w.note(&w.panics, kind) },
		InvalidAnswer: func(route string) { w.note(&w.invalid, route) },
	}
	routes, err := Compile(p, env)
	if err != nil {
		w.t.Fatal(err)
	}
	policy := &worldPolicy{world: w}
	for i, r := range routes {
		if err := policy.table.Add(p.Config.Routes[i].Method, p.Config.Routes[i].Path, r); err != nil {
			w.t.Fatal(err)
		}
	}
	listener := enginetest.Listen()
	w.http = &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }, Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext:       func(ctx context.Context, _, _ string) (net.Conn, error) { return listener.Dial(ctx) },
	}}
	engine := nethttp.New(nethttp.Options{
		Logger: slog.New(slog.DiscardHandler), AcceptLoops: 1,
		Connections: func() int { return 100 }, BodyTimeout: time.Minute, WriteTimeout: time.Minute,
		ReplyTimeout: time.Minute, DrainTimeout: time.Second,
	})
	ctx, stop := context.WithCancel(context.WithoutCancel(w.t.Context()))
	w.drain = stop
	ended := make(chan error, 1)
	go func() { ended <- engine.Serve(ctx, listener, policy) }()
	w.t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			w.t.Error(err)
		}
	})
}

// chain is an error with the causes that clients do not see, as the gateway logs it.
func chain(err error) string {
	text := err.Error()
	if cause := errors.Unwrap(err); cause != nil {
		text += ": " + cause.Error()
	}
	return text
}

// hold is another request that is in flight.
func (w *world) hold() *admission.Hold {
	h := &admission.Hold{}
	w.admission.Enter(h)
	return h
}

func (w *world) note(list *[]string, what string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	*list = append(*list, what)
}

// noted is a copy of one of the lists.
func (w *world) noted(list *[]string) []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return append([]string{}, *list...)
}

// worldPolicy implements relay.Policy and relay.Exchange over routes.
type worldPolicy struct {
	*world

	table route.Table[*Route]
}

func (p *worldPolicy) Begin(*relay.Head) relay.Exchange { return &worldExchange{worldPolicy: p} }

// worldExchange implements relay.Exchange.
type worldExchange struct {
	*worldPolicy
	admission.Hold

	admitted bool
}

func (p *worldPolicy) Patience() time.Duration { return 0 }

func (x *worldExchange) Admit(context.Context) *relay.Reply {
	if x.admitted = x.admission.Enter(&x.Hold); !x.admitted {
		return relay.Problem(problem.FastAPI, problem.Busy(time.Second))
	}
	return nil
}

func (x *worldExchange) Release() {
	if x.admitted {
		x.Hold.Release()
	}
}

func (p *worldPolicy) BodyLimit() int64 { return 4 << 20 }

func (p *worldPolicy) Decide(ctx context.Context, r *relay.Request) relay.Verdict {
	found, params, wrong := p.table.Match(r.Method, r.EscapedPath)
	if wrong != nil {
		return relay.Verdict{Reply: relay.Problem(problem.FastAPI, wrong)}
	}
	r.Params = params
	return found.Decide(ctx, r)
}

func (p *worldPolicy) Within(ctx context.Context) context.Context { return ctx }

func (p *worldPolicy) Done(o relay.Outcome) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.outcomes = append(p.outcomes, o)
}

func (p *worldPolicy) Refuse(r relay.Refusal) *relay.Reply {
	if r == relay.NoMemory {
		return relay.Problem(problem.FastAPI, problem.Busy(time.Second))
	}
	return &relay.Reply{Status: 400}
}

func (p *worldPolicy) Panicked(_ relay.Exchange, value any) *relay.Reply {
	p.note(&p.panics, fmt.Sprint(value))
	return &relay.Reply{Status: 500}
}

// got is an answer, and when it had arrived in full.
type got struct {
	status int
	header http.Header
	body   string
	err    error
	after  time.Duration
}

// code is the code of the problem in the answer, or in the last event of a stream.
func (g got) code() string {
	_, rest, found := strings.Cut(g.body, `"code":"`)
	if !found {
		return ""
	}
	code, _, _ := strings.Cut(rest, `"`)
	return code
}

func (w *world) post(body string) got {
	w.t.Helper()
	return w.do(w.t.Context(), "/", body, nil)
}

func (w *world) do(ctx context.Context, path, body string, header http.Header) got {
	w.t.Helper()
	began := time.Now()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://gateway.test"+path, strings.NewReader(body))
	if err != nil {
		w.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	maps.Copy(req.Header, header)
	resp, err := w.http.Do(req)
	if err != nil {
		return got{err: err, after: time.Since(began)}
	}
	defer func() { _ = resp.Body.Close() }()
	answer, err := io.ReadAll(resp.Body)
	return got{status: resp.StatusCode, header: resp.Header, body: string(answer), err: err, after: time.Since(began)}
}

// wants fails the test if an answer is not the expected one.
func (w *world) wants(g got, status int, body string) {
	w.t.Helper()
	if g.err != nil || g.status != status || g.body != body {
		w.t.Errorf("%d %s (%v), want %d %s; reports %q", g.status, g.body, g.err, status, body, w.noted(&w.reports))
	}
}

// refused fails the test if an answer is not the expected problem.
func (w *world) refused(g got, status int, code problem.Code) {
	w.t.Helper()
	want := problem.New(code)
	if g.err != nil || g.status != status || !strings.Contains(g.body, want.Message) {
		w.t.Errorf("%d %s (%v), want %d %s; reports %q", g.status, g.body, g.err, status, code, w.noted(&w.reports))
	}
}

// blames fails the test if an answer does not name a place in the request, or a fault of the gateway was reported.
func (w *world) blames(g got, loc string) {
	w.t.Helper()
	if g.status != 422 || !strings.Contains(g.body, `{"type":"value_error","loc":`+loc+`,"msg":"Value error, `) || len(w.noted(&w.reports)) > 0 {
		w.t.Errorf("%d %s (%v), want 422 at %s; reports %q", g.status, g.body, g.err, loc, w.noted(&w.reports))
	}
}

func codeOf(text string) problem.Code { return problem.Code(text) }

func messageOf(code string) string { return problem.New(problem.Code(code)).Message }
