package upstream

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/llmservice/llmservice/runtime/config/addresses"
	"github.com/llmservice/llmservice/runtime/config/egress"
	"github.com/llmservice/llmservice/runtime/relay"
)

// authority signs certificates.
type authority struct {
	t    *testing.T
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	pem  string
}

func newAuthority(t *testing.T, name string) *authority {
	t.Helper()
	a := &authority{t: t}
	certificate, _ := a.sign(&x509.Certificate{
		Subject: pkix.Name{CommonName: name}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	})
	a.pem = certificate
	return a
}

var serial atomic.Int64

// sign returns a certificate and its key in PEM; the first one is the authority's own.
func (a *authority) sign(template *x509.Certificate) (certificate, key string) {
	a.t.Helper()
	pair, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		a.t.Fatal(err)
	}
	template.SerialNumber = big.NewInt(serial.Add(1))
	template.NotBefore, template.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	if a.cert == nil {
		a.cert, a.key = template, pair
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, &pair.PublicKey, a.key)
	if err != nil {
		a.t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(pair)
	if err != nil {
		a.t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})),
		string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}))
}

// server returns a certificate for loopback and model.internal.
func (a *authority) server() tls.Certificate {
	a.t.Helper()
	const name = "model.internal"
	certificate, key := a.sign(&x509.Certificate{
		Subject: pkix.Name{CommonName: name}, DNSNames: []string{name}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	})
	pair, err := tls.X509KeyPair([]byte(certificate), []byte(key))
	if err != nil {
		a.t.Fatal(err)
	}
	return pair
}

func (a *authority) client(name string) (certificate, key string) {
	a.t.Helper()
	return a.sign(&x509.Certificate{Subject: pkix.Name{CommonName: name}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}})
}

// startTLS serves a handler under settings.
func startTLS(t *testing.T, config *tls.Config, h http.HandlerFunc) *httptest.Server {
	t.Helper()
	s := httptest.NewUnstartedServer(h)
	s.TLS, s.EnableHTTP2 = config, config.NextProtos != nil
	s.StartTLS()
	t.Cleanup(s.Close)
	return s
}

// whole asks an upstream with a client, and returns the answer.
func whole(t *testing.T, client *Client, o Options) (string, error) {
	t.Helper()
	f, err := Fetch(t.Context(), client, asking(o, &Question{Path: "/"}).Attempts(), Expect{}, nil)
	if err != nil {
		return "", err
	}
	return string(f.Body), nil
}

func newClientOf(t *testing.T) *Client {
	t.Helper()
	client := NewClient(addresses.Rules{}, egress.Proxy{}, tested)
	t.Cleanup(client.Close)
	return client
}

func fine(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "fine") }

func TestWhoAnUpstreamMayBe(t *testing.T) {
	ours, theirs := newAuthority(t, "ours"), newAuthority(t, "theirs")
	known := startTLS(t, &tls.Config{Certificates: []tls.Certificate{ours.server()}, MinVersion: tls.VersionTLS12}, fine)
	old := startTLS(t, &tls.Config{Certificates: []tls.Certificate{ours.server()}, MaxVersion: tls.VersionTLS12}, fine)
	c, _ := keysIn(t, map[string]string{"ours": ours.pem, "theirs": theirs.pem, "text": "not a certificate", "both": theirs.pem + ours.pem})
	for name, tt := range map[string]struct {
		server *httptest.Server
		tls    TLS
		want   string // part of the failure; empty: none
	}{
		"its authority":            {known, TLS{CA: "ours"}, ""},
		"one of several":           {known, TLS{CA: "both"}, ""},
		"another authority":        {known, TLS{CA: "theirs"}, "unknown authority"},
		"the public ones":          {known, TLS{}, "unknown authority"},
		"its name":                 {known, TLS{CA: "ours", ServerName: "model.internal"}, ""},
		"another name":             {known, TLS{CA: "ours", ServerName: "other.internal"}, "for another name"},
		"as new as that":           {known, TLS{CA: "ours", MinVersion: tls.VersionTLS13}, ""},
		"too old":                  {old, TLS{CA: "ours", MinVersion: tls.VersionTLS13}, "TLS: "},
		"old enough":               {old, TLS{CA: "ours"}, ""},
		"a file that is not there": {known, TLS{CA: "absent"}, "read secret absent: "},
		"a file of something else": {known, TLS{CA: "text"}, "read secret text: is not PEM"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := whole(t, newClientOf(t), Options{TLS: tt.tls, Credentials: c, Endpoints: Members{{Endpoint: &Endpoint{URL: tt.server.URL}}}})
			switch {
			case tt.want == "" && err != nil:
				t.Error(err)
			case tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)):
				t.Errorf("got %v, want %q", err, tt.want)
			}
		})
	}
}

