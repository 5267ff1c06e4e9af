package upstream

import (
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/llmservice/llmservice/runtime/config/addresses"
	"github.com/llmservice/llmservice/test/nameserver"
)

// A proxy resolves names itself, so that the rules for addresses would not hold behind it. The environment is read once in the
// life of a process, so the calls are made by a process of their own.
func TestProxiesOfTheEnvironmentAreIgnored(t *testing.T) {
	const variable = "LLMSERVICE_TEST_PROXIED"
	if os.Getenv(variable) != "" {
		callByName(t)
		return
	}
	var asked atomic.Int32
	proxy := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked.Add(1) }))
	t.Cleanup(proxy.Close)
	child := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v")
	child.Env = append(os.Environ(), variable+"=1", "NO_PROXY=", "no_proxy=")
	for _, name := range []string{"HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"} {
		child.Env = append(child.Env, name+"="+proxy.URL, strings.ToLower(name)+"="+proxy.URL)
	}
	output, err := child.CombinedOutput()
	if err != nil || !strings.Contains(string(output), "--- PASS: "+t.Name()) {
		t.Errorf("%v: %s", err, output)
	}
	if n := asked.Load(); n != 0 {
		t.Errorf("the proxy was asked %d times, want never", n)
	}
}

// callByName calls a host whose name is not local, since no proxy is ever used for one that is.
func callByName(t *testing.T) {
	t.Helper()
	port, _ := startCounting(t)
	n := nameserver.Start(t)
	n.Set("model.example", nameserver.Answer{Addresses: []string{"127.0.0.1"}})
	c := dialerOf(n, addresses.Rules{}).client(tested)
	if host, err := ask(t, c, "http://model.example:"+port); err != nil || host != "model.example:"+port {
		t.Errorf("got %q, %v", host, err)
	}
	if _, err := ask(t, c, "https://model.example:"+port); err == nil {
		t.Error("a server without TLS was understood")
	}
}
