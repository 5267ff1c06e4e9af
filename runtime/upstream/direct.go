package upstream

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"sync"
	"time"

	"github.com/llmservice/llmservice/runtime/upstream/http1"
)

// direct makes calls over HTTP/1.1 with http1. Calls that it does not know how to make, and those to servers that speak HTTP/2, are
// for net/http.
type direct struct {
	dialer dialer
	pool   http1.Pool[origin]

	mu    sync.Mutex
	other map[origin]time.Time // that speak HTTP/2, and since when that is known
	heads heads
	urls  locations
}

// origin is what connections are shared by.
type origin struct {
	secure *Secure // nil for the TLS of upstreams without settings
	https  bool
	host   string // with the port of the URL, if it has one
	pinned netip.Addr
}

const (
	// otherFor is how long a server is taken to speak HTTP/2 before it is asked again.
	otherFor = 10 * time.Minute
	// maxOthers bounds the servers that are remembered.
	maxOthers = 1024
)

func newDirect(d dialer) *direct {
	return &direct{dialer: d, pool: http1.Pool[origin]{Idle: idleConnTimeout, Most: maxIdlePerHost}, other: map[origin]time.Time{}}
}

// errNotOurs means that net/http has to make the call.
var errNotOurs = errors.New("not a call over HTTP/1.1")

// do makes the call as Client.Do says. With errNotOurs comes the connection that was made, if there is one.
func (d *direct) do(ctx context.Context, call *Call) (*Answer, *tls.Conn, error) {
	request, at, ok := d.requestOf(call)
	if !ok || d.isOther(at) {
		return nil, nil, errNotOurs
	}
	for conn := d.pool.Get(at); ; conn = nil {
		reused := conn != nil
		if !reused {
			made, other, err := d.connect(ctx, call, at)
			if other != nil || err != nil {
				return nil, other, err
			}
			conn = made
		}
		request.Close = old(conn.Net(), call.MaxAge)
		answer, err := conn.Exchange(ctx, request)
		switch {
		case err == nil:
			header := d.heads.of(answer.Fields())
			return &Answer{Status: answer.Status, Header: header, Body: plainBody{answer}, Length: answer.Length}, nil, nil
		case errors.Is(err, http1.ErrRequest):
			return nil, nil, unsent(ctx, calling(err))
		case !reused, conn.Answered(), call.Once && conn.Written(), ctx.Err() != nil:
			return nil, nil, calling(err)
		}
	}
}

// requestOf is a call as http1 makes it; false if that cannot.
func (d *direct) requestOf(call *Call) (*http1.Request, origin, bool) {
	to := d.urls.of(call.URL)
	if !to.known {
		return nil, origin{}, false
	}
	request := &http1.Request{
		Method: cmp.Or(call.Method, http.MethodGet), Host: to.host, Target: to.target, Header: call.Header, Body: call.Body,
	}
	at := origin{https: to.https, host: to.host, pinned: call.Address}
	if at.https {
		at.secure = call.Secure
	}
	return request, at, request.Plain()
}

// connect makes a connection. With errNotOurs comes one to a server that speaks HTTP/2.
func (d *direct) connect(ctx context.Context, call *Call, at origin) (ours *http1.Conn, other *tls.Conn, err error) {
	to := at.target()
	to.bound = call.Connect
	dial := d.dialer.dial
	if at.https {
		dial = d.dialer.dialTLS
	}
	conn, err := apart(func() (net.Conn, error) { return dial(to.within(ctx), "tcp", to.address) })
	if err != nil {
		return nil, nil, unsent(ctx, calling(err))
	}
	below := conn
	if secure, ok := conn.(*tls.Conn); ok {
		if secure.ConnectionState().NegotiatedProtocol == "h2" {
			d.remember(at)
			return nil, secure, errNotOurs
		}
		below = secure.NetConn()
	}
	made := http1.NewConn(conn, below.(*dialled).Socket) //nolint:forcetypeassert // the dialler makes no others
	d.pool.Adopt(at, made)
	return made, nil, nil
}

// apart dials in a goroutine of its own, and waits for it. A handshake needs a deep stack, which the caller's goroutine would keep
// for as long as its stream is open. A panic becomes the caller's.
func apart(dial func() (net.Conn, error)) (conn net.Conn, err error) {
	var fault any
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer func() { fault = recover() }()
		conn, err = dial()
	}()
	<-done
	if fault != nil {
		panic(fault)
	}
	return conn, err
}

// target is what to dial.
func (at *origin) target() *target {
	u := url.URL{Host: at.host}
	host, port := u.Hostname(), "80"
	if at.https {
		port = "443"
	}
	port = cmp.Or(u.Port(), port)
	to := &target{host: host, address: net.JoinHostPort(host, port), secure: at.secure, pinned: at.pinned}
	if at.pinned.IsValid() {
		to.address = net.JoinHostPort(at.pinned.String(), port)
	}
	return to
}

func (d *direct) isOther(at origin) bool {
	if !at.https {
		return false
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	since, is := d.other[at]
	if is && time.Since(since) > otherFor {
		delete(d.other, at)
		return false
	}
	return is
}

func (d *direct) remember(at origin) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.other) >= maxOthers {
		clear(d.other)
	}
	d.other[at] = time.Now()
}
