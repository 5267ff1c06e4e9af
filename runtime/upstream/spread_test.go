package upstream

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/net/dns/dnsmessage"

	"github.com/llmservice/llmservice/runtime/config/addresses"
	"github.com/llmservice/llmservice/runtime/config/egress"
	"github.com/llmservice/llmservice/runtime/llm"
	"github.com/llmservice/llmservice/runtime/relay"
	"github.com/llmservice/llmservice/runtime/resolve"
	"github.com/llmservice/llmservice/test/nameserver"
)

const (
	pods   = "vllm.models.example"
	podURL = "http://" + pods + ":8000/v1"
)

// spreading is an upstream with one host, each address of which is an endpoint, in virtual time, and a DNS server in real time.
type spreading struct {
	*testing.T

	server *nameserver.Server
	pools  *Pools
	names  *resolve.Names
	u      *Upstream
}

func inBubble(t *testing.T, o Options, test func(s *spreading), found ...string) {
	t.Helper()
	server := nameserver.Start(t)
	synctest.Test(t, func(t *testing.T) {
		s := &spreading{T: t, server: server, pools: &Pools{}}
		s.names = resolve.NewNames(resolve.Options{Dial: server.Dial, Changed: s.pools.Moved})
		ctx, cancel := context.WithCancel(t.Context())
		var running sync.WaitGroup
		running.Go(func() { s.names.Run(ctx) })
		defer running.Wait()
		defer cancel()
		s.moves(found...)
		s.u = s.upstream(o, 0)
		time.Sleep(time.Second)
		test(s)
	})
}

// moves gives the host other addresses, with a TTL of 5 seconds.
func (s *spreading) moves(to ...string) { s.server.Set(pods, nameserver.Answer{TTL: 5, Addresses: to}) }

// upstream is the one that a config with this host and a weight makes.
func (s *spreading) upstream(o Options, weight int) *Upstream {
	o.Name = "models"
	member := Member{Endpoint: s.pools.Get(EndpointKey{o.Name, podURL}), Weight: weight, MaxInFlight: o.Limit.MaxInFlight}
	o.Limit.MaxInFlight = 0
	o.Pool = s.pools.Pool(o.Name)
	o.Endpoints = o.Pool.Spread([]Site{{Member: member, Name: s.names.Name(pods)}})
	return New(o)
}

// ask makes an attempt and leaves it open.
func (s *spreading) ask() *Attempt {
	s.Helper()
	plan := &Plan{Upstreams: []*Upstream{s.u}, Ask: func(*Upstream) (*Question, error) { return &Question{}, nil }}
	a, f := plan.Attempts()(s.Context(), relay.Failure{})
	if a == nil {
		s.Fatal(f)
	}
	if a.Call.URL != podURL {
		s.Errorf("asks %s", a.Call.URL)
	}
	return a
}

// asks makes calls one after the other, all of which end in the same way, and counts them by address.
func (s *spreading) asks(calls int, end relay.Failure) map[string]int {
	s.Helper()
	at := map[string]int{}
	for range calls {
		a := s.ask()
		at[a.Call.Address.String()]++
		a.Turn.Settle(s.Context(), end)
		a.Release()
	}
	return at
}

// states are the conditions of the endpoints, by address.
func (s *spreading) states() map[string]Condition {
	all := map[string]Condition{}
	for _, e := range s.u.State().Endpoints {
		if e.Host != pods+":8000" {
			s.Errorf("the host of %s is %s", e.Address, e.Host)
		}
		all[e.Address] = e.Condition
	}
	return all
}

func (s *spreading) same(what string, want, got any) {
	s.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		s.Errorf("%s: %s", what, diff)
	}
}

// The addresses of a Service that scales out are used when the TTL of its name is over, each with its share.
func TestAScaleOutIsUsedWithinTheTTL(t *testing.T) {
	inBubble(t, Options{}, func(s *spreading) {
		s.same("before", map[string]int{"10.0.0.1": 30, "10.0.0.2": 30}, s.asks(60, relay.Failure{}))
		s.moves("10.0.0.1", "10.0.0.2", "10.0.0.3")
		time.Sleep(5 * time.Second)
		s.same("after", map[string]int{"10.0.0.1": 20, "10.0.0.2": 20, "10.0.0.3": 20}, s.asks(60, relay.Failure{}))
	}, "10.0.0.1", "10.0.0.2")
}

