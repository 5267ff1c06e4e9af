package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/llmservice/llmservice/test/mockllm"
	"github.com/llmservice/llmservice/test/transcript"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const patience = 20 * time.Second

const service = `apiVersion: serving.llmservice.dev/v1alpha1
kind: LLMService
metadata: {name: assistant}
spec:
  upstreams:
  - name: fast
    type: OpenAI
    openAI: {model: m}
    endpoints: [{url: "http://model.invalid/v1"}]
    auth: {type: Bearer, bearer: {secretKeyRef: {name: keys, key: openai}}}
  routes:
  - path: /answer
    summary: Answer a question
    steps: [{name: answer, chat: {upstream: fast, messages: [{role: user, content: PROMPT}]}}]
    response: {body: {text: "${steps.answer.text}"}}
`

// output collects what the command prints.
type output struct{ transcript.Buffer }

func (o *output) await(t *testing.T, pattern string) []string {
	t.Helper()
	re := regexp.MustCompile(pattern)
	for deadline := time.Now().Add(patience); ; time.Sleep(time.Millisecond) {
		found := re.FindStringSubmatch(o.String())
		if found != nil {
			return found
		}
		if time.Now().After(deadline) {
			t.Fatalf("%q was not printed, but\n%s", pattern, o.String())
		}
	}
}

func save(t *testing.T, file, content string) {
	t.Helper()
	// As editors save: a new file in the old one's place.
	next := filepath.Join(t.TempDir(), "next")
	if err := os.WriteFile(next, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(next, file); err != nil {
		t.Fatal(err)
	}
}

func TestDevServesAndReloads(t *testing.T) {
	mock := mockllm.New(mockllm.Options{APIKey: "sk-dev"})
	upstream := httptest.NewServer(mock)
	defer upstream.Close()
	defer mock.Close()
	dir := t.TempDir()
	file := filepath.Join(dir, "service.yaml")
	save(t, file, strings.Replace(service, "PROMPT", "first", 1))
	if err := os.MkdirAll(filepath.Join(dir, "secrets", "keys"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "secrets", "keys", "openai"), []byte("sk-dev"), 0o600); err != nil {
		t.Fatal(err)
	}

	var out output
	cmd := command()
	cmd.SetOut(&out)
	cmd.SetErr(&out)
	cmd.SetArgs([]string{
		"dev", "-f", file, "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0",
		"--secrets-dir", filepath.Join(dir, "secrets"), "--endpoint", "fast=" + upstream.URL + "/v1",
	})
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- cmd.ExecuteContext(ctx) }()
	defer func() {
		stop()
		if err := <-ended; err != nil {
			t.Errorf("ended with %v", err)
		}
	}()

	url := out.await(t, `is served at (http://\S+)`)[1]
	out.await(t, `POST +`+url+`/answer +Answer a question`)
	prompts := func() string { r := mock.Requests(); return string(r[len(r)-1].Body) }
	awaitAnswer(t, url+"/answer", 200)
	if !strings.Contains(prompts(), "first") {
		t.Errorf("asked with %s", prompts())
	}

	save(t, file, strings.Replace(strings.Replace(service, "PROMPT", "x", 1), "upstream: fast", "upstream: slow", 1))
	out.await(t, `not reloaded(?s).*spec\.routes\[0\]\.steps\[0\]\.chat\.upstream \(routes\[/answer\]\.steps\[answer\]\): there is no upstream "slow"`)
	awaitAnswer(t, url+"/answer", 200)

	save(t, file, strings.Replace(service, "PROMPT", "second", 1))
	out.await(t, `reloaded, revision [0-9a-f]{12}`)
	for deadline := time.Now().Add(patience); !strings.Contains(prompts(), "second"); {
		awaitAnswer(t, url+"/answer", 200)
		if time.Now().After(deadline) {
			t.Fatalf("still asks with %s", prompts())
		}
	}
}

// awaitAnswer asks until the answer has the status: the gateway reads its config while it begins to listen.
func awaitAnswer(t *testing.T, url string, status int) {
	t.Helper()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	last := ""
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); {
		resp, err := client.Post(url, "application/json", strings.NewReader("{}"))
		if err == nil {
			body, _ := io.ReadAll(resp.Body)
			_ = resp.Body.Close()
			if resp.StatusCode == status {
				return
			}
			last = fmt.Sprintf("%d %s", resp.StatusCode, body)
		} else {
			last = err.Error()
		}
	}
	t.Fatalf("%s: %s, want %d", url, last, status)
}

