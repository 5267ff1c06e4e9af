// Package egress has the forward proxy through which gateways leave their network.
package egress

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"strings"

	"golang.org/x/net/http/httpproxy"
)

// Proxy is a forward proxy for connections to upstreams over https, and what is reached without it. The zero value is none.
type Proxy struct {
	Server Server
	Except Exceptions
}

// Server is the URL of a forward proxy, http://HOST:PORT; empty for none.
type Server string

// UnmarshalText implements encoding.TextUnmarshaler.
func (s *Server) UnmarshalText(text []byte) error {
	if err := checkServer(string(text)); err != nil && len(text) > 0 {
		return err
	}
	*s = Server(text)
	return nil
}

// MarshalText implements encoding.TextMarshaler.
func (s Server) MarshalText() ([]byte, error) { return []byte(s), nil }

// checkServer refuses what cannot be used. Its errors do not repeat the text, which may have a password.
func checkServer(text string) error {
	u, err := url.Parse(text)
	switch {
	case err != nil, u.Scheme != "http", u.Hostname() == "", strings.Trim(u.Path, "/") != "", u.RawQuery != "", u.Fragment != "":
		return errors.New("is not the URL of a proxy, want http://HOST:PORT, such as http://proxy.example.com:3128")
	case u.User != nil:
		return errors.New("has a user or a password, which everyone who may read pods would see; want a proxy that needs none")
	}
	return nil
}

// Address is the host and port of the proxy.
func (s Server) Address() string {
	u, err := url.Parse(string(s))
	if err != nil {
		return ""
	}
	if u.Port() == "" {
		return net.JoinHostPort(u.Hostname(), "80")
	}
	return u.Host
}

// Exceptions are hosts that are reached without the proxy, separated by commas, in the form that NO_PROXY has: a name is also for
// the names below it; .DOMAIN only for those; addresses and networks are for upstreams whose host is an address. Each but a network
// may have a port.
type Exceptions string

// UnmarshalText implements encoding.TextUnmarshaler.
func (e *Exceptions) UnmarshalText(text []byte) error {
	for entry := range strings.SplitSeq(string(text), ",") {
		if err := checkException(strings.TrimSpace(entry)); err != nil {
			return err
		}
	}
	*e = Exceptions(text)
	return nil
}

// MarshalText implements encoding.TextMarshaler.
func (e Exceptions) MarshalText() ([]byte, error) { return []byte(e), nil }

func checkException(entry string) error {
	if _, err := netip.ParsePrefix(entry); err != nil && strings.ContainsAny(entry, "/ \t*") && entry != "*" {
		return fmt.Errorf("%q is not a host, want names, addresses and networks, such as .svc,.example.com,10.0.0.0/8", entry)
	}
	return nil
}

// Chooser returns the function that chooses how to connect to a host over https: it returns the address of the proxy, or nothing if
// the host, with its port, is reached directly, as loopback always is.
func (p Proxy) Chooser() func(host string) (proxy string) {
	if p.Server == "" {
		return func(string) string { return "" }
	}
	config := httpproxy.Config{HTTPSProxy: string(p.Server), NoProxy: string(p.Except)}
	choose, address := config.ProxyFunc(), p.Server.Address()
	return func(host string) string {
		if chosen, err := choose(&url.URL{Scheme: "https", Host: host}); err != nil || chosen == nil {
			return ""
		}
		return address
	}
}