// An address that goes away gets no further calls; its open calls go on, and count if it comes back.
func TestAnAddressThatGoesAway(t *testing.T) {
	inBubble(t, Options{}, func(s *spreading) {
		var open []*Attempt
		for range 4 {
			open = append(open, s.ask())
		}
		s.moves("10.0.0.1")
		time.Sleep(5 * time.Second)
		s.same("without it", map[string]int{"10.0.0.1": 20}, s.asks(20, relay.Failure{}))
		if n := s.u.State().InFlight; n != 4 {
			s.Errorf("%d calls are open, want 4", n)
		}
		s.moves("10.0.0.1", "10.0.0.2")
		time.Sleep(5 * time.Second)
		for _, e := range s.u.State().Endpoints {
			if e.InFlight != 2 {
				s.Errorf("%d calls are open on %s, want 2", e.InFlight, e.Address)
			}
		}
		s.moves("10.0.0.1")
		time.Sleep(5 * time.Second)
		for _, a := range open {
			a.Turn.Settle(t.Context(), relay.Failure{})
			a.Release()
		}
		s.asks(1, relay.Failure{})
		for i := range 300 { // the memory is that of the present addresses
			s.moves("10.0.0.1", fmt.Sprintf("10.1.%d.%d", i/250, i%250))
			time.Sleep(5 * time.Second)
			s.asks(1, relay.Failure{})
		}
		if n := len(s.u.balancer.pool.known); n > 4 {
			s.Errorf("%d endpoints are known", n)
		}
	}, "10.0.0.1", "10.0.0.2")
}

// An address that fails is left out alone, and stays left out while others come and go and while configs change.
func TestWhatIsKnownOfAnAddressStays(t *testing.T) {
	inBubble(t, Options{Ejection: Ejection{First: time.Minute, Max: time.Minute}}, func(s *spreading) {
		for {
			a := s.ask()
			bad := a.Call.Address.String() == "10.0.0.2"
			if bad {
				a.Turn.Settle(t.Context(), refused)
			} else {
				a.Turn.Settle(t.Context(), relay.Failure{})
			}
			if a.Release(); bad {
				break
			}
		}
		want := map[string]Condition{"10.0.0.1": Available, "10.0.0.2": Ejected}
		s.same("conditions", want, s.states())
		s.moves("10.0.0.3", "10.0.0.2", "10.0.0.4")
		time.Sleep(5 * time.Second)
		want = map[string]Condition{"10.0.0.3": Available, "10.0.0.2": Ejected, "10.0.0.4": Available}
		s.same("after a resolution", want, s.states())
		s.u = s.upstream(Options{Ejection: Ejection{First: time.Minute, Max: time.Minute}}, 7)
		key := EndpointKey{"models", podURL}
		s.pools.Retain(map[EndpointKey]bool{key: true})
		s.pools.RetainAddresses(map[EndpointKey]bool{key: true})
		s.same("after a reload", want, s.states())
		s.same("calls", map[string]int{"10.0.0.3": 5, "10.0.0.4": 5}, s.asks(10, relay.Failure{}))
		s.pools.RetainAddresses(nil)
		if n := len(s.u.balancer.pool.known); n != 1 {
			s.Errorf("%d endpoints are known where only the host is one", n)
		}
	}, "10.0.0.1", "10.0.0.2")
}

// If an address cannot be connected to, the name is resolved at once, and not at its TTL.
func TestAnAddressInDoubt(t *testing.T) {
	inBubble(t, Options{}, func(s *spreading) {
		s.server.Set(pods, nameserver.Answer{TTL: 300, Addresses: []string{"10.0.0.1"}})
		time.Sleep(5 * time.Second)
		s.server.Set(pods, nameserver.Answer{TTL: 300, Addresses: []string{"10.0.0.2"}})
		s.asks(1, refused)
		time.Sleep(time.Second)
		s.same("calls", map[string]int{"10.0.0.2": 3}, s.asks(3, relay.Failure{}))
	}, "10.0.0.1")
}