// gatekeeper authenticates clients by an authority, which may change, and remembers who came.
type gatekeeper struct {
	server      *httptest.Server
	mu          sync.Mutex
	clients     *x509.CertPool
	came        map[string]int
	connections atomic.Int32
}

func startGatekeeper(t *testing.T, own, clients *authority, h http.HandlerFunc) *gatekeeper {
	t.Helper()
	g := &gatekeeper{came: map[string]int{}}
	g.trust(clients)
	config := &tls.Config{
		Certificates: []tls.Certificate{own.server()}, ClientAuth: tls.RequireAnyClientCert, MinVersion: tls.VersionTLS13,
		VerifyConnection: func(s tls.ConnectionState) error {
			g.mu.Lock()
			defer g.mu.Unlock()
			if _, err := s.PeerCertificates[0].Verify(x509.VerifyOptions{Roots: g.clients, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}); err != nil {
				return errors.New("who is that")
			}
			g.came[s.PeerCertificates[0].Subject.CommonName]++
			return nil
		},
	}
	s := httptest.NewUnstartedServer(h)
	s.TLS = config
	s.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			g.connections.Add(1)
		}
	}
	s.Config.ErrorLog = nil
	s.StartTLS()
	t.Cleanup(s.Close)
	g.server = s
	return g
}

func (g *gatekeeper) trust(a *authority) {
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM([]byte(a.pem)) {
		panic("no certificate")
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.clients = pool
}

func (g *gatekeeper) has(name string) int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.came[name]
}

func TestHowAnUpstreamKnowsTheGateway(t *testing.T) {
	ours, theirs := newAuthority(t, "ours"), newAuthority(t, "theirs")
	g := startGatekeeper(t, ours, ours, fine)
	certificate, key := ours.client("gateway")
	another, anotherKey := theirs.client("another")
	c, _ := keysIn(t, map[string]string{"ca": ours.pem, "tls.crt": certificate, "tls.key": key, "another.crt": another, "another.key": anotherKey})
	client := newClientOf(t)
	for name, tt := range map[string]struct {
		tls  TLS
		want string
	}{
		"known":      {TLS{CA: "ca", Certificate: "tls.crt", Key: "tls.key"}, ""},
		"of another": {TLS{CA: "ca", Certificate: "another.crt", Key: "another.key"}, "TLS: "},
		"none":       {TLS{CA: "ca"}, "TLS: "},
		"they do not fit": {
			TLS{CA: "ca", Certificate: "tls.crt", Key: "another.key"}, "read secrets tls.crt and another.key: they are not a certificate and its private key",
		},
		"no key": {TLS{CA: "ca", Certificate: "tls.crt", Key: "absent"}, "read secret absent: "},
	} {
		// There is one client for all, at one URL: a connection that another upstream has made is not used.
		_, err := whole(t, client, Options{TLS: tt.tls, Credentials: c, Endpoints: Members{{Endpoint: &Endpoint{URL: g.server.URL}}}})
		switch {
		case tt.want == "" && err != nil:
			t.Errorf("%s: %v", name, err)
		case tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "BEGIN")):
			t.Errorf("%s: got %v, want %q", name, err, tt.want)
		}
	}
}

