package gateway

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/llmservice/llmservice/runtime/config"
	"github.com/llmservice/llmservice/runtime/config/delivery"
	"github.com/llmservice/llmservice/runtime/config/report"
	"github.com/llmservice/llmservice/test/mockllm"
)

// where is a route that answers what its templates see of a request.
func where() config.Route {
	return config.Route{
		Path: "/where/{id}", Method: http.MethodGet, Timeout: config.Duration(patience), Budget: config.Budget{MaxCalls: 1, MaxBytes: 1 << 20},
		Request: &config.Request{Parameters: []config.Parameter{{Name: "id", In: config.InPath}, {Name: "sid", In: config.InCookie}}},
		Response: &config.Response{Body: []byte(
			`"${request.client.address} ${request.method} ${request.url} ${request.path} ${request.params.?sid.orValue('-')}"`)},
	}
}

// asks sends a request for shop.example, and returns the text of the answer.
func (r *replica) asks(t *testing.T, path string, header http.Header) string {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, r.url+path, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	req.Host, req.Header = "shop.example:8080", header
	resp, err := r.client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	return strings.Trim(text(t, resp), `"`)
}

// TestTheClientBehindProxies: the peer is the client until it is a proxy that is trusted, which may change without a restart.
func TestTheClientBehindProxies(t *testing.T) {
	_, url := startMock(t, mockllm.Options{})
	c := assistant(url)
	c.Routes = append(c.Routes, where())
	r := start(t, c)
	header := http.Header{"X-Forwarded-For": {"203.0.113.1, 198.51.100.7"}, "X-Forwarded-Proto": {"https"}, "Cookie": {"sid=s1"}}
	const path = "/where/a%2Fb?c=%20d"
	want := "127.0.0.1 GET http://shop.example:8080/where/a%2Fb?c=%20d /where/a/b s1"
	if diff := cmp.Diff(want, r.asks(t, path, header)); diff != "" {
		t.Errorf("without trusted proxies (-want +got)\n%s", diff)
	}
	before := r.g.Status().Revision
	c.Runtime.TrustedProxies = []string{"127.0.0.0/8"}
	r.write(delivery.CurrentKey, encode(t, c))
	r.await("the new config", func(s report.Status) bool { return s.Revision != before })
	want = "198.51.100.7 GET https://shop.example:8080/where/a%2Fb?c=%20d /where/a/b s1"
	if diff := cmp.Diff(want, r.asks(t, path, header)); diff != "" {
		t.Errorf("of a trusted proxy (-want +got)\n%s", diff)
	}
}

// TestAddressesAndCookiesStayOutOfLogs: whatever becomes of a request, and at the finest level.
func TestAddressesAndCookiesStayOutOfLogs(t *testing.T) {
	_, url := startMock(t, mockllm.Options{})
	c := assistant(url)
	c.Runtime.RequestLog, c.Runtime.TrustedProxies = config.RequestLogAll, []string{"127.0.0.0/8"}
	failing := where()
	failing.Path, failing.Response = "/failing/{id}", &config.Response{Body: []byte(`{"n":"${int(request.client.address + request.params.sid.orValue('') + request.url)}"}`)}
	c.Routes = append(c.Routes, where(), failing)
	r := start(t, c)
	header := http.Header{"X-Forwarded-For": {"198.51.100.7"}, "Cookie": {"sid=canary-cookie"}}
	for _, path := range []string{"/where/1?canary-query", "/failing/1?canary-query", "/nowhere?canary-query"} {
		r.asks(t, path, header)
	}
	if got := strings.Count(r.logs.String(), `"msg":"request answered"`); got != 3 {
		t.Errorf("%d requests were logged, want 3", got)
	}
	for _, secret := range []string{"198.51.100.7", "canary-cookie", "canary-query", "127.0.0.1:", "shop.example"} {
		for i, line := range strings.Split(r.logs.String(), "\n") {
			if strings.Contains(line, secret) && strings.Contains(line, `"request"`) {
				t.Errorf("line %d has %q: %s", i+1, secret, line)
			}
		}
	}
}

// TestKeysOfClients: an upstream's calls may go by the client's address, of models, too.
func TestKeysOfClients(t *testing.T) {
	var calls [2]atomic.Int64
	c := assistant("http://unused.example")
	c.Upstreams[0].Endpoints = nil
	for i := range calls {
		url := serve(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			calls[i].Add(1)
			w.Header().Set("Content-Type", "application/json")
			_, _ = io.WriteString(w, `{"choices":[{"index":0,"message":{"role":"assistant","content":"hi"},"finish_reason":"stop"}]}`)
		}))
		c.Upstreams[0].Endpoints = append(c.Upstreams[0].Endpoints, config.Endpoint{URL: url})
	}
	c.Runtime.TrustedProxies = []string{"127.0.0.0/8"}
	c.Upstreams[0].LoadBalancing, c.Upstreams[0].ConsistentHash = config.ConsistentHash, &config.KeyedBalancing{Key: "${request.client.address}"}
	r := start(t, c)
	used := map[int64]bool{}
	for client := range 16 {
		before := calls[0].Load()
		for range 3 {
			r.chats(t, fmt.Sprintf("198.51.100.%d", client))
		}
		first := calls[0].Load() - before
		used[first] = true
		if first != 0 && first != 3 {
			t.Errorf("%d of the 3 calls of client %d go to the first endpoint", first, client)
		}
	}
	if len(used) != 2 || calls[0].Load()+calls[1].Load() != 48 {
		t.Errorf("not both endpoints are used: %d and %d calls", calls[0].Load(), calls[1].Load())
	}
}

// chats asks the model on behalf of a client.
func (r *replica) chats(t *testing.T, client string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, r.url+"/v1/chat/completions",
		strings.NewReader(`{"model":"assistant","messages":[{"role":"user","content":"hi"}]}`))
	if err != nil {
		t.Fatal(err)
	}
	req.Header = http.Header{"Content-Type": {"application/json"}, "X-Forwarded-For": {client}}
	resp, err := r.client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	if answer := text(t, resp); resp.StatusCode != http.StatusOK {
		t.Fatalf("%d %s", resp.StatusCode, answer)
	}
}
