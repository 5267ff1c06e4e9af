package gateway

import (
	"io"
	"net/http"
	"testing"

	"github.com/llmservice/llmservice/runtime/config"
)

// What an upstream does not take is left out of what clients and steps ask, and the rest stays as it was.
func TestAnUpstreamIsAskedWhatItTakes(t *testing.T) {
	asked := make(chan string, 1)
	c := assistant(serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		asked <- string(body)
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, wholeChat)
	})) + "/v1")
	c.Upstreams[0].OpenAI.Omit = []string{"seed", "logprobs"}
	c.Upstreams[0].OpenAI.TokenLimit = config.LimitMaxCompletionTokens
	c.Routes = append(c.Routes, config.Route{
		Path: "/whole", Method: "POST", Timeout: config.Duration(patience), Budget: config.Budget{MaxCalls: 1, MaxBytes: 1 << 20, MaxTokens: 50},
		Steps: []config.Step{{Name: "answer", Action: config.Action{Chat: &config.Chat{
			Upstream: "a", Messages: []config.Message{{Role: "user", Content: "hi"}}, Parameters: []byte(`{"seed":1,"top_k":2}`),
		}}}},
		Response: &config.Response{Body: []byte(`"${steps.answer.text}"`)},
	})
	r := start(t, c)
	for _, tt := range []struct{ path, body, want string }{
		{
			"/v1/chat/completions", `{ "seed":1, "model":"assistant","x":{"seed":1.0},"max_tokens": 9 ,"messages":[ ]}`,
			`{ "model":"model-a","x":{"seed":1.0},"max_completion_tokens":9 ,"messages":[ ]}`,
		},
		{"/v1/completions", `{"model":"assistant","prompt":"","logprobs":1,"max_tokens":9}`, `{"model":"model-a","prompt":"","max_tokens":9}`},
		{"/whole", "", `{"model":"model-a","messages":[{"role":"user","content":"hi"}],"top_k":2,"max_completion_tokens":50}`},
	} {
		resp := r.post(tt.path, tt.body)
		if resp.StatusCode != http.StatusOK {
			t.Fatal(tt.path, resp.Status, text(t, resp))
		}
		if got := <-asked; got != tt.want {
			t.Errorf("%s: asked %s, want %s", tt.path, got, tt.want)
		}
	}
}
