package gateway

import (
	"bufio"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/llmservice/llmservice/runtime/config"
	"github.com/llmservice/llmservice/runtime/config/delivery"
	"github.com/llmservice/llmservice/runtime/config/report"
	"github.com/llmservice/llmservice/test/nameserver"
)

const podsHost = "vllm.models.example"

// fleet is a model server at each of several addresses of loopback, all of which have one port.
type fleet struct {
	port     string
	servers  map[string]*httptest.Server
	released chan struct{} // ends the streams

	mu    sync.Mutex
	asked map[string]int
}

func startFleet(t *testing.T, on ...string) *fleet {
	t.Helper()
	f := &fleet{port: "0", servers: map[string]*httptest.Server{}, released: make(chan struct{}), asked: map[string]int{}}
	for _, address := range on {
		l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", net.JoinHostPort(address, f.port))
		if err != nil {
			t.Fatal(err)
		}
		_, f.port, _ = net.SplitHostPort(l.Addr().String())
		s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { f.answer(w, r, address) }))
		_ = s.Listener.Close()
		s.Listener = l
		s.Start()
		t.Cleanup(s.Close)
		f.servers[address] = s
	}
	return f
}

const delta = "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"%s\"}}]}\n\n"

// answer answers a chat at once, and a stream once it is released.
func (f *fleet) answer(w http.ResponseWriter, r *http.Request, address string) {
	f.mu.Lock()
	f.asked[address]++
	f.mu.Unlock()
	body := make([]byte, r.ContentLength)
	_, _ = r.Body.Read(body)
	if !strings.Contains(string(body), `"stream":true`) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = fmt.Fprintf(w, `{"choices":[{"message":{"role":"assistant","content":"%s"},"finish_reason":"stop"}]}`, address)
		return
	}
	w.Header().Set("Content-Type", "text/event-stream")
	_, _ = fmt.Fprintf(w, delta, address)
	_ = http.NewResponseController(w).Flush()
	<-f.released
	_, _ = fmt.Fprintf(w, delta+"data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n", "the end")
}

func (f *fleet) calls(address string) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.asked[address]
}

// until asks one question after the other, none of which may fail, until a condition holds.
func (r *replica) until(what string, ok func() bool) {
	r.t.Helper()
	r.await(what, func(report.Status) bool {
		if status, answer := r.ask("hi"); status != http.StatusOK {
			r.t.Fatalf("%s: %d %s", what, status, answer)
		}
		return ok()
	})
}

func twoEndpoints(s report.Status) bool { return s.Upstreams[0].Endpoints == 2 }

// A headless Service: its addresses are asked in turn, a new one once the TTL of the name is over, and one that is gone no more,
// while a stream on it goes on. An address that fails is left out, which the status shows, and stays so after a reload. No call
// of all these fails.
func TestEachAddressOfAHost(t *testing.T) {
	dns := nameserver.Start(t)
	f := startFleet(t, "127.0.0.1", "127.0.0.2", "127.0.0.3")
	moves := func(to ...string) { dns.Set(podsHost, nameserver.Answer{TTL: 1, Addresses: to}) }
	moves("127.0.0.1", "127.0.0.2")
	c := assistant("http://" + podsHost + ":" + f.port)
	u := &c.Upstreams[0]
	u.Endpoints[0].Resolution = config.ResolutionEachAddress
	u.Ejection = &config.Ejection{Backoff: &config.Backoff{Initial: config.Duration(patience), Max: config.Duration(patience)}}
	r := start(t, c, func(o *Options) { o.DialDNS = dns.Dial })
	r.await("both addresses are endpoints", twoEndpoints)
	r.until("both addresses are asked", func() bool { return f.calls("127.0.0.1") > 0 && f.calls("127.0.0.2") > 0 })

	var streams []*bufio.Reader
	at := map[string]bool{}
	for range 2 {
		resp := r.post("/v1/chat/completions", `{"model":"assistant","stream":true,"messages":[{"role":"user","content":"hi"}]}`)
		lines := bufio.NewReader(resp.Body)
		first, err := lines.ReadString('\n')
		if err != nil {
			t.Fatal(err)
		}
		for address := range f.servers {
			at[address] = at[address] || strings.Contains(first, address)
		}
		streams = append(streams, lines)
	}
	if !at["127.0.0.1"] || !at["127.0.0.2"] {
		t.Errorf("two streams are at %v", at)
	}
	moves("127.0.0.1", "127.0.0.3")
	r.until("the new address is asked", func() bool { return f.calls("127.0.0.3") > 0 })
	before := f.calls("127.0.0.2")
	for range 10 {
		r.until("answers", func() bool { return true })
	}
	if n := f.calls("127.0.0.2") - before; n != 0 {
		t.Errorf("an address that is gone got %d calls", n)
	}
	close(f.released)
	for _, s := range streams {
		rest := new(strings.Builder)
		if _, err := s.WriteTo(rest); err != nil || !strings.Contains(rest.String(), "the end") || !strings.HasSuffix(rest.String(), "[DONE]\n\n") {
			t.Errorf("a stream ended with %q, %v", rest, err)
		}
	}

	_ = f.servers["127.0.0.3"].Listener.Close()
	f.servers["127.0.0.3"].CloseClientConnections()
	want := []report.Endpoint{{Host: podsHost + ":" + f.port, Address: "127.0.0.3", Condition: "Ejected"}}
	unavailable := func() []report.Endpoint {
		all := r.g.Status().Upstreams[0].Unavailable
		for i := range all {
			all[i].Until = want[0].Until
		}
		return all
	}
	r.until("the address that fails is left out", func() bool { return len(unavailable()) > 0 })
	c.Runtime.MaxInFlight = 7
	r.write(delivery.CurrentKey, encode(t, c))
	r.await("the new revision", func(s report.Status) bool { return s.Revision == delivery.Revision(encode(t, c)) })
	if diff := cmp.Diff(want, unavailable()); diff != "" {
		t.Error(diff)
	}
}

// A host that no endpoint has any more is not resolved any more.
func TestHostsOfTheConfigAreResolved(t *testing.T) {
	dns := nameserver.Start(t)
	f := startFleet(t, "127.0.0.1", "127.0.0.2")
	dns.Set(podsHost, nameserver.Answer{TTL: 1, Addresses: []string{"127.0.0.1", "127.0.0.2"}})
	c := assistant("http://" + podsHost + ":" + f.port)
	c.Upstreams[0].Endpoints[0].Resolution = config.ResolutionEachAddress
	r := start(t, c, func(o *Options) { o.DialDNS = dns.Dial })
	r.await("both addresses are endpoints", twoEndpoints)
	followed := r.g.names.Name(podsHost)
	c.Upstreams[0].Endpoints = []config.Endpoint{{URL: "http://127.0.0.1:" + f.port}}
	r.write(delivery.CurrentKey, encode(t, c))
	r.await("the new revision", func(s report.Status) bool { return s.Revision == delivery.Revision(encode(t, c)) })
	if r.g.names.Name(podsHost) == followed {
		t.Error("a host that no config names any more is still resolved")
	}
}
