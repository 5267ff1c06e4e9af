package gateway

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/llmservice/llmservice/runtime/config"
	"github.com/llmservice/llmservice/runtime/exchange"
	"github.com/llmservice/llmservice/runtime/problem"
	"github.com/llmservice/llmservice/runtime/relay"
	"github.com/llmservice/llmservice/test/leaks"
)

const (
	canaryKey    = "canary-key-3b9d0c71e5"
	canaryPrompt = "canary prompt 8e44a6"
)

// parrot is an upstream that repeats everything that it is sent, in each way in which an upstream may go wrong, one after the other.
type parrot struct{ turn atomic.Int64 }

// echoes are its answers: each gets the request as text, and as a JSON string.
var echoes = []func(w http.ResponseWriter, streams bool, said, quoted string){
	refusesWith(400), refusesWith(401), refusesWith(403), refusesWith(404), refusesWith(413), refusesWith(422), refusesWith(429), refusesWith(500), refusesWith(503),
	func(w http.ResponseWriter, _ bool, said, _ string) { // a redirect
		w.Header().Set("Location", "http://127.0.0.1:1/"+base64.StdEncoding.EncodeToString([]byte(said)))
		w.WriteHeader(http.StatusFound)
		_, _ = io.WriteString(w, said)
	},
	func(w http.ResponseWriter, _ bool, said, _ string) { _, _ = io.WriteString(w, said) }, // not JSON
	func(w http.ResponseWriter, _ bool, _, quoted string) {
		_, _ = io.WriteString(w, `{"choices":`+quoted+`,"output":`+quoted+`,"data":`+quoted+`}`)
	},
	func(w http.ResponseWriter, streams bool, _, quoted string) { // an error in an answer of 200, or in a stream that has begun
		if streams {
			w.Header().Set("Content-Type", "text/event-stream")
			_, _ = io.WriteString(w, "data: {\"choices\":[{\"delta\":{\"content\":\"x\"}}],\"type\":\"response.output_text.delta\",\"delta\":\"x\"}\n\ndata: {\"error\":{\"message\":"+quoted+"}}\n\n")
			return
		}
		_, _ = io.WriteString(w, `{"error":{"message":`+quoted+`}}`)
	},
	func(w http.ResponseWriter, _ bool, _, quoted string) { // broken data in a stream that has begun
		w.Header().Set("Content-Type", "text/event-stream")
		_, _ = io.WriteString(w, "data: {\"choices\":[{\"delta\":{\"content\":\"x\"}}]}\n\ndata: {"+quoted+"\n\n")
	},
	func(w http.ResponseWriter, _ bool, said, _ string) { // the connection ends within the answer, or with garbage behind it
		conn, buffered, err := w.(http.Hijacker).Hijack()
		if err != nil {
			panic(err)
		}
		said = strings.ReplaceAll(said, "\n", " ")
		_, _ = buffered.WriteString("HTTP/1.1 200 OK\r\nX-Said: " + said + "\r\nContent-Type: application/json\r\nContent-Length: 100000\r\n\r\n" + said)
		_ = buffered.Flush()
		_ = conn.Close()
	},
	func(w http.ResponseWriter, _ bool, said, _ string) { // no HTTP at all
		conn, buffered, err := w.(http.Hijacker).Hijack()
		if err != nil {
			panic(err)
		}
		_, _ = buffered.WriteString(said)
		_ = buffered.Flush()
		_ = conn.Close()
	},
}

func refusesWith(status int) func(w http.ResponseWriter, streams bool, said, quoted string) {
	return func(w http.ResponseWriter, _ bool, _, quoted string) {
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("WWW-Authenticate", strconv.Quote(quoted))
		w.WriteHeader(status)
		_, _ = io.WriteString(w, `{"error":{"message":`+quoted+`,"type":`+quoted+`,"code":`+quoted+`,"param":`+quoted+`}}`)
	}
}

func (p *parrot) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		panic(err)
	}
	said := fmt.Sprintf("%s %v %s", r.URL, r.Header, body)
	quoted, err := json.Marshal(said)
	if err != nil {
		panic(err)
	}
	turn := int(p.turn.Load()) % len(echoes)
	echoes[turn](w, r.Header.Get("Accept") == "text/event-stream", said, string(quoted))
}

