package gateway

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/llmservice/llmservice/runtime/config"
	"github.com/llmservice/llmservice/runtime/config/delivery"
	"github.com/llmservice/llmservice/runtime/config/report"
	"github.com/llmservice/llmservice/runtime/upstream"
	"github.com/llmservice/llmservice/test/mockllm"
	"github.com/llmservice/llmservice/test/transcript"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience bounds every wait of a test; nothing depends on how long a wait is.
const patience = 20 * time.Second

// replica is a running gateway and all that a test wants to do with it.
type replica struct {
	t        testing.TB
	g        *Gateway
	dir      string
	url      string
	adminURL string
	client   *http.Client
	logs     *transcript.Buffer
	stop     func() error // begins the drain and waits for its end
	begin    func()       // begins the drain
}

// upstreams starts a scripted model and returns its base URL.
func startMock(t testing.TB, o mockllm.Options) (*mockllm.Server, string) {
	t.Helper()
	mock := mockllm.New(o)
	server := httptest.NewServer(mock)
	t.Cleanup(func() {
		mock.Close()
		server.Close()
	})
	return mock, server.URL + "/v1"
}

// assistant is a config with one upstream per URL, a model over all of them in order, a streamed and a whole route.
func assistant(urls ...string) *config.Config {
	c := &config.Config{
		Version: config.Version,
		Service: config.Service{Name: "assistant", Namespace: "team-a"},
		Runtime: config.Runtime{MaxInFlight: 100},
		Models:  []config.Model{{Name: "assistant"}},
	}
	for i, url := range urls {
		name := string(rune('a' + i))
		c.Upstreams = append(c.Upstreams, config.Upstream{
			Name: name, OpenAI: &config.OpenAI{Model: "model-" + name}, Endpoints: []config.Endpoint{{URL: url}},
			Timeouts: config.Timeouts{
				Connect: config.Duration(patience), FirstToken: config.Duration(patience),
				Idle: config.Duration(patience), Total: config.Duration(patience),
			},
		})
		c.Models[0].Upstreams = append(c.Models[0].Upstreams, name)
	}
	chat := &config.Chat{Upstream: "a", Messages: []config.Message{
		{Role: "system", Content: "Be brief."}, {Role: "user", Content: "${request.body.question}"},
	}}
	request := &config.Request{Schema: []byte(`{"type":"object","required":["question"],"properties":{"question":{"type":"string","minLength":1}}}`)}
	budget := config.Budget{MaxCalls: 16, MaxBytes: 1 << 20}
	c.Routes = []config.Route{
		{
			Path: "/stream", Method: "POST", Timeout: config.Duration(patience), Budget: budget, Request: request,
			Steps: []config.Step{{Name: "answer", Action: config.Action{Chat: chat}}}, Response: &config.Response{Stream: "answer"},
		},
		{
			Path: "/answer", Method: "POST", Timeout: config.Duration(patience), Budget: budget, Request: request,
			Steps:    []config.Step{{Name: "answer", Action: config.Action{Chat: chat}}},
			Response: &config.Response{Body: []byte(`{"answer":"${steps.answer.text}","tokens":"${steps.answer.usage.total_tokens}"}`)},
		},
	}
	return c
}

func encode(t testing.TB, c *config.Config) []byte {
	t.Helper()
	encoded, err := config.Encode(c)
	if err != nil {
		t.Fatal(err)
	}
	return encoded
}

// option changes what a replica is started with.
type option func(*Options)

// start runs a gateway on loopback over the config, and ends it with the test.
func start(t testing.TB, c *config.Config, options ...option) *replica {
	t.Helper()
	return startAt(t, loopback, c, options...)
}

// startAt does so at ports of an address, which is one for net.Listen.
func startAt(t testing.TB, address string, c *config.Config, options ...option) *replica {
	t.Helper()
	r := &replica{t: t, dir: t.TempDir(), client: &http.Client{Transport: &http.Transport{}}, logs: &transcript.Buffer{}}
	if c != nil {
		r.write(delivery.CurrentKey, encode(t, c))
	}
	o := Options{
		Engine: Engine(os.Getenv(engineVariable)), UpstreamClient: upstream.Kind(os.Getenv(clientVariable)),
		ConfigDir: r.dir, SecretsDir: filepath.Join(r.dir, "secrets"), Workers: 2, MaxStreamDuration: patience,
		Logger: slog.New(slog.NewJSONHandler(r.logs, &slog.HandlerOptions{Level: slog.LevelDebug})),
	}
	for _, change := range options {
		change(&o)
	}
	g, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	r.g = g
	r.run(address)
	if c != nil {
		r.await("a config is served", func(s report.Status) bool { return s.Revision != "" })
	}
	return r
}

