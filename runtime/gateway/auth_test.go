package gateway

import (
	"encoding/pem"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/llmservice/llmservice/runtime/config"
	"github.com/llmservice/llmservice/runtime/config/report"
	"github.com/llmservice/llmservice/test/mockllm"
)

const canary = "canary-5e1f7a"

// secretsWith has files of a Secret called keys.
func secretsWith(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "keys"), 0o700); err != nil {
		t.Fatal(err)
	}
	for name, value := range files {
		if err := os.WriteFile(filepath.Join(dir, "keys", name), []byte(value), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func keyFile(key string) config.SecretFile { return config.SecretFile{Secret: "keys", Key: key} }

// Each way to authenticate reaches the upstream on models and routes, streamed and whole; and wherever something can be read of
// a gateway, neither keys nor what else comes from Secrets is in it.
func TestEachWayToAuthenticate(t *testing.T) {
	signature := keyFile("signature")
	for name, tt := range map[string]struct {
		auth   config.Auth
		passes func(r *http.Request) bool
	}{
		"header": {
			config.Auth{Header: &config.NamedSecret{Name: "api-key", SecretKeyRef: keyFile("key")}},
			func(r *http.Request) bool { return r.Header.Get("Api-Key") == canary+"-key" },
		},
		"query": {
			config.Auth{Query: &config.NamedSecret{Name: "key", SecretKeyRef: keyFile("key")}},
			func(r *http.Request) bool { return r.URL.Query().Get("key") == canary+"-key" },
		},
		"basic": {config.Auth{Basic: &config.BasicAuth{SecretRef: config.SecretRef{Name: "keys"}}}, func(r *http.Request) bool {
			username, password, _ := r.BasicAuth()
			return username == canary+"-user" && password == canary+"-password"
		}},
	} {
		t.Run(name, func(t *testing.T) {
			var closed atomic.Bool
			mock := mockllm.New(mockllm.Options{})
			t.Cleanup(mock.Close)
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				q := r.URL.Query()
				fits := tt.passes(r) && r.Header.Get("X-Signature") == canary+"-signature" && q.Get("api-version") == "preview" && q.Get("code") == canary+"-signature"
				if !fits || closed.Load() {
					w.WriteHeader(http.StatusUnauthorized)
					_, _ = fmt.Fprintf(w, `{"error":{"message":"%s %v"}}`, r.URL, r.Header)
					return
				}
				mock.ServeHTTP(w, r)
			}))
			t.Cleanup(server.Close)
			c := assistant(server.URL + "/v1")
			u := &c.Upstreams[0]
			u.Auth = &tt.auth
			u.Headers = []config.NamedValue{{Name: "X-Signature", SecretKeyRef: &signature}}
			u.Query = []config.NamedValue{{Name: "api-version", Value: "preview"}, {Name: "code", SecretKeyRef: &signature}}
			r := start(t, c, func(o *Options) {
				o.SecretsDir = secretsWith(t, map[string]string{
					"key": canary + "-key\n", "username": canary + "-user", "password": canary + "-password", "signature": canary + "-signature",
				})
			})
			closed.Store(true)
			said := r.askAll(t, http.StatusBadGateway)
			if status := r.g.Status(); len(status.RefusedKeys) != len(u.Keys()) || status.RefusedKeys[0].SecretFile != u.Keys()[0] {
				t.Errorf("refused keys %+v", status.RefusedKeys)
			}
			closed.Store(false)
			said += r.askAll(t, http.StatusOK)
			for _, path := range []string{"/openapi.json", "/docs"} {
				_, page := r.get(path)
				said += page
			}
			for _, path := range []string{"/status", "/metrics", "/readyz"} {
				resp, err := r.client.Get(r.adminURL + path)
				if err != nil {
					t.Fatal(err)
				}
				said += text(t, resp)
				_ = resp.Body.Close()
			}
			for line := range strings.Lines(said + r.logs.String()) {
				if strings.Contains(line, canary) {
					t.Errorf("a key is in %s", line)
				}
			}
		})
	}
}

// askAll sends a request of each kind, and returns what was answered.
func (r *replica) askAll(t *testing.T, status int) string {
	t.Helper()
	var said strings.Builder
	for _, stream := range []string{"false", "true"} {
		resp := r.post("/v1/chat/completions", `{"model":"assistant","stream":`+stream+`,"messages":[{"role":"user","content":"{}"}]}`)
		if said.WriteString(text(t, resp)); resp.StatusCode != status {
			t.Errorf("stream %s: %d", stream, resp.StatusCode)
		}
	}
	for _, path := range []string{"/answer", "/stream"} {
		resp := r.post(path, question("{}"))
		if said.WriteString(text(t, resp)); resp.StatusCode != status {
			t.Errorf("%s: %d", path, resp.StatusCode)
		}
	}
	return said.String()
}

// Files of headers and query parameters are reported like keys: as missing, and without auth as refused.
func TestFilesOfHeadersAreReported(t *testing.T) {
	_, url := startMock(t, mockllm.Options{APIKey: "another"})
	c := assistant(url)
	signature := keyFile("signature")
	c.Upstreams[0].Headers = []config.NamedValue{{Name: "X-Signature", SecretKeyRef: &signature}}
	r := start(t, c, func(o *Options) { o.SecretsDir = secretsWith(t, nil) })
	if resp := r.post("/answer", question("{}")); resp.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("without the file: %d %s", resp.StatusCode, text(t, resp))
	}
	if s := r.g.Status().Secrets; len(s) != 1 || s[0].SecretFile != signature || s[0].Loaded {
		t.Errorf("secrets %+v", s)
	}
	if err := os.WriteFile(filepath.Join(r.g.options.SecretsDir, "keys", "signature"), []byte("s"), 0o600); err != nil {
		t.Fatal(err)
	}
	r.await("the file", func(s report.Status) bool { return s.Secrets[0].Loaded })
	_ = text(t, r.post("/answer", question("{}")))
	if refused := r.g.Status().RefusedKeys; len(refused) != 1 || refused[0].SecretFile != signature {
		t.Errorf("refused %+v", refused)
	}
}

// An upstream's own authority is trusted, its file is reported, and what is wrong with it fails the calls that need it alone.
func TestAnUpstreamsOwnAuthority(t *testing.T) {
	mock := mockllm.New(mockllm.Options{})
	server := httptest.NewTLSServer(mock)
	t.Cleanup(func() {
		mock.Close()
		server.Close()
	})
	ca := keyFile("ca.crt")
	c := assistant(server.URL + "/v1")
	c.Upstreams[0].TLS = &config.TLS{CA: &config.CASource{SecretKeyRef: ca}, MinVersion: config.VersionTLS13}
	encoded := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	r := start(t, c, func(o *Options) { o.SecretsDir = secretsWith(t, map[string]string{"ca.crt": "nothing"}) })
	_ = r.askAll(t, http.StatusServiceUnavailable)
	if s := r.g.Status().Secrets; len(s) != 1 || s[0].SecretFile != ca || s[0].Loaded {
		t.Errorf("secrets %+v", s)
	}
	if err := os.WriteFile(filepath.Join(r.g.options.SecretsDir, "keys", "ca.crt"), encoded, 0o600); err != nil {
		t.Fatal(err)
	}
	r.await("the file is read again", func(s report.Status) bool {
		resp := r.post("/answer", question("{}"))
		return s.Secrets[0].Loaded && text(t, resp) != "" && resp.StatusCode == http.StatusOK
	})
	_ = r.askAll(t, http.StatusOK)
}
