package gateway

import (
	"net/http"
	"sync/atomic"
	"testing"

	"github.com/llmservice/llmservice/runtime/config"
)

// TestWeightsOfAModel: all requests go to the upstream that has all the weight, although it is not the first of the list. If it
// fails, the others are asked.
func TestWeightsOfAModel(t *testing.T) {
	var asked [3]atomic.Int64
	var down atomic.Bool
	var urls []string
	for i := range asked {
		urls = append(urls, serve(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			asked[i].Add(1)
			if i > 0 && down.Load() {
				w.WriteHeader(http.StatusInternalServerError)
				return
			}
			w.Header().Set("Content-Type", "application/json")
			_, _ = w.Write([]byte(`{"choices":[{"message":{"role":"assistant","content":"Tea"}}]}`))
		}))+"/v1")
	}
	c := assistant(urls...)
	c.Models[0].Weights = []config.Share{{Upstream: "c", Weight: 3}, {Upstream: "b", Weight: 0}}
	r := start(t, c)
	const requests = 5
	for range requests {
		if resp := r.post("/v1/chat/completions", `{"model":"assistant","messages":[]}`); resp.StatusCode != http.StatusOK {
			t.Fatal(resp.Status, text(t, resp))
		}
	}
	if asked[0].Load() != 0 || asked[1].Load() != 0 || asked[2].Load() != requests {
		t.Errorf("asked %d, %d, %d times, want only the last", asked[0].Load(), asked[1].Load(), asked[2].Load())
	}
	down.Store(true)
	if resp := r.post("/v1/chat/completions", `{"model":"assistant","messages":[]}`); resp.StatusCode != http.StatusOK {
		t.Error(resp.Status, text(t, resp))
	}
	if asked[0].Load() != 1 {
		t.Errorf("the upstream without a weight was asked %d times, want once", asked[0].Load())
	}
}