func (r *replica) run(address string) {
	api, adm := listenAt(r.t, address), listenAt(r.t, address)
	r.url, r.adminURL = "http://"+api.Addr().String(), "http://"+adm.Addr().String()
	ctx, cancel := context.WithCancel(context.WithoutCancel(r.t.Context()))
	ended := make(chan error, 1)
	go func() { ended <- r.g.Run(ctx, api, adm) }()
	r.begin = cancel
	r.stop = sync.OnceValue(func() error {
		cancel()
		select {
		case err := <-ended:
			return err
		case <-time.After(patience):
			return errors.New("the gateway did not end")
		}
	})
	r.t.Cleanup(func() {
		r.client.CloseIdleConnections()
		if err := r.stop(); err != nil {
			r.t.Errorf("run: %v", err)
		}
	})
}

const loopback = "127.0.0.1:0"

func listen(t testing.TB) net.Listener {
	t.Helper()
	return listenAt(t, loopback)
}

func listenAt(t testing.TB, address string) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// write puts a file into the config directory in one step.
func (r *replica) write(key string, content []byte) {
	r.t.Helper()
	next := filepath.Join(r.t.TempDir(), "next")
	if err := os.WriteFile(next, content, 0o600); err != nil {
		r.t.Fatal(err)
	}
	if err := os.Rename(next, filepath.Join(r.dir, key)); err != nil {
		r.t.Fatal(err)
	}
}

// await waits until the status says what the test needs.
func (r *replica) await(what string, ok func(report.Status) bool) {
	r.t.Helper()
	deadline := time.Now().Add(patience)
	for !ok(r.g.Status()) {
		if time.Now().After(deadline) {
			r.t.Fatalf("not in time: %s; status %+v\n%s", what, r.g.Status(), r.logs)
		}
		time.Sleep(time.Millisecond)
	}
}

// post sends a JSON body.
func (r *replica) post(path, body string) *http.Response {
	r.t.Helper()
	resp, err := r.client.Post(r.url+path, "application/json", strings.NewReader(body))
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { _ = resp.Body.Close() })
	return resp
}

// get reads a page of the API.
func (r *replica) get(path string) (int, string) {
	r.t.Helper()
	resp, err := r.client.Get(r.url + path)
	if err != nil {
		r.t.Fatal(err)
	}
	return resp.StatusCode, text(r.t, resp)
}

func text(t testing.TB, resp *http.Response) string {
	t.Helper()
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatalf("read the answer: %v (so far %q)", err, body)
	}
	return string(body)
}

// question is a body that the routes accept, asking the mock to follow the script.
func question(script string) string {
	body, _ := json.Marshal(map[string]string{"question": "[[mock " + script + "]]"})
	return string(body)
}

// completion is a body for /v1/chat/completions.
func completion(stream bool, script string) string {
	body, _ := json.Marshal(map[string]any{
		"model": "assistant", "stream": stream, "messages": []map[string]string{{"role": "user", "content": "[[mock " + script + "]]"}},
	})
	return string(body)
}

// events reads a stream to its end, one string of data per event.
func events(t testing.TB, resp *http.Response) []string {
	t.Helper()
	var all []string
	lines := bufio.NewScanner(resp.Body)
	lines.Buffer(nil, 8<<20)
	for lines.Scan() {
		if data, ok := strings.CutPrefix(lines.Text(), "data: "); ok {
			all = append(all, data)
		}
	}
	if err := lines.Err(); err != nil {
		t.Fatalf("the stream was cut: %v (after %d events)", err, len(all))
	}
	return all
}

// said joins the content of a stream's chunks.
func said(t testing.TB, chunks []string) string {
	t.Helper()
	var b strings.Builder
	for _, chunk := range chunks {
		var parsed struct {
			Choices []struct {
				Delta struct {
					Content string `json:"content"`
				} `json:"delta"`
			} `json:"choices"`
		}
		if chunk == "[DONE]" {
			break
		}
		if err := json.Unmarshal([]byte(chunk), &parsed); err != nil {
			t.Fatalf("chunk %q: %v", chunk, err)
		}
		for _, c := range parsed.Choices {
			b.WriteString(c.Delta.Content)
		}
	}
	return b.String()
}

// leave is a client that leaves once its request has so many calls of the mock open; each of them has to be cancelled.
func (r *replica) leave(mock *mockllm.Server, path, body string, calls int) {
	r.t.Helper()
	ctx, leave := context.WithTimeout(r.t.Context(), patience)
	defer leave()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, r.url+path, strings.NewReader(body))
	if err != nil {
		r.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	gone := make(chan struct{})
	go func() {
		defer close(gone)
		if resp, err := r.client.Do(req); err == nil {
			_ = resp.Body.Close()
		}
	}()
	// A stream's client may have left already: it goes as soon as the answer begins.
	if _, err := mock.Await(ctx, func(s mockllm.Stats) bool { return s.Open+s.Cancelled == calls }); err != nil {
		r.t.Fatal(err)
	}
	leave()
	<-gone
	wait, done := context.WithTimeout(r.t.Context(), patience)
	defer done()
	if s, err := mock.Await(wait, func(s mockllm.Stats) bool { return s.Cancelled == calls }); err != nil {
		r.t.Errorf("not cancelled: %+v", s)
	}
}