// rotate replaces the certificates of a directory as the kubelet does: all files at once.
func rotate(t *testing.T, c *Credentials, files map[string]string) {
	t.Helper()
	for name, value := range files {
		if err := os.WriteFile(filepath.Join(c.dir, name), []byte(value), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	due(c)
}

// due makes all files be read again.
func due(c *Credentials) {
	c.secured.mu.Lock()
	defer c.secured.mu.Unlock()
	for _, s := range c.secured.known {
		s.mu.Lock()
		s.checked = s.checked.Add(-credentialTTL)
		s.mu.Unlock()
	}
}

// A rotation of the gateway's certificate and of the authorities fails no request and cuts no stream; no further request uses a
// connection that was made with the files from before.
func TestARotatedCertificateFailsNoRequest(t *testing.T) {
	first, second := newAuthority(t, "first"), newAuthority(t, "second")
	release := make(chan struct{})
	g := startGatekeeper(t, first, first, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/long" {
			_, _ = io.WriteString(w, "begun ")
			_ = http.NewResponseController(w).Flush()
			<-release
		}
		_, _ = io.WriteString(w, "fine")
	})
	oldCert, oldKey := first.client("old")
	newCert, newKey := second.client("new")
	c, _ := keysIn(t, map[string]string{"ca": first.pem, "tls.crt": oldCert, "tls.key": oldKey})
	client := newClientOf(t)
	o := Options{
		TLS: TLS{CA: "ca", Certificate: "tls.crt", Key: "tls.key"}, Credentials: c,
		Endpoints: Members{{Endpoint: &Endpoint{URL: g.server.URL}}}, Pool: &Pool{},
	}
	long := begin(t, client, asking(o, &Question{Path: "/long"}))
	askTwentyAtOnce(t, client, o)
	if g.has("old") == 0 {
		t.Fatal("nobody came")
	}
	g.trust(second)
	rotate(t, c, map[string]string{"tls.crt": newCert, "tls.key": newKey})
	before := g.has("old")
	askTwentyAtOnce(t, client, o)
	if g.has("new") == 0 || g.has("old") != before {
		t.Errorf("%d connections with the new certificate, %d more with the old one", g.has("new"), g.has("old")-before)
	}
	close(release)
	if rest, err := io.ReadAll(long.Body); err != nil || !strings.HasSuffix(string(rest), "fine") {
		t.Errorf("the stream went on with %q, %v", rest, err)
	}
	_ = long.Body.Close()
	connections := g.connections.Load()
	for range 20 {
		if _, err := whole(t, client, o); err != nil {
			t.Error(err)
		}
	}
	// A connection comes back a moment after its answer has been read, when the next request may be on its way already.
	if g.connections.Load() > connections+10 || g.has("old") != before {
		t.Error("connections are not reused, or an old one is")
	}
	// The authorities rotate, too: certificates that the old ones have signed are not trusted any more.
	rotate(t, c, map[string]string{"ca": second.pem})
	if _, err := whole(t, client, o); err == nil || !strings.Contains(err.Error(), "unknown authority") {
		t.Errorf("got %v", err)
	}
}

// begin makes the first attempt of a plan, and leaves its answer to be read.
func begin(t *testing.T, client *Client, p *Plan) *Answer {
	t.Helper()
	a, failure := p.Attempts()(t.Context(), relay.Failure{})
	if a == nil {
		t.Fatal(failure)
	}
	answer, err := client.Do(t.Context(), a.Call)
	if err != nil {
		t.Fatal(err)
	}
	return answer
}

