package gateway

import (
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/llmservice/llmservice/runtime/config"
)

// A step that posts is repeated where its upstream says so, and not otherwise.
func TestAPostIsRepeatedIfToldSo(t *testing.T) {
	for name, tt := range map[string]struct {
		retries *config.Retries
		calls   int64
	}{
		"by default":   {nil, 1},
		"if told so":   {&config.Retries{RetryOn: []string{config.RetryServerError}, Attempts: 3}, 3},
		"other causes": {&config.Retries{RetryOn: []string{config.RetryTimeout}, Attempts: 3}, 1},
	} {
		url, asked := answers(t, http.StatusInternalServerError)
		c := noted(url)
		if tt.retries != nil {
			tt.retries.Backoff = &config.Backoff{Initial: 1, Max: config.Duration(patience)}
		}
		c.Upstreams[0].Retries = tt.retries
		r := start(t, c)
		resp := r.post("/note", `{"question":"hi"}`)
		if asked.Load() != tt.calls || resp.StatusCode != http.StatusBadGateway {
			t.Errorf("%s: %d after %d calls, want %d", name, resp.StatusCode, asked.Load(), tt.calls)
		}
		if made := r.g.Status().Upstreams[0].Retries; made != tt.calls-1 {
			t.Errorf("%s: the status says %d retries", name, made)
		}
	}
}

// Each upstream that a client's request is put to gets the client's key for repeated requests, and none if there is none.
func TestTheIdempotencyKeyIsForwarded(t *testing.T) {
	var mu sync.Mutex
	var keys [][]string
	model := func(status int) string {
		return serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			mu.Lock()
			keys = append(keys, r.Header["Idempotency-Key"])
			mu.Unlock()
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(status)
			_, _ = w.Write([]byte(`{"choices":[{"message":{"role":"assistant","content":"hi"},"finish_reason":"stop"}]}`))
		}))
	}
	r := start(t, assistant(model(http.StatusInternalServerError), model(http.StatusOK)))
	for _, key := range []string{"key-1", ""} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, r.url+"/v1/chat/completions",
			strings.NewReader(`{"model":"assistant","messages":[{"role":"user","content":"hi"}]}`))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", "application/json")
		if key != "" {
			req.Header.Set("Idempotency-Key", key)
		}
		resp, err := r.client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		if _ = resp.Body.Close(); resp.StatusCode != http.StatusOK {
			t.Errorf("status %d", resp.StatusCode)
		}
	}
	if diff := cmp.Diff([][]string{{"key-1"}, {"key-1"}, nil, nil}, keys); diff != "" {
		t.Error(diff)
	}
}
