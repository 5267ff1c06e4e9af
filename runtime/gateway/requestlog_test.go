package gateway

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/llmservice/llmservice/runtime/config"
	"github.com/llmservice/llmservice/runtime/config/delivery"
	"github.com/llmservice/llmservice/runtime/config/report"
	"github.com/llmservice/llmservice/runtime/llm"
	"github.com/llmservice/llmservice/runtime/problem"
	"github.com/llmservice/llmservice/runtime/requestlog"
	"github.com/llmservice/llmservice/test/mockllm"
)

const traceParent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"

// send sends a request that has an ID and a trace, and returns its answer, read to its end.
func (r *replica) send(id, path, body string) *http.Response {
	r.t.Helper()
	req, err := http.NewRequest(http.MethodPost, r.url+path, strings.NewReader(body))
	if err != nil {
		r.t.Fatal(err)
	}
	req.Header = http.Header{"Content-Type": {"application/json"}, "X-Request-Id": {id}, "Traceparent": {traceParent}, "Tracestate": {"vendor=1"}}
	resp, err := r.client.Do(req)
	if err != nil {
		r.t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	if _, err := io.Copy(io.Discard, resp.Body); err != nil {
		r.t.Fatal(err)
	}
	return resp
}

// linesOf are the lines of a request, once there is one with a message.
func (r *replica) linesOf(id, message string) (lines []map[string]any) {
	r.t.Helper()
	for deadline := time.Now().Add(patience); ; time.Sleep(time.Millisecond) {
		lines = nil
		found := false
		for text := range bytes.Lines([]byte(r.logs.String())) {
			line := map[string]any{}
			if json.Unmarshal(text, &line) == nil && line["request"] == id {
				lines, found = append(lines, line), found || line["msg"] == message
			}
		}
		if found {
			return lines
		}
		if time.Now().After(deadline) {
			r.t.Fatalf("request %s has no line %q:\n%s", id, message, r.logs)
		}
	}
}

func messages(lines []map[string]any) (all []string) {
	for _, line := range lines {
		all = append(all, line["msg"].(string))
	}
	return all
}

// nested is a step with a gather, of whose branches one calls a function.
func nested(c *config.Config, strategy string) config.Step {
	c.Functions = []config.Function{{
		Name: "look", Steps: []config.Step{chatStep()}, Output: []byte(`"${steps.answer.text}"`),
		Input: []byte(`{"type":"object","properties":{"q":{"type":"string"}}}`),
	}}
	c.Functions[0].Steps[0].Chat = &config.Chat{Upstream: "b", Messages: []config.Message{{Role: "user", Content: "${input.q.orValue('')}"}}}
	return config.Step{Name: "answer", Gather: &config.Gather{Strategy: strategy, Branches: []config.Branch{
		{Name: "big", Action: config.Action{Chat: chatStep().Chat}},
		{Name: "small", Action: config.Action{Call: &config.Call{Function: "look", Input: []byte(`{"q":"${request.body.question}"}`)}}},
	}}}
}

// TestARequestIsFollowed: its ID and its trace reach each upstream and come back, on both kinds of endpoints, whole and streamed,
// and one line says where and why it failed.
func TestARequestIsFollowed(t *testing.T) {
	mock, url := startMock(t, mockllm.Options{})
	c := assistant(url, url)
	steps := nested(c, "All")
	c.Routes[1].Steps[0].Timeout = config.Duration(patience)
	c.Routes = append(c.Routes, c.Routes[1])
	c.Routes[2].Path, c.Routes[2].Steps, c.Routes[2].Response = "/only", []config.Step{steps}, &config.Response{Body: []byte(`"${steps.answer.small}"`)}
	r := start(t, c)
	const fails, prompt = `{"status":503}`, "[[mock"
	for name, tt := range map[string]struct {
		path, body string
		want       map[string]any
	}{
		"whole": {"/answer", question(fails), map[string]any{
			"route": "/answer", "status": 503.0, "result": "replied", "at": "steps[answer]", "upstream": "a", "attempt": 1.0, "upstreamStatus": 503.0,
			"cause": "upstream answered with status 503",
		}},
		"streamed": {"/stream", question(fails), map[string]any{
			"route": "/stream", "status": 503.0, "result": "failed", "at": "steps[answer]", "upstream": "a", "attempt": 1.0, "upstreamStatus": 503.0,
		}},
		"in the middle of a stream": {"/stream", question(`{"tokens":5,"afterTokens":2,"fault":"Truncate"}`), map[string]any{
			"route": "/stream", "status": 200.0, "result": "failed", "at": "steps[answer]", "upstream": "a", "attempt": 1.0,
		}},
		"in a function of a branch": {"/only", question(fails), map[string]any{"route": "/only", "status": 503.0, "result": "replied"}},
		"a model": {"/v1/chat/completions", completion(false, fails), map[string]any{
			"route": "/v1/chat/completions", "status": 503.0, "result": "replied", "upstream": "b", "attempt": 2.0, "attempts": 2.0, "upstreamStatus": 503.0,
		}},
		"a streamed model": {"/v1/chat/completions", completion(true, fails), map[string]any{
			"route": "/v1/chat/completions", "status": 503.0, "result": "failed", "upstream": "b", "attempt": 2.0, "upstreamStatus": 503.0,
		}},
	} {
		t.Run(name, func(t *testing.T) {
			id, before := "id-"+strings.ReplaceAll(name, " ", "-"), len(mock.Requests())
			resp := r.send(id, tt.path, tt.body)
			if got := resp.Header.Values(requestlog.IDHeader); len(got) != 1 || got[0] != id {
				t.Errorf("the answer's ID is %q", got)
			}
			lines := r.linesOf(id, "request failed")
			last := lines[len(lines)-1]
			got := map[string]any{}
			for key := range tt.want {
				got[key] = last[key]
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("the line %v (-want +got):\n%s", last, diff)
			}
			if last["revision"] != r.g.Status().Revision || last["trace"] != traceParent[3:35] || last["seconds"].(float64) <= 0 {
				t.Errorf("the line %v", last)
			}
			if strings.Count(strings.Join(messages(lines), " "), "request failed") != 1 || strings.Contains(r.logs.String(), prompt) {
				t.Errorf("logged\n%s", r.logs)
			}
			sent := slices.DeleteFunc(slices.Clone(mock.Requests()[before:]), func(call mockllm.Request) bool {
				of := call.Header.Get(requestlog.IDHeader)
				return of != id && strings.HasPrefix(of, "id-") // of another case, which did not wait for it
			})
			// A call that was no longer wanted may not have been sent.
			if len(sent) == 0 || strings.Count(strings.Join(messages(lines), " "), "upstream attempt") < len(sent) {
				t.Errorf("%d calls, and lines %q", len(sent), messages(lines))
			}
			for _, call := range sent {
				h := call.Header
				if h.Get(requestlog.IDHeader) != id || h.Get("Traceparent") != traceParent || h.Get("Tracestate") != "vendor=1" {
					t.Errorf("an upstream was sent %v", h)
				}
			}
		})
	}
}

// TestWhereInARouteARequestFailed: the way leads through branches and functions.
func TestWhereInARouteARequestFailed(t *testing.T) {
	_, good := startMock(t, mockllm.Options{})
	c := assistant(good, "http://127.0.0.1:1/v1")
	step := nested(c, "All")
	r := start(t, only(c, &config.Response{Body: []byte(`"${steps.answer.small}"`)}, step))
	resp := r.send("deep", "/only", question(`{"text":"x"}`))
	lines := r.linesOf("deep", "request failed")
	last := lines[len(lines)-1]
	const want = "steps[answer].branches[small].functions[look].steps[answer]"
	if resp.StatusCode != http.StatusBadGateway || last["at"] != want || last["upstream"] != "b" || last["endpoint"] != "127.0.0.1:1" {
		t.Errorf("%d, %v, want it at %s", resp.StatusCode, last, want)
	}
}

// TestWhichDependencyFailed: the way leads through the dependency, also if it answers the failure itself.
func TestWhichDependencyFailed(t *testing.T) {
	_, good := startMock(t, mockllm.Options{})
	for name, refuses := range map[string]bool{"it fails": false, "it refuses": true} {
		c := assistant(good, "http://127.0.0.1:1/v1")
		look := chatStep()
		look.Chat.Upstream, look.Chat.Messages = "b", []config.Message{{Role: "user", Content: "x"}}
		if refuses {
			look.OnError = &config.OnError{Respond: &config.Respond{Status: 503, Body: []byte(`{"detail":"No"}`)}}
		}
		c.Functions = []config.Function{{Name: "look", Steps: []config.Step{look}, Output: []byte(`1`)}}
		c = only(c, &config.Response{Stream: "answer"}, chatStep())
		c.Routes[len(c.Routes)-1].Dependencies = []config.Dependency{{Name: "seen", Call: config.Call{Function: "look"}}}
		r := start(t, c)
		r.send("deep", "/only", question(`{"text":"x"}`))
		lines := r.linesOf("deep", "request failed")
		last := lines[len(lines)-1]
		const want = "dependencies[seen].functions[look].steps[answer]"
		if last["at"] != want || last["upstream"] != "b" || last["result"] != "replied" {
			t.Errorf("%s: %v, want it at %s", name, last, want)
		}
	}
}

// TestTimeoutsSayWhose: a client gets the step, the branch or the function whose timeout has passed, and how long that is.
func TestTimeoutsSayWhose(t *testing.T) {
	silent := serve(t, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		<-r.Context().Done()
	}))
	for want, limit := range map[string]func(*config.Step, *config.Function, config.Duration){
		"steps[answer]": func(s *config.Step, _ *config.Function, d config.Duration) { s.Timeout = d },
		"steps[answer].branches[small]": func(s *config.Step, _ *config.Function, d config.Duration) {
			s.Gather.Branches[1].Timeout = d
		},
		"steps[answer].branches[small].functions[look]": func(_ *config.Step, f *config.Function, d config.Duration) { f.Timeout = d },
	} {
		c := assistant(silent, silent)
		step := nested(c, "All")
		limit(&step, &c.Functions[0], config.Duration(20*time.Millisecond))
		r := start(t, only(c, &config.Response{Body: []byte(`"${steps.answer.small}"`)}, step))
		resp := r.post("/only", question(`{"text":"x"}`))
		body, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		if want += " took longer than its timeout, which is 20ms."; resp.StatusCode != http.StatusGatewayTimeout || !strings.Contains(string(body), want) {
			t.Errorf("%d %s, want %q", resp.StatusCode, body, want)
		}
	}
}

