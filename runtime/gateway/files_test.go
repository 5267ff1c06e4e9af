package gateway

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/llmservice/llmservice/runtime/config"
	"github.com/llmservice/llmservice/runtime/config/report"
	"github.com/llmservice/llmservice/test/mockllm"
)

// A key in a file that a sidecar writes is used like one of a Secret: its rotation is live without a reload, and what is wrong
// with it is reported, without a word of its content.
func TestAKeyInAFile(t *testing.T) {
	const first, second = "sk-very-secret-1", "sk-very-secret-2"
	mock, url := startMock(t, mockllm.Options{APIKey: second})
	c := assistant(url)
	file := config.SecretFile{File: config.FileSource{Path: "/vault/secrets/openai"}}
	c.Upstreams[0].Auth = &config.Auth{Bearer: &file}
	r := start(t, c, func(o *Options) { o.FilesDir = t.TempDir() })
	if diff := cmp.Diff([]report.SecretState{{SecretFile: file}}, r.g.Status().Secrets); diff != "" {
		t.Error(diff)
	}
	at := filepath.Join(r.g.options.FilesDir, file.Path())
	if err := os.MkdirAll(filepath.Dir(at), 0o700); err != nil {
		t.Fatal(err)
	}
	write := func(content string) {
		if err := os.WriteFile(at, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(first + "\n" + first)
	r.await("the problem", func(s report.Status) bool { return s.Secrets[0].Problem == "has more than one line" })
	if resp := r.post("/answer", question("{}")); resp.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("with two lines: %d %s", resp.StatusCode, text(t, resp))
	}
	write(first)
	r.await("the file", func(s report.Status) bool { return s.Secrets[0].Loaded && s.Secrets[0].Problem == "" })
	_ = text(t, r.post("/answer", question("{}")))
	if refused := r.g.Status().RefusedKeys; len(refused) != 1 || refused[0].SecretFile != file {
		t.Errorf("refused %+v", refused)
	}
	revision := r.g.Status().Revision
	write(second)
	r.await("the rotated key", func(s report.Status) bool { return len(s.RefusedKeys) == 0 })
	if resp := r.post("/answer", question("{}")); resp.StatusCode != http.StatusOK {
		t.Errorf("with the rotated key: %d %s", resp.StatusCode, text(t, resp))
	}
	requests := mock.Requests()
	if got := requests[len(requests)-1].Header.Get("Authorization"); got != "Bearer "+second || r.g.Status().Revision != revision {
		t.Errorf("sent %q, at revision %s", got, r.g.Status().Revision)
	}
	if said := fmt.Sprintf("%+v", r.g.Status()) + r.logs.String(); strings.Contains(said, "sk-very") {
		t.Error("a key is in the logs or the status")
	}
}
