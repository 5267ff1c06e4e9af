package browser_test

import (
	"bytes"
	"context"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/llmservice/llmservice/runtime/config"
	"github.com/llmservice/llmservice/runtime/config/delivery"
	"github.com/llmservice/llmservice/runtime/gateway"
	"github.com/llmservice/llmservice/test/mockllm"
	"github.com/llmservice/llmservice/test/variants"
)

// service is a gateway in front of a scripted model, whose answers a test lets go on token by token.
type service struct {
	url  string
	mock *mockllm.Server
	// held has an entry for each token that the model may say.
	held chan struct{}
}

// serve starts a gateway on loopback, and ends it with the test.
func serve(t *testing.T) *service {
	t.Helper()
	s := &service{mock: mockllm.New(mockllm.Options{}), held: make(chan struct{}, 100)}
	upstream := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mock.ServeHTTP(&holding{ResponseWriter: w, ctx: r.Context(), next: s.held}, r)
	}))
	t.Cleanup(func() {
		s.mock.Close()
		upstream.Close()
	})
	dir := t.TempDir()
	encoded, err := config.Encode(assistant(upstream.URL + "/v1"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, delivery.CurrentKey), encoded, 0o600); err != nil {
		t.Fatal(err)
	}
	v := variants.Of(t)
	g, err := gateway.New(gateway.Options{
		Engine: v.Engine, UpstreamClient: v.Client,
		ConfigDir: dir, SecretsDir: dir, Workers: 2, MaxStreamDuration: patience, Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	s.url = run(t, g)
	return s
}

// assistant has a streamed route of each format and a whole one, and a model.
func assistant(upstream string) *config.Config {
	const wait = config.Duration(patience)
	steps := []config.Step{{Name: "answer", Action: config.Action{Chat: &config.Chat{
		Upstream: "fast", Messages: []config.Message{{Role: "user", Content: "${request.body.question}"}},
	}}}}
	request := &config.Request{Schema: jsontext.Value(`{
		"type": "object", "title": "Question", "required": ["question"], "additionalProperties": false,
		"properties": {"question": {"type": "string", "minLength": 3, "description": "What you want to know."}}
	}`)}
	budget := config.Budget{MaxCalls: 10, MaxBytes: 1 << 20}
	return &config.Config{
		Version: config.Version,
		Service: config.Service{Name: "assistant"},
		Runtime: config.Runtime{MaxInFlight: 100},
		Upstreams: []config.Upstream{{
			Name: "fast", OpenAI: &config.OpenAI{Model: "model"}, Endpoints: []config.Endpoint{{URL: upstream}},
			Timeouts: config.Timeouts{Connect: wait, FirstToken: wait, Idle: wait, Total: wait},
		}},
		Models: []config.Model{{Name: "assistant", Upstreams: []string{"fast"}}},
		Routes: []config.Route{
			{
				Method: "POST", Path: "/stream", Summary: "Answer as it comes", Timeout: wait, Budget: budget, Request: request,
				Steps: steps, Response: &config.Response{Stream: "answer"},
			},
			{
				Method: "POST", Path: "/answer", Summary: "Answer at once", Timeout: wait, Budget: budget, Request: request,
				Steps: steps, Response: &config.Response{Body: jsontext.Value(`{"answer": "${steps.answer.text}"}`)},
			},
			{
				Method: "POST", Path: "/text", Timeout: wait, Budget: budget, Request: request,
				Steps: steps, Response: &config.Response{Stream: "answer", Format: "Text"},
			},
			{
				Method: "POST", Path: "/json", Timeout: wait, Budget: budget, Request: request,
				Steps: steps, Response: &config.Response{Stream: "answer", Format: "JSON"},
			},
			{
				Method: "POST", Path: "/events", Timeout: wait, Budget: budget, Request: request, Steps: steps,
				Response: &config.Response{Events: &config.Events{Steps: []string{"answer"}, Progress: true}, Body: jsontext.Value(`"all"`)},
			},
			{
				Method: "POST", Path: "/tickets", Summary: "Classify a ticket", Timeout: wait, Budget: budget,
				Request: &config.Request{Schema: jsontext.Value(`{
					"type": "object", "required": ["customer", "text"], "properties": {
						"customer": {"type": "string", "format": "email"}, "urgency": {"type": "integer", "minimum": 1, "maximum": 5},
						"text": {"type": "string", "examples": ["I was charged twice."]}
					}
				}`)},
				Response: &config.Response{
					Body: jsontext.Value(`{"category": "billing", "opened": "2026-01-01T00:00:00Z", "code": "XY-123"}`),
					Schema: jsontext.Value(`{"type": "object", "properties": {
						"category": {"enum": ["billing", "other"]}, "opened": {"type": "string", "format": "date-time"},
						"code": {"type": "string", "pattern": "^[A-Z]{2}-[0-9]{3}$"}
					}}`),
				},
			},
			{
				Method: "GET", Path: "/count", Timeout: wait, Budget: budget,
				Steps: []config.Step{
					{Name: "again", When: "${'last-event-id' in request.headers}", Respond: &config.Respond{Status: 204}},
					{Name: "count", Set: &config.Set{Value: jsontext.Value(`{"n": 1}`)}},
				},
				Response: &config.Response{Events: &config.Events{
					Steps: []string{"count"}, IDs: true, Retry: config.Duration(config.MinRetry),
				}},
			},
			{
				Method: "GET", Path: "/items/{id}", Summary: "Find an item", Timeout: wait, Budget: budget,
				Request: &config.Request{Parameters: []config.Parameter{
					{Name: "id", In: config.InPath, Schema: jsontext.Value(`{"type": "integer", "minimum": 1}`)},
					{Name: "lang", In: config.InQuery, Schema: jsontext.Value(`{"type": "string", "default": "en"}`)},
				}},
				Response: &config.Response{
					Body:   jsontext.Value(`{"item": "${request.params.id}", "lang": "${request.params.lang}"}`),
					Schema: jsontext.Value(`{"type": "object", "properties": {"item": {"type": "integer", "description": "Its number."}, "lang": {"type": "string"}}}`),
				},
			},
		},
	}
}

// run serves g's API and returns its address once it is ready.
func run(t *testing.T, g *gateway.Gateway) string {
	t.Helper()
	api, adm := listen(t), listen(t)
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	ended := make(chan error, 1)
	go func() { ended <- g.Run(ctx, api, adm) }()
	t.Cleanup(func() {
		cancel()
		select {
		case err := <-ended:
			if err != nil {
				t.Errorf("run the gateway: %v", err)
			}
		case <-time.After(patience):
			t.Error("the gateway did not end")
		}
	})
	for deadline := time.Now().Add(patience); g.Status().Revision == ""; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("the config is not served: %+v", g.Status())
		}
	}
	return "http://" + api.Addr().String()
}

func listen(t *testing.T) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// say lets the model say so many tokens more.
func (s *service) say(tokens int) {
	for range tokens {
		s.held <- struct{}{}
	}
}

// holding is a response of the model that waits before each token: however long the browser takes, what it shows before
// a token was let go came while the stream was open.
type holding struct {
	http.ResponseWriter

	ctx  context.Context
	next <-chan struct{}
}

// Unwrap lets http.ResponseController flush.
func (h *holding) Unwrap() http.ResponseWriter { return h.ResponseWriter }

func (h *holding) Write(b []byte) (int, error) {
	if bytes.Contains(b, []byte(`"delta":{"content":"token-`)) {
		select {
		case <-h.next:
		case <-h.ctx.Done():
			return 0, h.ctx.Err()
		}
	}
	return h.ResponseWriter.Write(b)
}