// TestDevWarns of what is served, but perhaps not as it is meant: Secrets that are not there, and what YAML reads otherwise.
func TestDevWarns(t *testing.T) {
	dir := t.TempDir()
	file, secrets := filepath.Join(dir, "service.yaml"), filepath.Join(dir, "secrets")
	save(t, file, strings.Replace(service, "body: {text:", "body: {country: no, text:", 1))
	if err := os.MkdirAll(filepath.Join(secrets, "keys"), 0o700); err != nil {
		t.Fatal(err)
	}
	var out output
	cmd := command()
	cmd.SetOut(&out)
	cmd.SetErr(&out)
	cmd.SetArgs([]string{
		"dev", "-f", file, "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0", "--secrets-dir", secrets,
		"--files-dir", filepath.Join(dir, "files"),
	})
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- cmd.ExecuteContext(ctx) }()
	defer func() {
		stop()
		if err := <-ended; err != nil {
			t.Errorf("ended with %v", err)
		}
	}()
	out.await(t, `\S+/service\.yaml:15:32: warning: spec\.routes\[0\]\.response\.body\.country \(routes\[/answer\]\): no is read as the boolean false`)
	out.await(t, `below \S+/secrets: read secret keys/openai: no such file or directory; calls that need it fail`)

	if err := os.WriteFile(filepath.Join(secrets, "keys", "openai"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	save(t, file, strings.Replace(service, "body: {text:", `body: {"no": 1, text:`, 1))
	out.await(t, `reloaded(?s).*read secret keys/openai: is empty`)
	save(t, file, strings.Replace(service, "secretKeyRef: {name: keys, key: openai}", "file: {path: /mnt/keys/openai}", 1))
	out.await(t, `reloaded(?s).*below \S+/files: read secret /mnt/keys/openai: no such file or directory; calls that need it fail`)
	save(t, file, strings.Replace(service, "body: {text:", `body: {a: null, b: ~, c: , d: {e: null}, f: [null], text:`, 1))
	out.await(t, `reloaded(?s).*/service\.yaml:15:23: warning: spec\.routes\[0\]\.response\.body\.a \(routes\[/answer\]\): is null, which kubectl apply drops.*body\.d\.e \S+ is null`)
	save(t, file, strings.Replace(service, "body: {text:", "body: {no: 1, text:", 1))
	out.await(t, `not reloaded(?s).*service\.yaml:15:23: spec\.routes\[0\]\.response\.body\.no \(routes\[/answer\]\): the name no is read as a boolean`)
	save(t, file, strings.Replace(service, "upstream: fast", "upstream: slow", 1))
	out.await(t, `service\.yaml:14:45: spec\.routes\[0\]\.steps\[0\]\.chat\.upstream \(routes\[/answer\]\.steps\[answer\]\): there is no upstream "slow"`)
}

func TestDevRefuses(t *testing.T) {
	dir := t.TempDir()
	good := filepath.Join(dir, "good.yaml")
	save(t, good, service)
	bad := filepath.Join(dir, "bad.yaml")
	save(t, bad, strings.Replace(service, "http://model.invalid/v1", "http://", 1))
	for name, tt := range map[string]struct {
		args []string
		want string
	}{
		"no file":               {[]string{"dev"}, `"filename" not set`},
		"a file that is not":    {[]string{"dev", "-f", filepath.Join(dir, "none.yaml")}, "no such file"},
		"a bad manifest":        {[]string{"dev", "-f", bad}, "bad.yaml:9:23: spec.upstreams[0].endpoints[0].url"},
		"an unknown upstream":   {[]string{"dev", "-f", good, "--endpoint", "slow=http://x"}, "there is no upstream slow"},
		"an endpoint of no URL": {[]string{"dev", "-f", good, "--endpoint", "fast=x"}, "--endpoint fast"},
		"a level of no name":    {[]string{"dev", "-f", good, "--log-level", "loud"}, "--log-level"},
		"an address of no host": {[]string{"dev", "-f", good, "--listen", "nowhere.invalid:1"}, "--listen"},
	} {
		t.Run(name, func(t *testing.T) {
			cmd := command()
			cmd.SetOut(io.Discard)
			cmd.SetErr(io.Discard)
			cmd.SetArgs(tt.args)
			if err := cmd.ExecuteContext(t.Context()); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want %q", err, tt.want)
			}
		})
	}
}