// While no address of a name is known, the host is one endpoint; also once it has none any more.
func TestAHostWithoutAddresses(t *testing.T) {
	inBubble(t, Options{}, func(s *spreading) {
		s.same("before", map[string]int{"invalid IP": 2}, s.asks(2, relay.Failure{}))
		s.moves("10.0.0.1", "10.0.0.2")
		time.Sleep(time.Minute)
		s.same("with addresses", map[string]int{"10.0.0.1": 1, "10.0.0.2": 1}, s.asks(2, relay.Failure{}))
		s.server.Set(pods, nameserver.Answer{Code: dnsmessage.RCodeServerFailure})
		time.Sleep(time.Hour)
		s.same("without a server", map[string]int{"10.0.0.1": 1, "10.0.0.2": 1}, s.asks(2, relay.Failure{}))
		s.moves()
		time.Sleep(time.Minute)
		s.same("at the end", map[string]int{"invalid IP": 2}, s.asks(2, relay.Failure{}))
	})
}

// If a host has addresses of both families, those of one are endpoints; those of the other are, too, while all of the first
// fail.
func TestTheSecondFamily(t *testing.T) {
	inBubble(t, Options{Ejection: Ejection{First: time.Minute, Max: time.Minute}}, func(s *spreading) {
		first := s.asks(4, relay.Failure{})
		if len(first) != 2 {
			s.Fatalf("calls %v, want two addresses", first)
		}
		for len(s.states()) == 2 {
			s.asks(1, refused)
		}
		second := s.asks(20, relay.Failure{})
		for a := range first {
			if second[a] > 0 {
				s.Errorf("%s gets calls", a)
			}
		}
		if len(second) != 2 {
			s.Errorf("calls %v, want those of the second family", second)
		}
		time.Sleep(2 * time.Minute)
		s.asks(4, relay.Failure{})
		if got := slices.Collect(maps.Keys(s.states())); len(got) != 2 || first[got[0]] == 0 {
			s.Errorf("endpoints %v once the first family is well", got)
		}
	}, "10.0.0.1", "10.0.0.2", "fd00::1", "fd00::2")
}

// A call that waits for room gets it once there is another address.
func TestAScaleOutServesThoseThatWait(t *testing.T) {
	inBubble(t, Options{Limit: Limit{MaxInFlight: 1, Queue: 1, Wait: time.Minute}}, func(s *spreading) {
		first := s.ask()
		began := time.Now()
		s.moves("10.0.0.1", "10.0.0.2")
		second := s.ask()
		if waited := time.Since(began); waited > 5*time.Second || second.Call.Address.String() != "10.0.0.2" {
			s.Errorf("waited %s for %s", waited, second.Call.Address)
		}
		first.Release()
		second.Release()
	}, "10.0.0.1")
}

// A conversation continues at the address that has answered it, and nowhere once that is gone.
func TestAnAddressIsAPlace(t *testing.T) {
	inBubble(t, Options{}, func(s *spreading) {
		var places []llm.Place
		for _, m := range s.u.balancer.members() {
			places = append(places, s.u.place(m.Endpoint))
		}
		for i, m := range s.u.balancer.members() {
			s.same("places", i, slices.Index(places, s.u.place(m.Endpoint)))
			only, wait := s.u.At(places[i])
			if only == nil || wait > 0 {
				s.Fatalf("nobody is at %s", m.Address)
			}
			whole := s.u
			s.u = only
			s.same("calls", map[string]int{m.Address.String(): 4}, s.asks(4, relay.Failure{}))
			s.u = whole
		}
		s.moves("10.0.0.2")
		time.Sleep(5 * time.Second)
		if only, wait := s.u.At(places[0]); only != nil || wait > 0 {
			s.Error("somebody is, or may be, at an address that is gone")
		}
		s.pools, s.names = &Pools{}, resolve.NewNames(resolve.Options{}) // after a restart, before the name is resolved
		s.u = s.upstream(Options{}, 0)
		if only, wait := s.u.At(places[1]); only != nil || wait == 0 {
			s.Error("it is not known yet who is at an address, and there is nobody there, or somebody")
		}
	}, "10.0.0.1", "10.0.0.2")
}

