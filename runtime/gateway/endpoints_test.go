package gateway

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/llmservice/llmservice/runtime/config"
	"github.com/llmservice/llmservice/runtime/config/delivery"
	"github.com/llmservice/llmservice/runtime/config/report"
	"github.com/llmservice/llmservice/runtime/upstream"
	"github.com/llmservice/llmservice/test/mockllm"
)

// answers is a server that gives each request the status, and counts them.
func answers(t *testing.T, status int) (url string, count *atomic.Int64) {
	t.Helper()
	count = &atomic.Int64{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		count.Add(1)
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		_, _ = w.Write([]byte("{}"))
	}))
	t.Cleanup(server.Close)
	return server.URL, count
}

// noted is a config with one route whose step posts to the first upstream.
func noted(urls ...string) *config.Config {
	c := assistant("http://127.0.0.1:1")
	c.Models = nil
	c.Upstreams[0].OpenAI, c.Upstreams[0].HTTP, c.Upstreams[0].Endpoints = nil, &config.HTTP{}, nil
	for _, url := range urls {
		c.Upstreams[0].Endpoints = append(c.Upstreams[0].Endpoints, config.Endpoint{URL: url})
	}
	c.Routes = c.Routes[1:]
	call := &config.HTTPCall{Upstream: "a", Method: "POST", Path: "/notes", Body: []byte(`{"note":"${request.body.question}"}`)}
	c.Routes[0].Path, c.Routes[0].Steps = "/note", []config.Step{{Name: "note", Action: config.Action{HTTP: call}}}
	c.Routes[0].Response = &config.Response{Body: []byte(`{"status":"${steps.note.status}"}`)}
	return c
}

// An endpoint that is dead, of two, costs the requests nothing; one that fails at once costs those that find it out.
func TestOneDeadEndpointOfTwo(t *testing.T) {
	for name, tt := range map[string]struct {
		dead func(t *testing.T) string
		most int
	}{
		"refused": {func(t *testing.T) string {
			t.Helper()
			l := listen(t)
			_ = l.Close()
			return "http://" + l.Addr().String()
		}, 0},
		"an instant 500": {func(t *testing.T) string {
			t.Helper()
			url, _ := answers(t, http.StatusInternalServerError)
			return url
		}, 8},
	} {
		t.Run(name, func(t *testing.T) {
			url, served := answers(t, http.StatusOK)
			r := start(t, noted(tt.dead(t), url))
			failed := 0
			for range 80 {
				if resp := r.post("/note", `{"question":"hi"}`); resp.StatusCode != http.StatusOK {
					failed++
				}
			}
			if failed > tt.most || int(served.Load()) != 80-failed {
				t.Errorf("%d of 80 failed, %d were served; want %d failures at most", failed, served.Load(), tt.most)
			}
		})
	}
}

// Two upstreams at one URL, as two models of a provider are, are two.
func TestTheSecondUpstreamAtOneURLIsTried(t *testing.T) {
	_, mock := startMock(t, mockllm.Options{})
	client := &http.Client{Timeout: patience}
	defer client.CloseIdleConnections()
	var asked []string
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		body := make([]byte, req.ContentLength)
		_, _ = req.Body.Read(body)
		for _, model := range []string{"model-a", "model-b"} {
			if strings.Contains(string(body), model) {
				asked = append(asked, model)
			}
		}
		if strings.Contains(string(body), "model-a") {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		resp, err := client.Post(mock+"/chat/completions", "application/json", strings.NewReader(string(body)))
		if err != nil {
			t.Error(err)
			return
		}
		defer func() { _ = resp.Body.Close() }()
		w.Header().Set("Content-Type", resp.Header.Get("Content-Type"))
		_, _ = w.Write([]byte(text(t, resp)))
	}))
	defer front.Close()
	r := start(t, assistant(front.URL, front.URL))
	if resp := r.post("/v1/chat/completions", completion(false, "{}")); resp.StatusCode != http.StatusOK {
		t.Errorf("%d %s", resp.StatusCode, text(t, resp))
	}
	if diff := cmp.Diff([]string{"model-a", "model-b"}, asked); diff != "" {
		t.Error(diff)
	}
}

// A reload forgets nothing of the endpoints that stay.
func TestEndpointsSurviveAReload(t *testing.T) {
	_, url := startMock(t, mockllm.Options{})
	r := start(t, assistant(url))
	key := upstream.EndpointKey{Upstream: "a", URL: url}
	before := r.g.pools.Get(key)
	next := assistant(url)
	next.Runtime.MaxInFlight = 7
	r.write(delivery.CurrentKey, encode(t, next))
	r.await("the new revision", func(s report.Status) bool { return s.Revision == delivery.Revision(encode(t, next)) })
	if r.g.pools.Get(key) != before {
		t.Error("the endpoint's state is new")
	}
}
