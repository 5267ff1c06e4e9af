package upstream

import (
	"crypto/tls"
	"crypto/x509"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
)

// An upstream whose URL has an IPv6 address is called by it, with TLS too, and its certificate has to be for that address.
func TestAnUpstreamByItsIPv6Address(t *testing.T) {
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "[::1]:0")
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, r.Host) }))
	_ = server.Listener.Close() // the one on IPv4
	server.Listener = l
	server.StartTLS()
	t.Cleanup(server.Close)
	roots := x509.NewCertPool()
	roots.AddCert(server.Certificate())
	at := l.Addr().String()
	if got, err := ask(t, dialer{tls: &tls.Config{RootCAs: roots}}.client(tested), "https://"+at); err != nil || got != at {
		t.Errorf("got %q, %v; want %q", got, err, at)
	}
	if got, err := ask(t, dialer{tls: baseTLS()}.client(tested), "https://"+at); err == nil {
		t.Errorf("got %q from a server of an unknown authority", got)
	}
}