// No matter how many addresses a host has, a request asks only a few; its retries may set the number.
func TestARequestAsksAFewAddresses(t *testing.T) {
	for _, tt := range []struct {
		retries Retries
		want    int
	}{{Retries{Endpoints: 3}, 3}, {Retries{Endpoints: 3, Attempts: 4}, 4}, {Retries{}, 5}} {
		inBubble(t, Options{Retries: tt.retries}, func(s *spreading) {
			next := (&Plan{Upstreams: []*Upstream{s.u}, Ask: func(*Upstream) (*Question, error) { return &Question{}, nil }}).Attempts()
			at := map[string]int{}
			for a, f := next(s.Context(), relay.Failure{}); a != nil; a, f = next(s.Context(), refused) {
				at[a.Call.Address.String()]++
				a.Turn.Settle(t.Context(), f)
				a.Release()
			}
			if len(at) != tt.want {
				s.Errorf("%+v: asked %v, want %d addresses", tt.retries, at, tt.want)
			}
		}, "10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.4", "10.0.0.5")
	}
}

// A choice among addresses allocates nothing.
func TestAChoiceOfAnAddressAllocatesNothing(t *testing.T) {
	inBubble(t, Options{}, func(s *spreading) {
		b := &s.u.balancer
		if n := testing.AllocsPerRun(100, func() { b.pool.release(b.pick(nil, time.Now())) }); n != 0 {
			s.Errorf("%v allocations", n)
		}
	}, "10.0.0.1", "10.0.0.2", "fd00::1", "fd00::2")
}

// A call is made to its endpoint's address, which is checked; the request and TLS use the host. Connections to another address
// are not used for it.
func TestCallsOfAnAddress(t *testing.T) {
	var hosts sync.Map
	here := func(w http.ResponseWriter, r *http.Request) {
		hosts.Store(r.Host, true)
		_, _ = io.WriteString(w, r.Context().Value(http.LocalAddrContextKey).(fmt.Stringer).String())
	}
	for _, secure := range []bool{false, true} {
		port, base := startOn(t, secure, here, "127.0.0.1", "127.0.0.2")
		c := dialer{tls: base}.client(tested)
		scheme := map[bool]string{false: "http://", true: "https://"}[secure]
		for range 2 {
			for _, address := range []string{"127.0.0.1", "127.0.0.2"} {
				got, err := askAt(t, c, scheme+"example.com:"+port, address)
				if err != nil || got != address+":"+port {
					t.Errorf("%s%s: %q, %v", scheme, address, got, err)
				}
			}
		}
		if _, ok := hosts.Load("example.com:" + port); !ok {
			t.Errorf("%s: not asked as the host", scheme)
		}
		if _, err := askAt(t, c, scheme+"other.example.org:"+port, "127.0.0.1"); secure && !strings.Contains(fmt.Sprint(err), "for another name") {
			t.Errorf("a certificate for another name: %v", err)
		}
		_, err := askAt(t, c, scheme+"example.com:"+port, "169.254.169.254")
		refusedAddress(t, err, "169.254.169.254")
		c.Close()
	}
	var denied addresses.Rules
	if err := denied.Denied.Set("127.0.0.2/32"); err != nil {
		t.Fatal(err)
	}
	c := NewClient(denied, egress.Proxy{}, tested)
	_, err := askAt(t, c, "http://example.com:1", "127.0.0.2")
	refusedAddress(t, err, "127.0.0.2")
}

// startOn starts a server at each of these addresses of loopback, with one port, and returns the trust in their certificates.
func startOn(t *testing.T, secure bool, h http.HandlerFunc, on ...string) (port string, trusts *tls.Config) {
	t.Helper()
	trusts = baseTLS()
	port = "0"
	for _, address := range on {
		l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", net.JoinHostPort(address, port))
		if err != nil {
			t.Fatal(err)
		}
		s := httptest.NewUnstartedServer(h)
		_ = s.Listener.Close()
		s.Listener = l
		if secure {
			s.StartTLS()
			trusts.RootCAs = x509.NewCertPool()
			trusts.RootCAs.AddCert(s.Certificate())
		} else {
			s.Start()
		}
		t.Cleanup(s.Close)
		_, port, _ = net.SplitHostPort(l.Addr().String())
	}
	return port, trusts
}

// askAt makes a call to an address.
func askAt(t *testing.T, c *Client, url, address string) (string, error) {
	t.Helper()
	answer, err := c.Do(t.Context(), &Call{
		Method: "GET", URL: url, Header: http.Header{}, Connect: patience, Address: netip.MustParseAddr(address),
	})
	if err != nil {
		return "", err
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	return string(body), err
}
