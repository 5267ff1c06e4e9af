package gateway

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/llmservice/llmservice/runtime/config"
	"github.com/llmservice/llmservice/test/mockllm"
)

func mustJSON(t testing.TB, text string, into any) {
	t.Helper()
	if err := json.Unmarshal([]byte(text), into); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
}

func TestTypedRouteAnswers(t *testing.T) {
	mock, url := startMock(t, mockllm.Options{})
	r := start(t, assistant(url))
	resp := r.post("/answer", question(`{"text":"it is \"so\""}`))
	var got struct {
		Answer string
		Tokens int
	}
	mustJSON(t, text(t, resp), &got)
	if resp.StatusCode != 200 || got.Answer != `it is "so"` || got.Tokens <= 0 {
		t.Errorf("status %d, %+v", resp.StatusCode, got)
	}
	var sent struct {
		Model    string
		Messages []struct{ Role, Content string }
	}
	mustJSON(t, string(mock.Requests()[0].Body), &sent)
	if sent.Model != "model-a" || len(sent.Messages) != 2 || sent.Messages[0].Content != "Be brief." || sent.Messages[1].Role != "user" {
		t.Errorf("asked with %+v", sent)
	}
}

func TestBadBodiesAre422InFastAPIsShape(t *testing.T) {
	_, url := startMock(t, mockllm.Options{})
	r := start(t, assistant(url))
	for body, want := range map[string]string{
		`{}`:              `{"detail":[{"type":"missing","loc":["body","question"],"msg":"Field required"}]}`,
		`{"question":""}`: `{"detail":[{"type":"string_too_short","loc":["body","question"],"msg":"String should have at least 1 character","ctx":{"min_length":1}}]}`,
		`{"question":5}`:  `{"detail":[{"type":"string_type","loc":["body","question"],"msg":"Input should be a valid string"}]}`,
	} {
		for _, path := range []string{"/answer", "/stream"} {
			resp := r.post(path, body)
			got := text(t, resp)
			var a, b any
			mustJSON(t, got, &a)
			mustJSON(t, want, &b)
			if diff := cmp.Diff(b, a); resp.StatusCode != 422 || diff != "" {
				t.Errorf("%s %s: %d %s", path, body, resp.StatusCode, diff)
			}
		}
	}
	if resp := r.post("/answer", `{"question":`); resp.StatusCode != 422 || !strings.Contains(text(t, resp), "json_invalid") {
		t.Errorf("malformed: %d", resp.StatusCode)
	}
}

func TestRefusals(t *testing.T) {
	_, url := startMock(t, mockllm.Options{})
	r := start(t, assistant(url))
	for _, tt := range []struct {
		name, method, path, contentType, body string
		status                                int
		want                                  string
	}{
		{"no such route", "GET", "/nope", "", "", 404, `{"detail":"Not Found"}`},
		{"another method", "GET", "/answer", "", "", 405, `{"detail":"Method Not Allowed"}`},
		{"a form", "POST", "/answer", "application/x-www-form-urlencoded", "question=1", 415, "application/json"},
		{"a text", "POST", "/answer", "text/plain;charset=UTF-8", `{"question":"hi"}`, 415, "application/json"},
		{"no type", "POST", "/answer", "", `{"question":"hi"}`, 415, "application/json"},
		{"a chat as a form", "POST", "/v1/chat/completions", "application/x-www-form-urlencoded", `{"model":"assistant","messages":[]}`, 415, `"error":{`},
		{"a chat as a text", "POST", "/v1/chat/completions", "text/plain", `{"model":"assistant","messages":[]}`, 415, `"error":{`},
		{"a chat without a type", "POST", "/v1/chat/completions", "", `{"model":"assistant","messages":[]}`, 415, `"error":{`},
		{"too large", "POST", "/answer", "application/json", strings.Repeat("x", config.DefaultRequestBodyLimit+1), 413, "4194304"},
		{"an unknown model", "POST", "/v1/chat/completions", "application/json", `{"model":"gpt","messages":[]}`, 404, "model_not_found"},
		{"no JSON", "POST", "/v1/chat/completions", "application/json", `{`, 400, "malformed_json"},
		{"no such endpoint", "POST", "/v1/nope", "application/json", `{}`, 404, `"error":{`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			req, err := http.NewRequestWithContext(t.Context(), tt.method, r.url+tt.path, strings.NewReader(tt.body))
			if err != nil {
				t.Fatal(err)
			}
			if tt.contentType != "" {
				req.Header.Set("Content-Type", tt.contentType)
			}
			resp, err := r.client.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			if body := text(t, resp); resp.StatusCode != tt.status || !strings.Contains(body, tt.want) {
				t.Errorf("%d %s, want %d %s", resp.StatusCode, body, tt.status, tt.want)
			}
			if tt.status == 405 && resp.Header.Get("Allow") != "POST" {
				t.Errorf("Allow %q", resp.Header.Get("Allow"))
			}
		})
	}
}