// canaried is a config whose first model's upstream repeats what it is sent, and whose second one's answers as a model does.
func canaried(t *testing.T, parrotURL, url string) *config.Config {
	t.Helper()
	c := assistant(parrotURL+"/v1", url)
	c.Models = []config.Model{
		{Name: "parrot", Upstreams: []string{"a"}},
		{Name: "model", Upstreams: []string{"b"}},
		{Name: "chats", Upstreams: []string{"chats"}},
		{Name: "route", Route: &config.ModelRoute{Path: "/answer", Body: []byte(`{"question":"${conversation.lastMessage}"}`)}},
	}
	c.Upstreams[0].OpenAI.APIs, c.Upstreams[1].OpenAI.APIs = config.APIs, config.APIs
	chats := c.Upstreams[0]
	chats.Name, chats.OpenAI = "chats", &config.OpenAI{Model: "chats", APIs: []string{config.APIChatCompletions}}
	tool := c.Upstreams[0]
	tool.Name, tool.OpenAI, tool.HTTP = "tool", nil, &config.HTTP{}
	c.Upstreams = append(c.Upstreams, chats, tool)
	for i := range c.Upstreams {
		signature := keyFile("key")
		c.Upstreams[i].Auth = &config.Auth{Bearer: &signature}
		c.Upstreams[i].Query = []config.NamedValue{{Name: "code", SecretKeyRef: &signature}}
	}
	fetch := c.Routes[1]
	fetch.Path, fetch.Steps = "/fetch", []config.Step{{Name: "note", Action: config.Action{
		HTTP: &config.HTTPCall{Upstream: "tool", Method: "POST", Path: "/notes", Body: []byte(`{"note":"${request.body.question}"}`)},
	}}}
	fetch.Response = &config.Response{Body: []byte(`{"count":"${int(steps.note.body.count)}"}`)}
	promised := c.Routes[1]
	promised.Path = "/promised"
	promised.Response = &config.Response{Body: []byte(`{"answer":"${steps.answer.text}"}`), Schema: []byte(`{"type":"object","properties":{"answer":{"type":"string","maxLength":1}}}`)}
	form := c.Routes[1]
	form.Path, form.Request = "/form", &config.Request{
		Schema: []byte(`{"type":"object","required":["question"],"properties":{"question":{"type":"string"},"count":{"type":"integer"}}}`),
		Form:   &config.Form{Files: []config.FormFile{{Name: "file"}, {Name: "photo", Encoding: config.FileBase64, MaxBytes: 4}}},
	}
	c.Routes = append(c.Routes, fetch, promised, form)
	return c
}

// TestCanaries runs everything that a gateway does, right and wrong, on upstreams that repeat what they are sent, and with panics that
// hold the prompt. After it, neither the key nor the prompt is in anything that a gateway says of itself: logs at their finest, metrics,
// status, probes, OpenAPI and its pages, the list of models, and stacks. No client is told the key; and a client is told the
// prompt by nobody but an upstream whose refusal passes.
func TestCanaries(t *testing.T) {
	p := &parrot{}
	server := httptest.NewServer(p)
	t.Cleanup(server.Close)
	keeper := &keeper{name: "k", turns: map[string]string{}}
	r := start(t, canaried(t, server.URL, serve(t, keeper)+"/v1"), func(o *Options) {
		o.SecretsDir = secretsWith(t, map[string]string{"key": canaryKey + "\n"})
	})
	r.formCanaries(t)
	for range echoes {
		r.askCanaries(t)
		p.turn.Add(1)
	}
	r.panics(t)
	for _, word := range []string{`"msg":"panic"`, `"result":"failed"`} {
		if !strings.Contains(r.logs.String(), word) {
			t.Errorf("the log has no %s", word)
		}
	}
	found, err := leaks.Of(t.Context(), r.logs.String(), r.url, r.adminURL, canaryKey, canaryPrompt)
	if err != nil {
		t.Fatal(err)
	}
	for _, leak := range found {
		t.Error(leak)
	}
}

// askCanaries sends a request of each kind, with the prompt wherever a client may put one.
func (r *replica) askCanaries(t *testing.T) {
	t.Helper()
	messages := `"messages":[{"role":"user","content":"` + canaryPrompt + `"}]`
	asked := map[string][]string{
		"/v1/chat/completions": {messages, messages + `,"tools":[{"type":"` + canaryPrompt + `"}]`, `"messages":"` + canaryPrompt + `"`},
		"/v1/completions":      {`"prompt":"` + canaryPrompt + `"`},
		"/v1/embeddings":       {`"input":"` + canaryPrompt + `"`},
		"/v1/responses": {
			`"input":"` + canaryPrompt + `"`, `"input":"x","previous_response_id":"resp_` + canaryPrompt + `"`,
			`"input":"x","previous_response_id":"resp_AQECAwQFBgcI` + base64.RawURLEncoding.EncodeToString([]byte(canaryPrompt)) + `"`, `"input":[{"type":"` + canaryPrompt + `"}]`,
		},
	}
	for path, bodies := range asked {
		for _, body := range bodies {
			for _, model := range []string{"parrot", "model", "chats", "route", "nobody " + canaryPrompt} {
				for _, stream := range []string{"false", "true"} {
					r.tells(t, path, `{"model":"`+model+`","stream":`+stream+`,`+body+"}")
				}
			}
			r.tells(t, path, `{"model":"parrot","Model":"`+canaryPrompt+`",`+body+"}")
			r.tells(t, path, `{"model":"parrot",`+body+canaryPrompt)
		}
	}
	for _, path := range []string{"/answer", "/stream", "/fetch", "/promised", "/nowhere/" + strings.ReplaceAll(canaryPrompt, " ", "%20")} {
		for _, body := range []string{`{"question":"` + canaryPrompt + `"}`, `{"question":7,"` + canaryPrompt + `":1}`, `{"question":"` + canaryPrompt} {
			r.tells(t, path, body)
		}
	}
}