func askTwentyAtOnce(t *testing.T, client *Client, o Options) {
	t.Helper()
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() {
			if _, err := whole(t, client, o); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
}

// A certificate may be there before its key is.
func TestHalfARotation(t *testing.T) {
	a := newAuthority(t, "ours")
	g := startGatekeeper(t, a, a, fine)
	oldCert, oldKey := a.client("old")
	newCert, newKey := a.client("new")
	c, _ := keysIn(t, map[string]string{"ca": a.pem, "tls.crt": oldCert, "tls.key": oldKey})
	o := Options{
		TLS: TLS{CA: "ca", Certificate: "tls.crt", Key: "tls.key"}, Credentials: c,
		Endpoints: Members{{Endpoint: &Endpoint{URL: g.server.URL}}}, Pool: &Pool{},
	}
	for _, step := range []map[string]string{{}, {"tls.crt": newCert}, {"tls.key": newKey}} {
		rotate(t, c, step)
		client := NewClient(addresses.Rules{}, egress.Proxy{}, tested) // no connection is reused
		if _, err := whole(t, client, o); err != nil {
			t.Error(err)
		}
		client.Close()
	}
	if g.has("old") != 2 || g.has("new") != 1 {
		t.Errorf("%d connections with the old pair, %d with the new one", g.has("old"), g.has("new"))
	}
}

// Settings that no config has any more take no memory, and a reload with equal ones keeps connections.
func TestTLSAcrossConfigs(t *testing.T) {
	a := newAuthority(t, "ours")
	g := startGatekeeper(t, a, a, fine)
	cert, key := a.client("gateway")
	c, _ := keysIn(t, map[string]string{"ca": a.pem, "tls.crt": cert, "tls.key": key})
	client := newClientOf(t)
	settings := TLS{CA: "ca", Certificate: "tls.crt", Key: "tls.key"}
	for range 3 {
		if _, err := whole(t, client, Options{TLS: settings, Credentials: c, Endpoints: Members{{Endpoint: &Endpoint{URL: g.server.URL}}}}); err != nil {
			t.Fatal(err)
		}
		c.RetainTLS(map[TLS]bool{settings: true})
	}
	if n := g.connections.Load(); n != 1 {
		t.Errorf("%d connections for three configs", n)
	}
	for _, path := range settings.paths() {
		if times, err := c.Changed(path); err != nil || times.Modified.IsZero() || times.Since.IsZero() {
			t.Errorf("%s: %+v, %v", path, times, err)
		}
	}
	if known := c.Known(); len(known) != 0 {
		t.Errorf("%d values are taken for keys", len(known))
	}
	c.RetainTLS(nil)
	if len(c.secured.known) != 0 || len(c.pems) != 0 {
		t.Error("what nobody uses is kept")
	}
}

func TestHTTP2IsSpokenWhereItIsOffered(t *testing.T) {
	a := newAuthority(t, "ours")
	c, _ := keysIn(t, map[string]string{"ca": a.pem})
	left := make(chan struct{}, 1)
	for _, tt := range []struct {
		offered []string
		want    string
	}{{[]string{"h2", "http/1.1"}, "HTTP/2.0"}, {nil, "HTTP/1.1"}} {
		s := startTLS(t, &tls.Config{Certificates: []tls.Certificate{a.server()}, NextProtos: tt.offered}, func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/long" {
				_ = http.NewResponseController(w).Flush()
				<-r.Context().Done()
				left <- struct{}{}
				return
			}
			_, _ = fmt.Fprint(w, r.Proto, " ", r.Host, " ", r.URL.Path)
		})
		o := Options{TLS: TLS{CA: "ca"}, Credentials: c, Pool: &Pool{}, Endpoints: Members{{Endpoint: &Endpoint{URL: s.URL + "/v1"}}}}
		client := newClientOf(t)
		host := strings.TrimPrefix(s.URL, "https://")
		if got, err := whole(t, client, o); err != nil || got != tt.want+" "+host+" /v1/" {
			t.Errorf("got %q, %v", got, err)
		}
		askTwentyAtOnce(t, client, o)
		// A client that leaves cancels the upstream's call.
		ctx, cancel := context.WithCancel(t.Context())
		attempt, _ := asking(o, &Question{Path: "/../long"}).Attempts()(t.Context(), relay.Failure{})
		attempt.Call.URL = s.URL + "/long"
		answer, err := client.Do(ctx, attempt.Call)
		if err != nil {
			t.Fatal(err)
		}
		cancel()
		<-left
		_ = answer.Body.Close()
	}
}

// A connection that is too old serves one more request, and is closed with it.
func TestConnectionsGrowOld(t *testing.T) {
	a := newAuthority(t, "ours")
	c, _ := keysIn(t, map[string]string{"ca": a.pem})
	for _, offered := range [][]string{nil, {"h2"}} {
		for _, tt := range []struct {
			maxAge time.Duration
			want   int32
		}{{time.Hour, 1}, {0, 1}, {time.Nanosecond, 10}} {
			var connections atomic.Int32
			s := httptest.NewUnstartedServer(http.HandlerFunc(fine))
			s.TLS, s.EnableHTTP2 = &tls.Config{Certificates: []tls.Certificate{a.server()}}, offered != nil
			s.Config.ConnState = func(_ net.Conn, state http.ConnState) {
				if state == http.StateNew {
					connections.Add(1)
				}
			}
			s.StartTLS()
			client := NewClient(addresses.Rules{}, egress.Proxy{}, tested)
			o := Options{TLS: TLS{CA: "ca"}, MaxConnectionAge: tt.maxAge, Credentials: c, Pool: &Pool{}, Endpoints: Members{{Endpoint: &Endpoint{URL: s.URL}}}}
			for range 10 {
				if _, err := whole(t, client, o); err != nil {
					t.Error(err)
				}
			}
			if n := connections.Load(); n != tt.want {
				t.Errorf("%v, at most %s old: %d connections", offered, tt.maxAge, n)
			}
			client.Close()
			s.Close()
		}
	}
	now := time.Now()
	for age, want := range map[time.Duration]bool{80 * time.Second: false, 96 * time.Second: true, 2 * time.Minute: true} {
		if got := old(&dialled{at: now.Add(-age), spread: 0.5}, 100*time.Second); got != want {
			t.Errorf("%s: %v", age, got)
		}
	}
}
