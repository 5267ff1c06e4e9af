package docs_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/llmservice/llmservice/runtime/config"
	"github.com/llmservice/llmservice/runtime/config/delivery"
	"github.com/llmservice/llmservice/runtime/gateway"
)

// The models of a lab: one whose upstream has every endpoint, one for each that is translated to another, and a route.
const (
	modelFull      = "full"
	modelChats     = "chats"
	modelResponses = "responses"
	modelRoute     = "route"

	realModel    = "real"
	upstreamSays = "WORDS OF THE UPSTREAM"
)

// lab is a gateway with an upstream that keeps what it was asked.
type lab struct {
	t      *testing.T
	url    string
	client *http.Client
	status atomic.Int64 // of the upstream's answers
	asked  chan outcome // what it was asked last
}

// outcome is what an upstream was asked, and what the client was answered.
type outcome struct {
	path, body string
	asked      http.Header

	status               int
	header               http.Header
	code, param, message string
}

// refusal is the answer in a cell of a table.
func (o *outcome) refusal() string {
	text := fmt.Sprint(o.status)
	if o.code != "" {
		text += " `" + o.code + "`"
	}
	return text
}

const labPatience = time.Minute

func startLab(t *testing.T) *lab {
	t.Helper()
	l := &lab{t: t, client: &http.Client{Transport: &http.Transport{DisableKeepAlives: true, DisableCompression: true}}, asked: make(chan outcome, 1)}
	l.status.Store(http.StatusOK)
	upstream := httptest.NewServer(http.HandlerFunc(l.answer))
	t.Cleanup(upstream.Close)
	encoded, err := config.Encode(labConfig(upstream.URL + "/v1"))
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, delivery.CurrentKey), encoded, 0o600); err != nil {
		t.Fatal(err)
	}
	g, err := gateway.New(gateway.Options{
		ConfigDir: dir, SecretsDir: dir, Workers: 1, MaxStreamDuration: labPatience, Memory: 512 << 20, Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	l.run(g)
	return l
}

func (l *lab) run(g *gateway.Gateway) {
	var listeners [2]net.Listener
	for i := range listeners {
		var err error
		if listeners[i], err = (&net.ListenConfig{}).Listen(l.t.Context(), "tcp", "127.0.0.1:0"); err != nil {
			l.t.Fatal(err)
		}
	}
	l.url = "http://" + listeners[0].Addr().String()
	ctx, stop := context.WithCancel(context.WithoutCancel(l.t.Context()))
	ended := make(chan error, 1)
	go func() { ended <- g.Run(ctx, listeners[0], listeners[1]) }()
	l.t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			l.t.Errorf("the gateway ended with %v", err)
		}
	})
	for deadline := time.Now().Add(labPatience); g.Status().Revision == ""; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			l.t.Fatalf("no config is served: %+v", g.Status().Rejected)
		}
	}
}

func labConfig(url string) *config.Config {
	long := config.Duration(labPatience)
	c := &config.Config{
		Version: config.Version, Service: config.Service{Name: "lab", Namespace: "tests"}, Runtime: config.Runtime{MaxInFlight: 100},
	}
	for name, apis := range map[string][]string{
		modelFull: config.APIs, modelChats: {config.APIChatCompletions}, modelResponses: {config.APIResponses},
	} {
		c.Upstreams = append(c.Upstreams, config.Upstream{
			Name: name, Endpoints: []config.Endpoint{{URL: url}}, OpenAI: &config.OpenAI{Model: realModel, APIs: apis},
			Timeouts: config.Timeouts{Connect: long, FirstToken: long, Idle: long, Total: long},
		})
		c.Models = append(c.Models, config.Model{Name: name, Upstreams: []string{name}})
	}
	c.Routes = []config.Route{{
		Path: "/hello", Method: http.MethodPost, Timeout: long, Response: &config.Response{Body: []byte(`"hello"`)},
		Request: &config.Request{Schema: []byte(`{}`)}, Budget: config.Budget{MaxCalls: 1, MaxBytes: 1 << 20},
	}}
	c.Models = append(c.Models, config.Model{Name: modelRoute, Route: &config.ModelRoute{Path: "/hello", Body: []byte(`{}`)}})
	return c
}

// answer is the upstream's, with headers of its own.
func (l *lab) answer(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		panic(err)
	}
	l.asked <- outcome{path: r.URL.Path, body: string(body), asked: r.Header}
	for _, name := range []string{
		"Set-Cookie", "X-Request-Id", "Openai-Processing-Ms", "Openai-Version", "X-Ratelimit-Remaining-Requests", "Server", "Cache-Control",
		"Access-Control-Allow-Origin", "X-Anything", "Retry-After",
	} {
		w.Header().Set(name, "of-the-upstream")
	}
	w.Header().Set("Content-Type", "application/json; of=the-upstream")
	status := int(l.status.Load())
	switch {
	case status != http.StatusOK:
		w.WriteHeader(status)
		if status != http.StatusNotModified {
			_, _ = io.WriteString(w, `{"error":{"message":"`+upstreamSays+`","code":"of_the_upstream"}}`)
		}
	case r.Header.Get("Accept") == "text/event-stream":
		w.Header().Set("Content-Type", "text/event-stream; of=the-upstream")
		_, _ = io.WriteString(w, "data: {\"choices\":[{\"delta\":{\"content\":\"x\"}}]}\n\ndata: [DONE]\n\n")
	default:
		_, _ = io.WriteString(w, `{"id":"resp_1","model":"real","status":"completed","output":[],"data":[],"choices":[{"message":{"content":"x"},"text":"x"}]}`)
	}
}

// ask has a client send a request.
func (l *lab) ask(method, path, body string, header http.Header) outcome {
	l.t.Helper()
	req, err := http.NewRequestWithContext(l.t.Context(), method, l.url+path, strings.NewReader(body))
	if err != nil {
		l.t.Fatal(err)
	}
	maps.Copy(req.Header, header)
	req.Header.Set("Content-Type", "application/json")
	resp, err := l.client.Do(req)
	if err != nil {
		l.t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		l.t.Fatal(err)
	}
	var got outcome
	select {
	case got = <-l.asked:
	default: // no upstream was
	}
	got.status, got.header = resp.StatusCode, resp.Header
	var wrong struct {
		Error struct {
			Message string `json:"message"`
			Param   string `json:"param"`
			Code    string `json:"code"`
		} `json:"error"`
	}
	_ = json.Unmarshal(text, &wrong) // what is no error has none
	got.code, got.param, got.message = wrong.Error.Code, wrong.Error.Param, wrong.Error.Message
	return got
}

// refused is what a client of a model is told if the upstream answers with a status.
func (l *lab) refused(model string, status int) outcome {
	l.status.Store(int64(status))
	defer l.status.Store(http.StatusOK)
	path := "/v1/chat/completions"
	if model == modelChats {
		path = "/v1/responses"
	}
	return l.ask(http.MethodPost, path, body(path, model, ""), nil)
}
