package gateway

import (
	"bufio"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/llmservice/llmservice/runtime/config"
	"github.com/llmservice/llmservice/runtime/config/report"
	"github.com/llmservice/llmservice/test/mockllm"
)

// The upstream is held open until the client has read each token: whatever is buffered on the way fails the test.
func TestTokensArriveOneByOne(t *testing.T) {
	proceed := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		for i := range 3 {
			fmt.Fprintf(w, "data: {\"model\":\"model-a\",\"choices\":[{\"delta\":{\"content\":\"token-%d\"}}]}\n\n", i)
			_ = http.NewResponseController(w).Flush()
			select {
			case <-proceed:
			case <-r.Context().Done():
				return
			}
		}
		fmt.Fprint(w, "data: [DONE]\n\n")
	}))
	defer server.Close()
	r := start(t, assistant(server.URL+"/v1"))
	for path, body := range map[string]string{"/stream": question("{}"), "/v1/chat/completions": completion(true, "{}")} {
		resp := r.post(path, body)
		lines := bufio.NewReader(resp.Body)
		for i := range 3 {
			for {
				line, err := lines.ReadString('\n')
				if err != nil {
					t.Fatalf("%s: %v", path, err)
				}
				if strings.Contains(line, fmt.Sprintf("token-%d", i)) {
					break
				}
			}
			proceed <- struct{}{}
		}
		if rest := text(t, resp); !strings.Contains(rest, "[DONE]") && !strings.Contains(bufferedText(lines), "[DONE]") {
			t.Errorf("%s: no [DONE] at the end: %q", path, rest)
		}
		if got := resp.Header.Get("Content-Type"); got != "text/event-stream" {
			t.Errorf("%s: content type %q", path, got)
		}
	}
}

func bufferedText(r *bufio.Reader) string {
	rest, _ := r.Peek(r.Buffered())
	return string(rest)
}

func TestStreamsEndAsTheProtocolSays(t *testing.T) {
	_, url := startMock(t, mockllm.Options{})
	r := start(t, assistant(url))
	chunks := events(t, r.post("/v1/chat/completions", completion(true, `{"tokens":5}`)))
	if got, want := said(t, chunks), "token-0 token-1 token-2 token-3 token-4"; strings.TrimSpace(got) != want {
		t.Errorf("said %q, want %q", got, want)
	}
	if chunks[len(chunks)-1] != "[DONE]" {
		t.Errorf("the last event is %q", chunks[len(chunks)-1])
	}
	for _, c := range chunks[:len(chunks)-1] {
		if !strings.Contains(c, `"model":"assistant"`) || strings.Contains(c, "model-a") {
			t.Errorf("a chunk under the upstream's name: %s", c)
		}
	}
	r.await("the stream is counted", func(s report.Status) bool { return s.Streams.Done == 1 && s.Streams.Open == 0 && s.InFlight == 0 })
}

// A fault after the first token is an error event, whatever the fault: never a second [DONE], never a bare end.
func TestFaultsBecomeErrorEvents(t *testing.T) {
	_, url := startMock(t, mockllm.Options{})
	for _, tt := range []struct{ name, script, code string }{
		{"truncated", `{"tokens":9,"afterTokens":3,"fault":"Truncate"}`, "upstream_truncated"},
		{"truncated within a frame", `{"tokens":9,"afterTokens":3,"fault":"TruncateMidFrame"}`, "upstream_truncated"},
		{"ended without done", `{"tokens":9,"afterTokens":3,"fault":"EndEarly"}`, "upstream_truncated"},
		{"silent", `{"tokens":9,"afterTokens":3,"fault":"Silence"}`, "upstream_timeout"},
		{"garbage", `{"tokens":9,"afterTokens":3,"fault":"Garbage"}`, "upstream_error"},
		{"an error event", `{"tokens":9,"afterTokens":3,"fault":"ErrorEvent"}`, "upstream_error"},
		{"a giant frame", `{"tokens":9,"afterTokens":3,"fault":"GiantFrame","giantBytes":17000000}`, "upstream_error"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := assistant(url)
			if tt.name == "silent" {
				c.Upstreams[0].Timeouts.Idle = config.Duration(100 * time.Millisecond)
			}
			r := start(t, c)
			for path, body := range map[string]string{"/stream": question(tt.script), "/v1/chat/completions": completion(true, tt.script)} {
				resp := r.post(path, body)
				chunks := events(t, resp)
				last := chunks[len(chunks)-1]
				if !strings.Contains(last, `"error":{`) || !strings.Contains(last, tt.code) {
					t.Errorf("%s: the last event is %s, want %s", path, last, tt.code)
				}
				if got := strings.TrimSpace(said(t, chunks[:len(chunks)-1])); got != "token-0 token-1 token-2" {
					t.Errorf("%s: said %q before it", path, got)
				}
				if strings.Contains(strings.Join(chunks, ""), mockllm.ErrorDetail) {
					t.Errorf("%s: the upstream's own words reached the client", path)
				}
			}
			if s := r.g.Status().Streams; s.Failed != 2 || s.Open != 0 {
				t.Errorf("streams %+v, want 2 failed", s)
			}
		})
	}
}

