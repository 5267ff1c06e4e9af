package gateway

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/llmservice/llmservice/runtime/config"
)

// keyed is a service whose upstream has three servers, each of which answers with its own name, and spreads calls by a key. It
// is asked by a model, by a step, by a step of a function, and by a model that a route answers.
func keyed(t *testing.T, key string) *config.Config {
	t.Helper()
	var endpoints []config.Endpoint
	for i := range 3 {
		url := serve(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			_, _ = fmt.Fprintf(w, `{"choices":[{"message":{"role":"assistant","content":"server-%d"},"finish_reason":"stop"}],"usage":{"total_tokens":1}}`, i)
		}))
		endpoints = append(endpoints, config.Endpoint{URL: url})
	}
	c := assistant(endpoints[0].URL)
	u := &c.Upstreams[0]
	u.Endpoints, u.LoadBalancing, u.ConsistentHash = endpoints, config.ConsistentHash, &config.KeyedBalancing{Key: key}
	inner := c.Routes[1]
	c.Functions = []config.Function{{
		Name: "think", Steps: []config.Step{{Name: "answer", Action: config.Action{Chat: &config.Chat{
			Upstream: "a", Messages: []config.Message{{Role: "user", Content: "hi"}},
		}}}}, Output: []byte(`"${steps.answer.text}"`),
	}}
	inner.Path, inner.Response = "/function", &config.Response{Body: []byte(`"${steps.thought}"`)}
	inner.Steps = []config.Step{{Name: "thought", Action: config.Action{Call: &config.Call{Function: "think"}}}}
	c.Routes = append(c.Routes, inner)
	c.Models = append(c.Models, config.Model{Name: "routed", Route: &config.ModelRoute{
		Path: "/answer", Body: []byte(`{"question":"${conversation.lastMessage}","user":"${conversation.lastMessage}"}`),
	}})
	return c
}

// server is the one that answers.
func (r *replica) server(path, body, session string) string {
	r.t.Helper()
	req, err := http.NewRequestWithContext(r.t.Context(), http.MethodPost, r.url+path, strings.NewReader(body))
	if err != nil {
		r.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	if session != "" {
		req.Header.Set("X-Session", session)
	}
	resp, err := r.client.Do(req)
	if err != nil {
		r.t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	answer, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		r.t.Fatalf("%s: %d %s (%v)", path, resp.StatusCode, answer, err)
	}
	_, name, _ := strings.Cut(string(answer), "server-")
	return name[:1]
}

const sessions = 12

// The calls of one session go to one server, and those of several to all, no matter who makes them.
func TestSessionsKeepTheirServer(t *testing.T) {
	for name, key := range map[string]string{
		"by a header":       "${request.headers['x-session']}",
		"by the body":       "${request.body.user}",
		"by both, as text":  "${request.headers['x-session']}/${request.body.user}",
		"by all of it":      "${request.body}",
		"by its parameters": "${request.method}${request.params}${request.headers['x-session']}",
	} {
		r := start(t, keyed(t, key))
		used := map[string]bool{}
		for i := range sessions {
			session := fmt.Sprint("session-", i)
			typed := fmt.Sprintf(`{"question":%[1]q,"user":%[1]q}`, session)
			chat := `{"model":%q,"user":%q,"messages":[{"role":"user","content":%q}]}`
			home := map[string]string{}
			for range 3 {
				for path, body := range map[string]string{
					"/answer": typed, "/function": typed, "/v1/chat/completions": fmt.Sprintf(chat, "assistant", session, session),
				} {
					got := r.server(path, body, session)
					if home[path] == "" {
						home[path] = got
					}
					if used[got] = true; got != home[path] {
						t.Errorf("%s, %s: %s went to %s, and before to %s", name, path, session, got, home[path])
					}
				}
				if got := r.server("/v1/chat/completions", fmt.Sprintf(chat, "routed", "", session), session); name != "by all of it" && got != home["/answer"] {
					t.Errorf("%s: the model of a route went to %s, its route to %s", name, got, home["/answer"])
				}
			}
			at := map[string]bool{}
			for _, got := range home {
				at[got] = true
			}
			if len(at) > 1 && name != "by all of it" {
				t.Errorf("%s: %s is at %v", name, session, home)
			}
		}
		if len(used) < 2 { // twelve sessions are at two of three servers in one run of fifty
			t.Errorf("%s: only %v was used", name, used)
		}
		if n := r.g.Status().Upstreams[0].Unkeyed; n != 0 {
			t.Errorf("%s: %d calls without a key", name, n)
		}
	}
}

// Without a key a call goes where the least is open, and is counted; nobody is refused for that.
func TestCallsWithoutAKeyAreServed(t *testing.T) {
	for name, key := range map[string]string{
		"it fails":         "${request.headers['x-session']}",
		"it is empty":      "${request.headers[?'x-session'].orValue('')}",
		"it costs much":    "${[1,2,3,4,5,6,7,8,9].map(a, request.body.user.split('').map(b, request.body.user.split('').map(c, c))).size()}",
		"it is a secret's": "${request.headers['authorization']}",
		"it has no text":   "${request.body.nothing}",
	} {
		r := start(t, keyed(t, key))
		used := map[string]bool{}
		user := strings.Repeat("x", 5000)
		for range 6 {
			used[r.server("/v1/chat/completions", `{"model":"assistant","nothing":null,"user":"`+user+`","messages":[{"role":"user","content":"hi"}]}`, "")] = true
			used[r.server("/answer", `{"question":"hi","nothing":null,"user":"`+user+`"}`, "")] = true
		}
		if n := r.g.Status().Upstreams[0].Unkeyed; n != 12 || len(used) != 3 {
			t.Errorf("%s: %d of 12 calls without a key, at %v", name, n, used)
		}
		if strings.Contains(r.logs.String(), user) {
			t.Errorf("%s: the log has what the client sent", name)
		}
	}
}
