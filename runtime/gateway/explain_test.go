package gateway

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/llmservice/llmservice/runtime/config"
	"github.com/llmservice/llmservice/runtime/config/report"
)

// refusal is how an upstream answers.
type refusal struct {
	status int
	media  string
	body   string
}

// refuser is an upstream that answers each call alike, and counts them.
type refuser struct {
	answer atomic.Pointer[refusal]
	calls  atomic.Int32
}

func (u *refuser) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	u.calls.Add(1)
	_, _ = io.Copy(io.Discard, r.Body)
	answer := u.answer.Load()
	if answer.media != "" {
		w.Header().Set("Content-Type", answer.media)
	}
	w.WriteHeader(answer.status)
	_, _ = io.WriteString(w, answer.body)
}

// refusedBy serves a model over two upstreams of which the first refuses, both with keys.
func refusedBy(t *testing.T, u *refuser) (*replica, *refuser) {
	t.Helper()
	second := &refuser{}
	second.answer.Store(&refusal{status: 500})
	var urls []string
	for _, handler := range []http.Handler{u, second} {
		server := httptest.NewServer(handler)
		t.Cleanup(server.Close)
		urls = append(urls, server.URL)
	}
	c := assistant(urls...)
	for i, key := range []string{"one", "other"} {
		c.Upstreams[i].Auth = &config.Auth{Bearer: &config.SecretFile{Secret: "keys", Key: key}}
	}
	r := start(t, c)
	dir := filepath.Join(r.dir, "secrets", "keys")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	for name, value := range map[string]string{"one": "hunter2 mark\n", "other": `oth"er/key`} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(value), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	r.await("the keys are there", func(s report.Status) bool {
		return len(s.Secrets) == 2 && s.Secrets[0].Loaded && s.Secrets[1].Loaded
	})
	return r, second
}

// What a client did wrong comes back to it as the upstream tells it, without keys; no other upstream is asked.
func TestAClientsOwnMistakesComeBackToIt(t *testing.T) {
	const ours = `{"error":{"message":"The upstream rejected the request.","type":"invalid_request_error","param":null,"code":"upstream_rejected"}}`
	u := &refuser{}
	r, second := refusedBy(t, u)
	for name, tt := range map[string]struct {
		status      int
		media, body string
		want        string
	}{
		"too long": {
			400, "application/json", `{"error":{"message":"At most 8192 tokens.","type":"invalid_request_error","param":"messages","code":"context_length_exceeded"}}`,
			`{"error":{"message":"At most 8192 tokens.","type":"invalid_request_error","param":"messages","code":"context_length_exceeded"}}`,
		},
		"no such model": {
			404, "application/json", `{"object":"error","message":"The model ` + "`x`" + ` does not exist.","type":"NotFoundError","param":null,"code":404}`,
			`{"error":{"message":"The model ` + "`x`" + ` does not exist.","type":"NotFoundError","param":null,"code":404}}`,
		},
		"too large": {413, "text/html", `<h1>413</h1>`, ours},
		"violations": {
			422, "application/json", `{"detail":[{"type":"missing","loc":["body","messages",0,"role"],"msg":"Field required"}]}`,
			`{"error":{"message":"messages[0].role: Field required","type":"missing","param":"messages[0].role","code":"upstream_rejected"}}`,
		},
		"a null code": {
			400, "", `{"error":{"message":"No.","type":"invalid_request_error","param":null,"code":null}}`,
			`{"error":{"message":"No.","type":"invalid_request_error","param":null,"code":null}}`,
		},
		"its key": {
			400, "application/json", `{"error":{"message":"no Bearer hunter2 mark, \"hunter2 mark\" or hunter2%20mark","type":"hunter2 mark","param":"hunter2 mark","code":"hunter2 mark"}}`,
			`{"error":{"message":"no Bearer [removed], \"[removed]\" or [removed]","type":"invalid_request_error","param":"[removed]","code":"upstream_rejected"}}`,
		},
		"the other's key": {
			400, "application/json", `{"error":"not oth\"er\/key, b3RoImVyL2tleQ== nor sk-abcdef123"}`,
			`{"error":{"message":"not [removed], [removed] nor [removed]","type":"invalid_request_error","param":null,"code":"upstream_rejected"}}`,
		},
		"nothing": {404, "", ``, ours},
		"no end":  {400, "application/json", `{"error":"` + strings.Repeat("x ", 64<<10), ours},
	} {
		u.answer.Store(&refusal{tt.status, tt.media, tt.body})
		before := u.calls.Load()
		for _, stream := range []bool{false, true} {
			resp := r.post("/v1/chat/completions", completion(stream, "MARK"))
			if diff := cmp.Diff(tt.want, text(t, resp)); diff != "" || resp.StatusCode != tt.status || resp.Header.Get("Content-Type") != "application/json" {
				t.Errorf("%s, stream %v: %d %s", name, stream, resp.StatusCode, diff)
			}
		}
		if asked := u.calls.Load() - before; asked != 2 || second.calls.Load() != 0 {
			t.Errorf("%s: asked %d and %d times", name, asked, second.calls.Load())
		}
	}
}

// What is about the gateway's key, or the upstream itself, says nothing of the upstream's; nor does a typed route, whose
// client has sent the upstream nothing. No log and no metric has it either way.
func TestWhatElseUpstreamsSayStaysWithThem(t *testing.T) {
	const said = `{"error":{"message":"MARK-said","type":"MARK-type","param":"MARK-param","code":"MARK-code"}}`
	u := &refuser{}
	r, _ := refusedBy(t, u)
	for _, status := range []int{400, 401, 403, 404, 413, 422, 429, 500, 503} {
		u.answer.Store(&refusal{status, "application/json", said})
		told := status == 400 || status == 404 || status == 413 || status == 422
		for _, stream := range []bool{false, true} {
			resp := r.post("/v1/chat/completions", completion(stream, "x"))
			if body := text(t, resp); strings.Contains(body, "MARK-said") != told {
				t.Errorf("%d, stream %v: %d %s", status, stream, resp.StatusCode, body)
			}
		}
		for _, path := range []string{"/answer", "/stream"} {
			resp := r.post(path, question("x"))
			if body := text(t, resp); strings.Contains(body, "MARK") || resp.StatusCode == 404 {
				t.Errorf("%d: %s: %d %s", status, path, resp.StatusCode, body)
			}
		}
		resp, err := r.client.Get(r.adminURL + "/metrics")
		if err != nil {
			t.Fatal(err)
		}
		logs := r.logs.String()
		if strings.Contains(text(t, resp)+logs+fmt.Sprint(r.g.Status()), "MARK") || !strings.Contains(logs, fmt.Sprintf("status %d", status)) {
			t.Errorf("%d: logged %s", status, logs)
		}
	}
}