// Before the first token a fault is a status of its own.
func TestFaultsBeforeTheFirstToken(t *testing.T) {
	_, url := startMock(t, mockllm.Options{})
	for _, tt := range []struct {
		name, script, code string
		status             int
		retryAfter         string
	}{
		{name: "refused", script: `{"status":400}`, status: 400, code: "bad_request"},
		{name: "overloaded", script: `{"status":429,"retryAfter":"7"}`, status: 429, code: "upstream_overloaded", retryAfter: "7"},
		{name: "broken", script: `{"status":500}`, status: 502, code: "upstream_error"},
		{name: "unavailable", script: `{"status":503,"retryAfter":"3"}`, status: 503, code: "upstream_unavailable", retryAfter: "3"},
		{name: "key refused", script: `{"status":401}`, status: 502, code: "upstream_error"},
		{name: "hung up", script: `{"fault":"CloseBeforeHeaders"}`, status: 502, code: "upstream_unreachable"},
		{name: "silent without headers", script: `{"fault":"HangBeforeHeaders"}`, status: 504, code: "upstream_timeout"},
		{name: "silent after headers", script: `{"tokens":3,"fault":"Silence"}`, status: 504, code: "upstream_timeout"},
		{name: "truncated at once", script: `{"tokens":3,"fault":"Truncate"}`, status: 502, code: "upstream_truncated"},
		{name: "garbage at once", script: `{"tokens":3,"fault":"Garbage"}`, status: 502, code: "upstream_error"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := assistant(url)
			if tt.status == http.StatusGatewayTimeout {
				c.Upstreams[0].Timeouts.FirstToken = config.Duration(100 * time.Millisecond)
			}
			r := start(t, c)
			resp := r.post("/v1/chat/completions", completion(true, tt.script))
			body := text(t, resp)
			if resp.StatusCode != tt.status || !strings.Contains(body, tt.code) || resp.Header.Get("Retry-After") != tt.retryAfter {
				t.Errorf("status %d, Retry-After %q, body %s; want %d %q %s",
					resp.StatusCode, resp.Header.Get("Retry-After"), body, tt.status, tt.retryAfter, tt.code)
			}
			if own := strings.Contains(body, mockllm.ErrorDetail); own != (tt.status == 400) || strings.Contains(r.logs.String(), mockllm.ErrorDetail) {
				t.Errorf("the upstream's own words: %v to the client, logged %s", own, r.logs)
			}
			typed := r.post("/stream", question(tt.script))
			if said := text(t, typed); typed.StatusCode != tt.status || !strings.Contains(said, `"detail"`) || strings.Contains(said, mockllm.ErrorDetail) {
				t.Errorf("the typed route answers %d %s", typed.StatusCode, said)
			}
		})
	}
}

