package upstream

import (
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/llmservice/llmservice/runtime/config/addresses"
	"github.com/llmservice/llmservice/runtime/config/egress"
	"github.com/llmservice/llmservice/runtime/relay"
	"github.com/llmservice/llmservice/test/nameserver"
)

// dialerOf resolves names at a server.
func dialerOf(s *nameserver.Server, rules addresses.Rules) dialer {
	return dialer{tls: baseTLS(), rules: rules, resolver: &net.Resolver{PreferGo: true, Dial: s.Dial}}
}

// startCounting starts a server on loopback, and returns the port of its URL and the number of its connections.
func startCounting(t *testing.T) (port string, connections *atomic.Int32) {
	t.Helper()
	connections = new(atomic.Int32)
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, r.Host) }))
	server.Config.ConnState = func(_ net.Conn, s http.ConnState) {
		if s == http.StateNew {
			connections.Add(1)
		}
	}
	server.Start()
	t.Cleanup(server.Close)
	u, err := url.Parse(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	return u.Port(), connections
}

// ask makes one call, on a connection of its own if none is idle.
func ask(t *testing.T, c *Client, at string) (string, error) {
	t.Helper()
	defer c.Close()
	answer, err := c.Do(t.Context(), &Call{Method: "GET", URL: at, Header: http.Header{}, Connect: 5 * time.Second})
	if err != nil {
		return "", err
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(body), nil
}

// refusedAddress checks that nothing was sent, and that the error does not name the address.
func refusedAddress(t *testing.T, err error, address string) {
	t.Helper()
	f := relay.FailureOf(t.Context(), err, "")
	if f.Kind != relay.FailedAddress || !f.Unsent || strings.Contains(f.Error(), address) || !strings.Contains(f.Error(), "may not connect") {
		t.Errorf("%s: %+v: %s", address, f, f.Error())
	}
}

// A name that had a good address once is checked again the next time.
func TestANameThatIsRebound(t *testing.T) {
	n := nameserver.Start(t)
	port, connections := startCounting(t)
	c := dialerOf(n, addresses.Rules{}).client(tested)
	at := "http://rebound.example:" + port + "/"
	for _, to := range []string{"169.254.169.254", "100.100.100.200", "64:ff9b::a9fe:a9fe", "fd00:ec2::254", "0.0.0.0", "::"} {
		n.Set("rebound.example", nameserver.Answer{Addresses: []string{"127.0.0.1"}})
		before := connections.Load()
		if host, err := ask(t, c, at); err != nil || host != "rebound.example:"+port {
			t.Fatalf("a good address: %q, %v", host, err)
		}
		n.Set("rebound.example", nameserver.Answer{Addresses: []string{to}})
		_, err := ask(t, c, at)
		refusedAddress(t, err, to)
		if got := connections.Load() - before; got != 1 {
			t.Errorf("%s: %d connections, want that of the good address", to, got)
		}
	}
}

// Of several addresses, those that are allowed are used.
func TestANameWithAddressesOfBothKinds(t *testing.T) {
	n := nameserver.Start(t)
	port, _ := startCounting(t)
	c := dialerOf(n, addresses.Rules{}).client(tested)
	for _, all := range [][]string{
		{"169.254.169.254", "127.0.0.1"}, {"127.0.0.1", "169.254.169.254"}, {"fe80::1", "127.0.0.1"}, {"fd00:ec2::254", "127.0.0.1"},
	} {
		n.Set("mixed.example", nameserver.Answer{Addresses: all})
		if host, err := ask(t, c, "http://mixed.example:"+port); err != nil || host != "mixed.example:"+port {
			t.Errorf("%v: %q, %v", all, host, err)
		}
	}
}

// A name with addresses of both families is reached by the family that works.
func TestBothFamiliesAreTried(t *testing.T) {
	n := nameserver.Start(t)
	port, _ := startCounting(t)
	c := dialerOf(n, addresses.Rules{}).client(tested)
	n.Set("both.example", nameserver.Answer{Addresses: []string{"::1", "127.0.0.1"}}) // nothing listens on ::1
	if host, err := ask(t, c, "http://both.example:"+port); err != nil || host != "both.example:"+port {
		t.Errorf("%q, %v", host, err)
	}
}

func TestTheOperatorsLists(t *testing.T) {
	n := nameserver.Start(t)
	port, connections := startCounting(t)
	n.Set("local.example", nameserver.Answer{Addresses: []string{"127.0.0.1"}})
	var allowed, denied addresses.Rules
	if err := allowed.Allowed.Set("10.0.0.0/8"); err != nil {
		t.Fatal(err)
	}
	if err := denied.Denied.Set("127.0.0.0/8"); err != nil {
		t.Fatal(err)
	}
	for _, rules := range []addresses.Rules{allowed, denied} {
		c := dialerOf(n, rules).client(tested)
		for _, host := range []string{"local.example", "127.0.0.1", "[::ffff:127.0.0.1]"} {
			for _, scheme := range []string{"http://", "https://"} {
				_, err := ask(t, c, scheme+host+":"+port)
				refusedAddress(t, err, "127.0.0.1")
			}
		}
	}
	if got := connections.Load(); got != 0 {
		t.Errorf("%d connections, want none", got)
	}
	if _, err := ask(t, NewClient(addresses.Rules{}, egress.Proxy{}, tested), "http://127.0.0.1:"+port); err != nil {
		t.Errorf("loopback without lists: %v", err)
	}
}

// The same request does not ask an endpoint with such an address again, but the next one.
func TestTheNextEndpointOfARefusedAddress(t *testing.T) {
	port, connections := startCounting(t)
	good, bad := "http://127.0.0.1:"+port, "http://169.254.169.254:"+port
	u := New(Options{Name: "one", Timeouts: Timeouts{Connect: patience, Total: patience}, Endpoints: Members{{Endpoint: &Endpoint{URL: bad}}, {Endpoint: &Endpoint{URL: good}}}})
	c := NewClient(addresses.Rules{}, egress.Proxy{}, tested)
	defer c.Close()
	for range 4 {
		next := (&Plan{Upstreams: []*Upstream{u}, Once: true, Ask: func(*Upstream) (*Question, error) { return &Question{}, nil }}).Attempts()
		if _, err := Fetch(t.Context(), c, next, Expect{}, nil); err != nil {
			t.Fatal(err)
		}
	}
	if connections.Load() == 0 {
		t.Error("nobody was asked")
	}
	alone := New(Options{Name: "one", Timeouts: Timeouts{Connect: patience, Total: patience}, Endpoints: Members{{Endpoint: &Endpoint{URL: bad}}}})
	_, err := Fetch(t.Context(), c, (&Plan{Upstreams: []*Upstream{alone}, Ask: func(*Upstream) (*Question, error) { return &Question{}, nil }}).Attempts(), Expect{}, nil)
	refusedAddress(t, err, "169.254.169.254")
}
