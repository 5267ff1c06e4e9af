package upstream

import (
	"cmp"
	"context"
	"crypto/tls"
	"encoding/hex"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/llmservice/llmservice/runtime/config/addresses"
	"github.com/llmservice/llmservice/runtime/upstream/http1"
)

// A transport has one bound for dialling. One transport for each bound and TLS that configs have had would keep its connections
// and memory for as long as the process lives. So all calls share one transport, and the context of a call carries the target:
// a transport dials with the values of the context of the request that it dials for.
type targetKey struct{}

// target is where a call's connection is made to.
type target struct {
	// address is the host and port to connect to, and host the name for TLS; if they are empty, the transport's are used.
	address, host string
	secure        *Secure
	// pinned, if valid, is the only address to connect to.
	pinned netip.Addr
	// bound bounds TCP, and then TLS; 0 means no bound.
	bound time.Duration
	// made is a connection that this call has made already, for the transport to take; nil if there is none.
	made atomic.Pointer[tls.Conn]
}

func (t *target) within(ctx context.Context) context.Context {
	return context.WithValue(ctx, targetKey{}, t)
}

func targetOf(ctx context.Context) *target {
	if t, ok := ctx.Value(targetKey{}).(*target); ok {
		return t
	}
	return &target{}
}

// take takes over the URL's destination if the target has anything that the URL does not show. The URL then gets a host that
// stands for the target, because transports share the connections of equal hosts. The request keeps its own host.
func (t *target) take(u *url.URL) {
	port, name := "80", "plain"
	switch {
	case u.Scheme != "https" && !t.pinned.IsValid(), t.secure == nil && !t.pinned.IsValid():
		return
	case u.Scheme == "https" && t.secure != nil:
		port, name = "443", t.secure.name
	case u.Scheme == "https":
		port, name = "443", "public"
	}
	t.host = u.Hostname()
	t.address = net.JoinHostPort(t.host, cmp.Or(u.Port(), port))
	stand := t.address
	if t.pinned.IsValid() {
		t.address = net.JoinHostPort(t.pinned.String(), cmp.Or(u.Port(), port))
		stand += " " + t.address
	}
	u.Host = name + "-" + hex.EncodeToString([]byte(stand))
}

// drop closes the connection that nobody has taken.
func (t *target) drop() {
	if conn := t.made.Swap(nil); conn != nil {
		_ = conn.Close()
	}
}

// bounded is a context for one of TCP and TLS, which has to be cancelled.
func (t *target) bounded(ctx context.Context) (context.Context, context.CancelFunc) {
	if t.bound > 0 {
		return context.WithTimeout(ctx, t.bound)
	}
	return context.WithCancel(ctx)
}

type dialer struct {
	tls   *tls.Config
	rules addresses.Rules
	// resolver looks up names; nil means the machine's resolver.
	resolver *net.Resolver
	dials    *dials
	// proxy chooses the proxy for a host with its port, over https; it returns nothing for a host that is reached directly.
	proxy func(host string) string
	// protocols are the ones offered over TLS (RFC 7301).
	protocols []string
}

// transport returns a transport that keeps so many idle connections to a host; with a negative number, it uses each connection
// for one request.
func (d dialer) transport(idle int) *http.Transport {
	return &http.Transport{
		DialContext:            d.dial,
		DialTLSContext:         d.dialTLS,
		DisableCompression:     true,
		MaxIdleConnsPerHost:    idle,
		IdleConnTimeout:        idleConnTimeout,
		MaxResponseHeaderBytes: maxResponseHeader,
		ReadBufferSize:         upstreamReadBuffer,
		WriteBufferSize:        upstreamWriteBuffer,
		ForceAttemptHTTP2:      len(d.protocols) > 1,
		HTTP2: &http.HTTP2Config{
			MaxReceiveBufferPerStream: streamWindow,
			SendPingTimeout:           pingAfter, PingTimeout: pingTimeout,
		},
	}
}

const (
	// streamWindow is how much of an answer over HTTP/2 may arrive before it is read, in bytes.
	streamWindow = 64 << 10
	// pingAfter is how long an HTTP/2 connection may be silent before it is pinged, and pingTimeout how long the answer may
	// take. Servers treat more frequent pings as an attack.
	pingAfter, pingTimeout = 30 * time.Second, 15 * time.Second
)

func (d dialer) dial(ctx context.Context, network, address string) (net.Conn, error) {
	return d.connect(ctx, network, cmp.Or(targetOf(ctx).address, address))
}

// connect makes a connection to this very address.
func (d dialer) connect(ctx context.Context, network, address string) (net.Conn, error) {
	ctx, cancel := targetOf(ctx).bounded(ctx)
	defer cancel()
	end, err := d.dials.begin(ctx, address)
	if err != nil {
		return nil, err
	}
	defer end()
	// If a name has addresses of both families, both are tried (RFC 8305).
	tcp := net.Dialer{KeepAlive: 30 * time.Second, Resolver: d.resolver, ControlContext: d.check}
	conn, err := tcp.DialContext(ctx, network, address)
	if err != nil {
		return nil, err //nolint:wrapcheck // the transport's callers put it into words
	}
	return &dialled{Socket: http1.NewSocket(conn), at: time.Now(), spread: rand.Float64()}, nil //nolint:gosec // not a secret
}

// check is called with each address before a connection to it is made. It is the one that the name was resolved to for this
// connection, so that nothing can change between the check and the connection.
func (d dialer) check(_ context.Context, _, address string, _ syscall.RawConn) error {
	to, err := netip.ParseAddrPort(address)
	if err != nil {
		return addresses.ErrRefused
	}
	return d.rules.Check(to.Addr())
}

func (d dialer) dialTLS(ctx context.Context, network, address string) (net.Conn, error) {
	to := targetOf(ctx)
	if conn := to.made.Swap(nil); conn != nil {
		return conn, nil
	}
	host := to.host
	if host == "" {
		var err error
		if host, _, err = net.SplitHostPort(address); err != nil {
			return nil, fmt.Errorf("dial: %w", err)
		}
	}
	plain, err := d.reach(ctx, network, address, host)
	if err != nil {
		return nil, err
	}
	conn := tls.Client(plain, d.configOf(to, host))
	ctx, cancel := to.bounded(ctx)
	defer cancel()
	if err := conn.HandshakeContext(ctx); err != nil {
		_ = plain.Close() // the handshake's error says more
		if errors.Is(err, context.DeadlineExceeded) {
			err = errHandshake
		}
		return nil, err
	}
	return conn, nil
}

func (d dialer) configOf(to *target, host string) *tls.Config {
	base := d.tls
	if to.secure != nil {
		base = to.secure.config
	}
	config := base.Clone()
	config.ServerName = cmp.Or(config.ServerName, host)
	config.NextProtos = d.protocols
	return config
}

// dialled is a connection that knows its age.
type dialled struct {
	*http1.Socket

	at time.Time
	// spread is from 0 up to 1, so that connections that were made together do not all grow old together.
	spread float64
}

// old reports whether a connection of the pool has been used for long enough.
func old(c net.Conn, maxAge time.Duration) bool {
	if secure, ok := c.(*tls.Conn); ok {
		c = secure.NetConn()
	}
	conn, ok := c.(*dialled)
	return ok && conn.old(maxAge)
}

func (conn *dialled) old(maxAge time.Duration) bool {
	return maxAge > 0 && time.Since(conn.at) >= maxAge-time.Duration(conn.spread*float64(maxAge)/10)
}

var errHandshake = errors.New("TLS handshake timeout") // net/http's words
