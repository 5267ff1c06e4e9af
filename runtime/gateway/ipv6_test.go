package gateway

import (
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/llmservice/llmservice/runtime/config/report"
	"github.com/llmservice/llmservice/test/mockllm"
)

func startMockOn(t *testing.T, l net.Listener) string {
	t.Helper()
	mock := mockllm.New(mockllm.Options{})
	server := httptest.NewUnstartedServer(mock)
	_ = server.Listener.Close() // the one on IPv4
	server.Listener = l
	server.Start()
	t.Cleanup(func() {
		mock.Close()
		server.Close()
	})
	return server.URL + "/v1"
}

// In a pod that has no IPv4 address, everything that a gateway listens on and connects to is IPv6.
func TestAGatewayWithoutIPv4(t *testing.T) {
	url := startMockOn(t, listenAt(t, "[::1]:0"))
	if !strings.HasPrefix(url, "http://[::1]:") {
		t.Fatalf("the model is at %s", url)
	}
	r := startAt(t, "[::1]:0", assistant(url))
	for path, body := range map[string]string{
		"/answer":              question("{}"),
		"/stream":              question("{}"),
		"/v1/chat/completions": `{"model":"assistant","messages":[{"role":"user","content":"hello"}]}`,
	} {
		resp := r.post(path, body)
		if answer := text(t, resp); resp.StatusCode != http.StatusOK {
			t.Errorf("%s: %d %s", path, resp.StatusCode, answer)
		}
	}
	for _, path := range []string{report.ReadyPath, report.LivePath, report.StatusPath, report.MetricsPath} {
		resp, err := r.client.Get(r.adminURL + path)
		if err != nil {
			t.Fatal(err)
		}
		if answer := text(t, resp); resp.StatusCode != http.StatusOK {
			t.Errorf("%s: %d %s", path, resp.StatusCode, answer)
		}
	}
}