func TestModels(t *testing.T) {
	mock, url := startMock(t, mockllm.Options{})
	r := start(t, assistant(url))
	if status, body := r.get("/v1/models"); status != 200 || !strings.Contains(body, `"id":"assistant"`) {
		t.Errorf("list: %d %s", status, body)
	}
	const body = `{ "messages":[ {"role":"user","content":"hi"} ],"temperature":0.10, "model" :"assistant"}`
	resp := r.post("/v1/chat/completions", body)
	answer := text(t, resp)
	if resp.StatusCode != 200 || !strings.Contains(answer, `"model":"assistant"`) || strings.Contains(answer, "model-a") {
		t.Errorf("%d %s", resp.StatusCode, answer)
	}
	if got, want := string(mock.Requests()[0].Body), strings.Replace(body, "assistant", "model-a", 1); got != want {
		t.Errorf("asked with\n%s\nwant\n%s", got, want)
	}
}

func TestNoMoreThanMaxInFlight(t *testing.T) {
	mock, url := startMock(t, mockllm.Options{})
	c := assistant(url)
	c.Runtime.MaxInFlight = 2
	r := start(t, c)
	for range 2 {
		r.post("/stream", question(`{"tokens":5,"afterTokens":1,"fault":"Silence"}`))
	}
	for path, want := range map[string]string{"/stream": `{"detail":`, "/v1/chat/completions": "rate_limit_error"} {
		resp := r.post(path, question("{}"))
		if body := text(t, resp); resp.StatusCode != 429 || resp.Header.Get("Retry-After") != "1" || !strings.Contains(body, want) {
			t.Errorf("%s: %d %q %s", path, resp.StatusCode, resp.Header.Get("Retry-After"), body)
		}
	}
	if got := mock.Stats().Opened; got != 2 {
		t.Errorf("the upstream was asked %d times", got)
	}
	if got := r.g.Status().InFlight; got != 2 {
		t.Errorf("in flight %d", got)
	}
}

func TestHeadersCanBeUsedButCredentialsCannot(t *testing.T) {
	mock, url := startMock(t, mockllm.Options{})
	c := assistant(url)
	c.Routes[1].Steps[0].Chat.Messages = []config.Message{{Role: "user", Content: "${request.headers['x-team']} ${'authorization' in request.headers}"}}
	r := start(t, c)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, r.url+"/answer", strings.NewReader(question("{}")))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("X-Team", "blue")
	req.Header.Set("Authorization", "Bearer mine")
	resp, err := r.client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	if body := text(t, resp); resp.StatusCode != 200 {
		t.Fatalf("%d %s\n%s", resp.StatusCode, body, r.logs)
	}
	if sent := string(mock.Requests()[0].Body); !strings.Contains(sent, "blue false") {
		t.Errorf("asked with %s", sent)
	}
}

func TestAFaultOfATemplateIsLoggedWithoutThePrompt(t *testing.T) {
	_, url := startMock(t, mockllm.Options{})
	c := assistant(url)
	c.Routes[1].Steps[0].Chat.Messages = []config.Message{{Role: "user", Content: "${request.body.question}"}}
	c.Routes[1].Response.Body = []byte(`{"made":"${int(steps.answer.text)}"}`)
	r := start(t, c)
	resp := r.post("/answer", `{"question":"[[mock {\"text\": \"a private matter\"}]]"}`)
	if body := text(t, resp); resp.StatusCode != 502 || strings.Contains(body, "made") || strings.Contains(body, "private") {
		t.Errorf("%d %s", resp.StatusCode, body)
	}
	if logs := r.logs.String(); !strings.Contains(logs, "response.body") || strings.Contains(logs, "private matter") {
		t.Errorf("logs: %s", logs)
	}
}

func TestDocumentAndDocs(t *testing.T) {
	_, url := startMock(t, mockllm.Options{})
	r := start(t, assistant(url))
	if status, body := r.get("/openapi.json"); status != 200 || !strings.Contains(body, `"/answer"`) || strings.Contains(body, url) {
		t.Errorf("document: %d %s", status, body)
	}
	if status, body := r.get("/docs"); status != 200 || !strings.Contains(body, "swagger") {
		t.Errorf("docs: %d %s", status, body)
	}
}

// What the head of a request says is enough to refuse it: no client sends a body to learn of that.
func TestRefusalsNeedNoBody(t *testing.T) {
	_, url := startMock(t, mockllm.Options{})
	c := assistant(url)
	c.Runtime.MaxInFlight = 1
	r := start(t, c)
	open := r.post("/stream", question(`{"tokens":5,"afterTokens":1,"fault":"Silence"}`))
	defer func() { _ = open.Body.Close() }()
	for path, want := range map[string]int{"/answer": 429, "/nope": 404, "/openapi.json": 405} {
		conn, err := net.Dial("tcp", strings.TrimPrefix(r.url, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n", path)
		resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil || resp.StatusCode != want {
			t.Errorf("%s: %v %v, want %d", path, resp, err, want)
		}
		_ = conn.Close()
	}
}