// formCanaries sends forms, right and wrong, with the prompt as each part of them.
func (r *replica) formCanaries(t *testing.T) {
	t.Helper()
	field := func(head, content string) string {
		return "--b0\r\nContent-Disposition: form-data; name=" + head + "\r\n\r\n" + content + "\r\n"
	}
	question := field("question", canaryPrompt)
	for _, body := range []string{
		question + "--b0--", question + field("count", canaryPrompt) + "--b0--", question + field(`"`+canaryPrompt+`"`, "x") + "--b0--",
		question + field(`file; filename="`+canaryPrompt+`"`, canaryPrompt) + "--b0--", question + field("file; filename=x", canaryPrompt+"\xff") + "--b0--",
		question + field("photo; filename=x", canaryPrompt) + "--b0--", question + field("file", canaryPrompt) + "--b0--", question,
		"--b0\r\n" + canaryPrompt + "\r\n\r\n", "--b0\r\nContent-Disposition: " + canaryPrompt + "\r\n\r\n\r\n--b0--", canaryPrompt,
	} {
		r.tellsOf(t, "/form", "multipart/form-data; boundary=b0", body)
		r.tellsOf(t, "/form", canaryPrompt, body)
	}
	r.tellsOf(t, "/form", "application/x-www-form-urlencoded", "question="+canaryPrompt+"&count="+canaryPrompt)
}

// tells posts a body of JSON, and checks that its answer has not the key.
func (r *replica) tells(t *testing.T, path, body string) {
	t.Helper()
	r.tellsOf(t, path, "application/json", body)
}

func (r *replica) tellsOf(t *testing.T, path, media, body string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, r.url+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", media)
	resp, err := r.client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	answer, _ := io.ReadAll(resp.Body) // it may break off
	for _, leak := range leaks.In(string(answer), canaryKey) {
		t.Errorf("%s %s is told the key: %s", path, body, leak)
	}
	for name, values := range resp.Header {
		if joined := strings.Join(values, " "); strings.Contains(joined, canaryKey) || strings.Contains(joined, canaryPrompt) {
			t.Errorf("%s %s: the header %s is %q", path, body, name, joined)
		}
	}
}

// panics has the gateway panic with the prompt, in each place in which a route may.
func (r *replica) panics(t *testing.T) {
	t.Helper()
	// What is panicked with is a text, an error or a value with a method that tells it.
	values := []any{
		canaryPrompt, errors.New(canaryPrompt), []byte(canaryPrompt),
		map[string]any{canaryPrompt: canaryKey},
		problem.New(problem.Internal).WithMessage(canaryPrompt), &relay.Request{Body: []byte(canaryPrompt)},
	}
	inside := func(prompt string, value any) { // a frame that has the prompt among its arguments
		if prompt != "" {
			panic(value)
		}
	}
	before := r.g.store.snapshot()
	for _, value := range values {
		for _, verdict := range []func() relay.Verdict{
			func() relay.Verdict { inside(canaryPrompt, value); return relay.Verdict{} },
			func() relay.Verdict {
				return relay.Verdict{Produce: func(context.Context) *relay.Reply { inside(canaryPrompt, value); return nil }}
			},
			func() relay.Verdict {
				return relay.Verdict{Stream: &relay.Stream{
					Run:    func(context.Context, relay.Sink) error { inside(canaryPrompt, value); return nil },
					Refuse: func(error) *relay.Reply { return relay.JSON(nil) }, Abort: func(error) []byte { return nil }, MaxDuration: patience,
				}}
			},
		} {
			faulty, serving := *before, *before.serving
			serving.Find = func(*relay.Head) exchange.Found {
				return exchange.Found{Route: &exchange.Route{
					Method: http.MethodPost, Path: "/panics", Format: problem.OpenAI,
					Decide: func(context.Context, *relay.Request) relay.Verdict { return verdict() },
				}}
			}
			faulty.serving = &serving
			r.g.store.serving.Store(&faulty)
			resp := r.post("/panics", `{"question":"`+canaryPrompt+`"}`)
			if answer := text(t, resp); resp.StatusCode != http.StatusInternalServerError || strings.Contains(answer, canaryPrompt) {
				t.Errorf("a panic with %T: %d %s", value, resp.StatusCode, answer)
			}
		}
	}
	r.g.store.serving.Store(before)
	if got, want := strings.Count(r.logs.String(), `"msg":"panic"`), 3*len(values); got != want {
		t.Errorf("%d panics were logged, want %d", got, want)
	}
}