func TestTheNextUpstreamTakesOverBeforeContent(t *testing.T) {
	for _, script := range []string{
		`{"status":500}`, `{"status":429}`, `{"fault":"CloseBeforeHeaders"}`, `{"fault":"HangBeforeHeaders"}`,
		`{"fault":"Silence"}`, `{"fault":"Truncate"}`, `{"fault":"ErrorEvent"}`, `{"fault":"Garbage"}`,
	} {
		t.Run(script, func(t *testing.T) {
			bad, badURL := startMock(t, mockllm.Options{})
			good, goodURL := startMock(t, mockllm.Options{})
			c := assistant(badURL, goodURL)
			for i := range c.Upstreams[:1] {
				c.Upstreams[i].Timeouts.FirstToken = config.Duration(100 * time.Millisecond)
				c.Upstreams[i].Timeouts.Total = config.Duration(100 * time.Millisecond)
			}
			r := start(t, c)
			var fault mockllm.Script
			mustJSON(t, script, &fault)
			fault.Tokens = 3
			bad.FailNext(2, fault)
			chunks := events(t, r.post("/v1/chat/completions", completion(true, `{"tokens":2}`)))
			if got := strings.TrimSpace(said(t, chunks)); got != "token-0 token-1" || chunks[len(chunks)-1] != "[DONE]" {
				t.Errorf("said %q, ended by %q", got, chunks[len(chunks)-1])
			}
			if resp := r.post("/v1/chat/completions", completion(false, `{"tokens":2}`)); resp.StatusCode != 200 {
				t.Errorf("whole: status %d: %s", resp.StatusCode, text(t, resp))
			}
			if bad.Stats().Opened != 2 || good.Stats().Finished != 2 {
				t.Errorf("asked %d and %d, want 2 and 2", bad.Stats().Opened, good.Stats().Finished)
			}
			if body := string(good.Requests()[0].Body); !strings.Contains(body, `"model":"model-b"`) {
				t.Errorf("asked with %s", body)
			}
		})
	}
}

// After the first content event nobody takes over.
func TestNoFallbackAfterContent(t *testing.T) {
	_, badURL := startMock(t, mockllm.Options{})
	good, goodURL := startMock(t, mockllm.Options{})
	r := start(t, assistant(badURL, goodURL))
	chunks := events(t, r.post("/v1/chat/completions", completion(true, `{"tokens":5,"afterTokens":1,"fault":"Truncate"}`)))
	if !strings.Contains(chunks[len(chunks)-1], "upstream_truncated") || good.Stats().Opened != 0 {
		t.Errorf("ended by %s; the second upstream was asked %d times", chunks[len(chunks)-1], good.Stats().Opened)
	}
}

// A client that goes takes every call made for it with it: streamed or whole, before or after the first token.
func TestUpstreamsAreCancelledWithTheClient(t *testing.T) {
	for _, tt := range []struct{ name, path, body string }{
		{"streaming", "/stream", question(`{"tokens":1000,"afterTokens":1,"fault":"Silence"}`)},
		{"before the first token", "/stream", question(`{"tokens":5,"fault":"Silence"}`)},
		{"before headers", "/v1/chat/completions", completion(true, `{"fault":"HangBeforeHeaders"}`)},
		{"whole", "/v1/chat/completions", completion(false, `{"fault":"HangBeforeHeaders"}`)},
		{"whole typed", "/answer", question(`{"fault":"HangBeforeHeaders"}`)},
	} {
		t.Run(tt.name, func(t *testing.T) {
			mock, url := startMock(t, mockllm.Options{})
			r := start(t, assistant(url))
			r.leave(mock, tt.path, tt.body, 1)
			r.await("nothing is in flight", func(s report.Status) bool { return s.InFlight == 0 && s.Streams.Open == 0 })
		})
	}
}

func TestStreamsEndAtTheirMaximalDuration(t *testing.T) {
	_, url := startMock(t, mockllm.Options{})
	r := start(t, assistant(url), func(o *Options) { o.MaxStreamDuration = 200 * time.Millisecond })
	chunks := events(t, r.post("/stream", question(`{"tokens":100000,"tokenDelay":"5ms"}`)))
	if last := chunks[len(chunks)-1]; !strings.Contains(last, "stream_duration_exceeded") {
		t.Errorf("ended by %s", last)
	}
}

