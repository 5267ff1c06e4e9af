package gateway

import (
	"encoding/json"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/llmservice/llmservice/runtime/config"
	"github.com/llmservice/llmservice/runtime/config/delivery"
	"github.com/llmservice/llmservice/runtime/config/report"
	"github.com/llmservice/llmservice/test/mockllm"
	"github.com/llmservice/llmservice/test/needs"
)

// A client from outside of the pod gets places in the config instead of names, with which the operator finds the names; one from within
// gets the names.
func TestAStrangerGetsNoNames(t *testing.T) {
	_, model := startMock(t, mockllm.Options{APIKey: "another"})
	c := assistant("http://unused.example", model)
	c.Models[0].Upstreams = []string{"b"}
	c.Upstreams[0].Auth = &config.Auth{Bearer: &config.SecretFile{Secret: "team-keys", Key: "team-missing"}}
	refused := config.SecretFile{Secret: "team-keys", Key: "team-refused"}
	c.Upstreams[1].Auth = &config.Auth{Bearer: &refused}
	c.Upstreams[1].Name, c.Models[0].Upstreams[0] = "team-model", "team-model"
	r := startAt(t, ":0", c)
	dir := filepath.Join(r.dir, "secrets", "team-keys")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "team-refused"), []byte("wrong"), 0o600); err != nil {
		t.Fatal(err)
	}
	r.await("the key", func(s report.Status) bool { return s.Secrets[1].Loaded })
	_ = text(t, r.post("/v1/chat/completions", `{"model":"assistant","messages":[{"role":"user","content":"hello"}]}`))
	r.await("the refusal", func(s report.Status) bool { return len(s.RefusedKeys) == 1 })

	admin, err := url.Parse(r.adminURL)
	if err != nil {
		t.Fatal(err)
	}
	read := func(host string) (status report.Status, said string) {
		resp, err := r.client.Get("http://" + net.JoinHostPort(host, admin.Port()) + report.StatusPath)
		if err != nil {
			t.Fatal(err)
		}
		if said = text(t, resp); resp.StatusCode != http.StatusOK {
			t.Fatalf("%d %s", resp.StatusCode, said)
		}
		if err := json.Unmarshal([]byte(said), &status); err != nil {
			t.Fatal(err)
		}
		return status, said
	}
	own, _ := read("127.0.0.1")
	if len(own.Upstreams) != 2 || own.RefusedKeys[0].Upstream != "team-model" || own.RefusedKeys[0].SecretFile != refused {
		t.Errorf("within the pod, the status is %+v", own)
	}
	strange, said := read(needs.Address(t).String())
	for _, name := range []string{"team-", "unused", "127.0.0.1"} {
		if strings.Contains(said, name) {
			t.Errorf("a stranger gets %q in %s", name, said)
		}
	}
	want := own.Unnamed()
	if diff := cmp.Diff(want.Secrets, strange.Secrets); diff != "" {
		t.Errorf("secrets (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(want.RefusedKeys, strange.RefusedKeys); diff != "" {
		t.Errorf("refused keys (-want +got):\n%s", diff)
	}
	if key := strange.RefusedKeys[0]; c.Upstreams[key.UpstreamIndex].Name != "team-model" || c.SecretFiles()[key.Index] != refused {
		t.Errorf("the places are %d and %d", key.UpstreamIndex, key.Index)
	}
	if strange.Revision != own.Revision || strange.MaxInFlight != own.MaxInFlight || strange.Secrets[0].Loaded {
		t.Errorf("the status is %+v", strange)
	}
}

// What cannot be read is a figure that names nothing.
func TestUnreadableSecretsAreCounted(t *testing.T) {
	_, model := startMock(t, mockllm.Options{})
	c := assistant(model, model)
	c.Upstreams[0].Auth = &config.Auth{Bearer: &config.SecretFile{Secret: "team-keys", Key: "missing"}}
	c.Upstreams[1].Auth = &config.Auth{Bearer: &config.SecretFile{Secret: "team-keys", Key: "there"}}
	r := start(t, nil)
	counted := func(want string) {
		t.Helper()
		resp, err := r.client.Get(r.adminURL + report.MetricsPath)
		if err != nil {
			t.Fatal(err)
		}
		scraped := text(t, resp)
		if !strings.Contains(scraped, "\nllmservice_secrets_unreadable "+want+"\n") || strings.Contains(scraped, "team-keys") {
			t.Errorf("want %s in %s", want, scraped)
		}
	}
	counted("0")
	dir := filepath.Join(r.dir, "secrets", "team-keys")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "there"), []byte("key"), 0o600); err != nil {
		t.Fatal(err)
	}
	r.write(delivery.CurrentKey, encode(t, c))
	r.await("the config", func(s report.Status) bool { return s.Revision != "" })
	counted("1")
}
