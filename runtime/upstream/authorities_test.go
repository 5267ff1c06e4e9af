package upstream

import (
	"encoding/pem"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// The authorities of a process are read once, so the call is made by a process of its own.
func TestAuthoritiesOfTheEnvironment(t *testing.T) {
	const variable = "LLMSERVICE_TEST_UPSTREAM"
	if at := os.Getenv(variable); at != "" {
		if got, err := ask(t, dialer{tls: baseTLS()}.client(tested), at); err != nil || got != "hello" {
			t.Errorf("got %q, %v", got, err)
		}
		return
	}
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "hello") }))
	t.Cleanup(server.Close)
	file := filepath.Join(t.TempDir(), "ca.crt")
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	call := func(more ...string) ([]byte, error) {
		child := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^"+t.Name()+"$")
		child.Env = append(append(os.Environ(), variable+"="+server.URL), more...)
		return child.CombinedOutput()
	}
	if output, err := call("SSL_CERT_FILE=" + file); err != nil {
		t.Errorf("%v: %s", err, output)
	}
	if output, err := call(); err == nil {
		t.Errorf("an unknown authority was believed: %s", output)
	}
}
