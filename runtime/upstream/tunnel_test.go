package upstream

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/llmservice/llmservice/runtime/config/addresses"
	"github.com/llmservice/llmservice/runtime/config/egress"
	"github.com/llmservice/llmservice/runtime/relay"
)

// forwardProxy connects whoever asks to loopback, whatever the host, or answers with what is set.
type forwardProxy struct {
	address string
	answer  string

	mu    sync.Mutex
	asked []string
}

// startProxy serves until the test ends.
func startProxy(t *testing.T, answer string) *forwardProxy {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &forwardProxy{address: l.Addr().String(), answer: answer}
	ctx, cancel := context.WithCancel(t.Context())
	var open sync.WaitGroup
	open.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			open.Go(func() {
				defer context.AfterFunc(ctx, func() { _ = conn.Close() })()
				defer conn.Close()
				p.serve(ctx, conn)
			})
		}
	})
	t.Cleanup(func() {
		cancel()
		_ = l.Close()
		open.Wait()
	})
	return p
}

func (p *forwardProxy) serve(ctx context.Context, client net.Conn) {
	from := bufio.NewReader(client)
	req, err := http.ReadRequest(from)
	if err != nil {
		return
	}
	p.mu.Lock()
	p.asked = append(p.asked, req.Method+" "+req.Host)
	p.mu.Unlock()
	if p.answer != "" {
		_, _ = io.WriteString(client, p.answer)
		_, _ = io.Copy(io.Discard, from) // until the gateway goes
		return
	}
	_, port, _ := net.SplitHostPort(req.Host)
	server, err := (&net.Dialer{}).DialContext(ctx, "tcp", "127.0.0.1:"+port)
	if err != nil {
		return
	}
	defer server.Close()
	_, _ = io.WriteString(client, "HTTP/1.1 200 Connection established\r\nVia: 1.1 proxy\r\n\r\n")
	done := make(chan struct{})
	go func() {
		defer close(done)
		_, _ = io.Copy(server, from)
		_ = server.Close()
	}()
	_, _ = io.Copy(client, server)
	_ = client.Close()
	<-done
}

// taken are the requests so far.
func (p *forwardProxy) taken() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.asked
}

// through is a client that uses the proxy, and believes the server.
func (p *forwardProxy) through(server *httptest.Server, rules addresses.Rules, except egress.Exceptions) *Client {
	trusted := x509.NewCertPool()
	trusted.AddCert(server.Certificate())
	proxy := egress.Proxy{Server: egress.Server("http://" + p.address), Except: except}
	d := dialer{tls: &tls.Config{RootCAs: trusted, MinVersion: tls.VersionTLS12}, rules: rules, proxy: proxy.Chooser()}
	return d.client(tested)
}

// startSecure serves the protocol of each request, over HTTP/2 if wanted, at a name that the certificate has and only the proxy knows.
func startSecure(t *testing.T, protocol2 bool) (server *httptest.Server, at string) {
	t.Helper()
	server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, r.Proto) }))
	server.EnableHTTP2 = protocol2
	server.StartTLS()
	t.Cleanup(server.Close)
	_, port, _ := net.SplitHostPort(server.Listener.Addr().String())
	return server, "https://example.com:" + port
}

// Upstreams over https are reached through the proxy, over either protocol, and TLS is spoken with the upstream itself.
func TestUpstreamsAreReachedThroughTheProxy(t *testing.T) {
	for protocol, isSecond := range map[string]bool{"HTTP/1.1": false, "HTTP/2.0": true} {
		server, at := startSecure(t, isSecond)
		p := startProxy(t, "")
		c := p.through(server, addresses.Rules{}, "")
		for range 3 {
			answer, err := c.Do(t.Context(), &Call{Method: "GET", URL: at, Header: http.Header{}, Connect: patience})
			if err != nil {
				t.Fatal(err)
			}
			body, err := io.ReadAll(answer.Body)
			if err != nil || string(body) != protocol {
				t.Errorf("%s: %q, %v", protocol, body, err)
			}
			_ = answer.Body.Close()
		}
		want := "CONNECT " + strings.TrimPrefix(at, "https://")
		if got := p.taken(); len(got) != 1 || got[0] != want {
			t.Errorf("%s: the proxy was asked %q, want %q once: the connection is kept", protocol, got, want)
		}
		c.Close()
	}
}

