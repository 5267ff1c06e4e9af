package upstream

import (
	"crypto/tls"
	"crypto/x509"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/llmservice/llmservice/runtime/config/addresses"
	"github.com/llmservice/llmservice/runtime/config/egress"
	"github.com/llmservice/llmservice/runtime/relay"
)

// Each call has its own bound, but all share connections and memory: a config may change its bounds as often as it likes.
func TestCallsOfAnyBoundShareTheirConnections(t *testing.T) {
	for _, secure := range []bool{false, true} {
		var connections atomic.Int32
		server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "fine") }))
		server.Config.ConnState = func(_ net.Conn, s http.ConnState) {
			if s == http.StateNew {
				connections.Add(1)
			}
		}
		trusted := x509.NewCertPool()
		if secure {
			server.StartTLS()
			trusted.AddCert(server.Certificate())
		} else {
			server.Start()
		}
		c := dialer{tls: &tls.Config{RootCAs: trusted, MinVersion: tls.VersionTLS12}}.client(tested)
		for i := range 50 {
			answer, err := c.Do(t.Context(), &Call{Method: "GET", URL: server.URL, Header: http.Header{}, Connect: patience + time.Duration(i)})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := io.ReadAll(answer.Body); err != nil || answer.Body.Close() != nil {
				t.Error(err)
			}
		}
		// A transport drops a connection whose writer has not reported for 50 ms, as happens on a busy machine.
		if n := connections.Load(); n > 5 {
			t.Errorf("%s: %d connections for 50 calls one after the other", server.URL, n)
		}
		c.Close()
		server.Close()
	}
}

// A server that accepts a connection and says nothing is given up within the call's bound, TLS included.
func TestHandshakesAreBounded(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	defer wg.Wait()
	defer l.Close()
	wg.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			defer conn.Close()
		}
	})
	c := NewClient(addresses.Rules{}, egress.Proxy{}, tested)
	defer c.Close()
	_, err = c.Do(t.Context(), &Call{Method: "GET", URL: "https://" + l.Addr().String(), Header: http.Header{}, Connect: 20 * time.Millisecond})
	if f := relay.FailureOf(t.Context(), err, ""); f.Kind != relay.FailedDial || !f.Unsent || !strings.Contains(f.Error(), "the handshake did not finish in time") {
		t.Errorf("%+v", f)
	}
}