func TestRoutesBoundTheWaitForContent(t *testing.T) {
	_, url := startMock(t, mockllm.Options{})
	c := assistant(url)
	for i := range c.Routes {
		c.Routes[i].Timeout = config.Duration(100 * time.Millisecond)
	}
	r := start(t, c)
	for _, path := range []string{"/stream", "/answer"} {
		resp := r.post(path, question(`{"fault":"HangBeforeHeaders"}`))
		if body := text(t, resp); resp.StatusCode != 504 || !strings.Contains(body, "longer than this route allows") {
			t.Errorf("%s: %d %s", path, resp.StatusCode, body)
		}
	}
	// Content that has begun is not the timeout's concern any more.
	if chunks := events(t, r.post("/stream", question(`{"tokens":40,"tokenDelay":"5ms"}`))); chunks[len(chunks)-1] != "[DONE]" {
		t.Errorf("ended by %s", chunks[len(chunks)-1])
	}
}

// A key that one upstream refuses says nothing of another's, and is told until it is rotated.
func TestRefusedKeys(t *testing.T) {
	_, strict := startMock(t, mockllm.Options{APIKey: "k2"})
	_, other := startMock(t, mockllm.Options{})
	c := assistant(strict, other)
	file := config.SecretFile{Secret: "keys", Key: "openai"}
	c.Upstreams[0].Auth = &config.Auth{Bearer: &file}
	secrets := filepath.Join(t.TempDir(), "secrets")
	key := filepath.Join(secrets, "keys", "openai")
	if err := os.MkdirAll(filepath.Dir(key), 0o700); err != nil {
		t.Fatal(err)
	}
	write := func(value string) {
		t.Helper()
		if err := os.WriteFile(key, []byte(value), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("k1")
	r := start(t, c, func(o *Options) { o.SecretsDir = secrets })
	for _, stream := range []string{"false", "true"} {
		resp := r.post("/v1/chat/completions", `{"model":"assistant","stream":`+stream+`,"messages":[{"role":"user","content":"{}"}]}`)
		if body := text(t, resp); resp.StatusCode != 200 {
			t.Errorf("stream %s: %d %s", stream, resp.StatusCode, body)
		}
	}
	status := r.g.Status()
	if len(status.RefusedKeys) != 1 || status.RefusedKeys[0].Upstream != "a" || status.RefusedKeys[0].SecretFile != file {
		t.Errorf("refused keys %+v", status.RefusedKeys)
	}
	if said := fmt.Sprintf("%+v", status) + r.logs.String(); strings.Contains(said, "k1") {
		t.Error("the key is in the status or the logs")
	}
	write("k2")
	r.await("the rotated key", func(s report.Status) bool { return len(s.RefusedKeys) == 0 })
}

func TestCredentials(t *testing.T) {
	const key = "sk-very-secret"
	mock, url := startMock(t, mockllm.Options{APIKey: key})
	c := assistant(url)
	c.Upstreams[0].Auth = &config.Auth{Bearer: &config.SecretFile{Secret: "keys", Key: "openai"}}
	r := start(t, c)
	if resp := r.post("/answer", question("{}")); resp.StatusCode != 503 {
		t.Errorf("without the secret: %d %s", resp.StatusCode, text(t, resp))
	}
	want := []report.SecretState{{SecretFile: config.SecretFile{Secret: "keys", Key: "openai"}}}
	if diff := cmp.Diff(want, r.g.Status().Secrets); diff != "" {
		t.Error(diff)
	}
	secrets := filepath.Join(r.dir, "secrets", "keys")
	if err := os.MkdirAll(secrets, 0o700); err != nil {
		t.Fatal(err)
	}
	for _, value := range []string{"wrong-key", key + "\n"} {
		if err := os.WriteFile(filepath.Join(secrets, "openai"), []byte(value), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	r.await("the secret is loaded", func(s report.Status) bool { return s.Secrets[0].Loaded })
	if s := r.g.Status().Secrets[0]; s.Since.IsZero() || s.Modified.IsZero() || s.Since.Location() != time.UTC {
		t.Errorf("nobody can tell when it changed: %+v", s)
	}
	if resp := r.post("/answer", question("{}")); resp.StatusCode != 200 {
		t.Errorf("with the secret: %d %s", resp.StatusCode, text(t, resp))
	}
	if got := mock.Requests()[0].Header.Get("Authorization"); got != "Bearer "+key {
		t.Errorf("sent %q", got)
	}
	status := fmt.Sprintf("%+v", r.g.Status())
	if strings.Contains(r.logs.String(), key) || strings.Contains(status, key) {
		t.Error("the secret is in the logs or the status")
	}
}