// A call of one address of a name has the proxy connect to that address, and the server prove the name.
func TestTheProxyConnectsToAnAddress(t *testing.T) {
	server, at := startSecure(t, false)
	p := startProxy(t, "")
	c := p.through(server, addresses.Rules{}, "")
	defer c.Close()
	answer, err := c.Do(t.Context(), &Call{Method: "GET", URL: at, Header: http.Header{}, Connect: patience, Address: netip.MustParseAddr("203.0.113.7")})
	if err != nil {
		t.Fatal(err)
	}
	_ = answer.Body.Close()
	if got := p.taken(); len(got) != 1 || !strings.HasPrefix(got[0], "CONNECT 203.0.113.7:") {
		t.Errorf("the proxy was asked %q", got)
	}
}

// Exceptions, and upstreams over http, are reached directly.
func TestWhatIsReachedWithoutTheProxy(t *testing.T) {
	server, _ := startSecure(t, false)
	p := startProxy(t, "")
	if got, err := ask(t, p.through(server, addresses.Rules{}, "127.0.0.0/8"), server.URL); err != nil || got != "HTTP/1.1" {
		t.Errorf("%q, %v", got, err)
	}
	port, _ := startCounting(t)
	if _, err := ask(t, p.through(server, addresses.Rules{}, ""), "http://localhost:"+port); err != nil {
		t.Error(err)
	}
	if got := p.taken(); len(got) > 0 {
		t.Errorf("the proxy was asked %q", got)
	}
}

// The rules for addresses hold for the proxy, and for what it is asked to connect to, if that is an address.
func TestAddressesBehindTheProxyAreChecked(t *testing.T) {
	server, at := startSecure(t, false)
	p := startProxy(t, "")
	_, err := ask(t, p.through(server, addresses.Rules{}, ""), "https://169.254.169.254")
	refusedAddress(t, err, "169.254")
	loopback := addresses.List{netip.MustParsePrefix("127.0.0.0/8")}
	_, err = ask(t, p.through(server, addresses.Rules{Denied: loopback}, ""), at)
	refusedAddress(t, err, "127.0.0.1")
	if got := p.taken(); len(got) > 0 {
		t.Errorf("the proxy was asked %q", got)
	}
}

// A proxy that makes no tunnel is an upstream that cannot be reached: nothing was sent, and none of its words are told.
func TestProxiesThatDoNotConnect(t *testing.T) {
	for name, tt := range map[string]struct{ answer, want string }{
		"refuses":              {"HTTP/1.1 403 canary\r\nContent-Length: 6\r\n\r\ncanary", "the proxy refused to connect, with status 403"},
		"wants a password":     {"HTTP/1.1 407 canary\r\nProxy-Authenticate: Basic realm=canary\r\n\r\n", "with status 407"},
		"speaks first":         {"HTTP/1.1 200 OK\r\n\r\ncanary", "did not answer as RFC 9110"},
		"is another server":    {"SSH-2.0-canary\r\n\r\n", "did not answer as RFC 9110"},
		"goes away":            {"HTTP/1.0 500 canary\r\n\r\n", "with status 500"},
		"has an endless head":  {"HTTP/1.1 200 OK\r\n" + strings.Repeat("Canary: canary\r\n", 1<<14), "did not answer as RFC 9110"},
		"says nothing in time": {"HTTP/1.1 200", "the time ran out"},
	} {
		t.Run(name, func(t *testing.T) {
			server, at := startSecure(t, false)
			c := startProxy(t, tt.answer).through(server, addresses.Rules{}, "")
			defer c.Close()
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			_, err := c.Do(ctx, &Call{Method: "GET", URL: at, Header: http.Header{}, Connect: time.Second})
			if ctx.Err() != nil {
				t.Error("the call's bound is not the tunnel's")
			}
			f := relay.FailureOf(t.Context(), err, "")
			if err == nil || !f.Unsent || !strings.Contains(f.Error(), tt.want) || strings.Contains(f.Error(), "canary") {
				t.Errorf("%+v, want %q", f, tt.want)
			}
			if timed := f.Kind == relay.FailedDial; timed != (name == "says nothing in time") {
				t.Errorf("the failure is %q", f.Kind)
			}
		})
	}
}