// TestCausesAreSentences: the message for the client has no full stop before the cause that it keeps to itself.
func TestCausesAreSentences(t *testing.T) {
	got := unwrapped(problem.New(problem.ResponseInvalid).WithCause(errors.New("a violation of missing at [response a]")))
	if want := "response_invalid: The answer does not satisfy the response schema of this route: a violation of missing at [response a]"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// TestIDsAreMade: also for requests that no route sees.
func TestIDsAreMade(t *testing.T) {
	_, url := startMock(t, mockllm.Options{})
	r := start(t, assistant(url))
	made := regexp.MustCompile(`^[0-9a-f]{32}$`)
	seen := map[string]bool{}
	for _, path := range []string{"/nowhere", "/answer", "/stream", "/v1/chat/completions", "/openapi.json", "/docs"} {
		resp := r.post(path, "{}")
		id := resp.Header.Get(requestlog.IDHeader)
		if !made.MatchString(id) || seen[id] {
			t.Errorf("%s: the answer's ID is %q", path, id)
		}
		seen[id] = true
	}
	if strings.Contains(r.logs.String(), "request failed") || strings.Contains(r.logs.String(), "request answered") {
		t.Errorf("clients' mistakes are logged:\n%s", r.logs)
	}
}

// TestAccessLogsAreLive: with runtime.requestLog All, each request has a line from the next config on.
func TestAccessLogsAreLive(t *testing.T) {
	_, url := startMock(t, mockllm.Options{})
	c := assistant(url)
	r := start(t, c)
	r.send("before", "/answer", question(`{"text":"x"}`))
	before := r.g.Status().Revision
	c.Runtime.RequestLog = config.RequestLogAll
	r.write(delivery.CurrentKey, encode(t, c))
	r.await("the new config", func(s report.Status) bool { return s.Revision != before })
	r.send("after", "/answer", question(`{"text":"x"}`))
	r.send("wrong", "/answer", "{}")
	for id, status := range map[string]float64{"after": 200, "wrong": 422} {
		lines := r.linesOf(id, "request answered")
		if last := lines[len(lines)-1]; last["status"] != status || last["route"] != "/answer" || last["level"] != "INFO" {
			t.Errorf("%s: %v", id, last)
		}
	}
	if strings.Contains(r.logs.String(), `"msg":"request answered","request":"before"`) {
		t.Error("a request is logged that nobody wanted logged")
	}
}

// TestTokensAreLogged: the line of a request has the tokens of all its calls, of those that failed and of those that lost a race, too.
func TestTokensAreLogged(t *testing.T) {
	tea := &canned{whole: map[string]string{
		"/v1/chat/completions": `{"choices":[{"message":{"content":"Tea"},"finish_reason":"stop"}],` + spentTokens + `}`,
	}, streamed: map[string]string{"/v1/chat/completions": teaChunks + spentUsage + endOfTea}}
	odd := &canned{whole: map[string]string{"/v1/chat/completions": `[]`}, streamed: map[string]string{"/v1/chat/completions": teaChunks}}
	c := assistant(serve(t, tea)+"/v1", serve(t, odd)+"/v1")
	c.Runtime.RequestLog = config.RequestLogAll
	c.Models = append(c.Models, config.Model{Name: "odd", Upstreams: []string{"b"}}, config.Model{Name: "both", Upstreams: []string{"b", "a"}})
	c.Models[0].Upstreams = []string{"a"}
	r := start(t, c)
	of := func(model string, stream bool) string {
		return strings.Replace(completion(stream, "x"), "assistant", model, 1)
	}
	estimated := func(stream bool, more int64) int64 {
		body := strings.Replace(completion(stream, "x"), "assistant", "model-b", 1)
		if stream {
			body = body[:len(body)-1] + asksUsage + "}"
		}
		return llm.Estimate(len(body)) + more
	}
	for name, tt := range map[string]struct {
		path, body, message string
		input, output       int64
		estimated           any
	}{
		"whole":    {"/v1/chat/completions", of("assistant", false), "request answered", 9, 5, nil},
		"streamed": {"/v1/chat/completions", of("assistant", true), "request answered", 9, 5, nil},
		"route":    {"/answer", question("x"), "request answered", 9, 5, nil},
		"failed":   {"/v1/chat/completions", of("odd", false), "request failed", estimated(false, 0), 0, true},
		"broken":   {"/v1/chat/completions", of("odd", true), "request failed", estimated(true, 0), 2, true},
		"both":     {"/v1/chat/completions", of("both", false), "request answered", estimated(false, 9), 5, true},
	} {
		r.send(name, tt.path, tt.body)
		lines := r.linesOf(name, tt.message)
		last := lines[len(lines)-1]
		if last["inputTokens"] != float64(tt.input) || last["outputTokens"] != float64(tt.output) || last["tokensEstimated"] != tt.estimated {
			t.Errorf("%s: %v, want %d and %d tokens", name, last, tt.input, tt.output)
		}
	}
	r.send("wrong", "/answer", "{}")
	if last := r.linesOf("wrong", "request answered")[0]; last["inputTokens"] != nil {
		t.Errorf("a request that asked nobody has taken tokens: %v", last)
	}
}
