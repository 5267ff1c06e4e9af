// Package upstream reaches the services that a gateway calls: endpoints, their choice, credentials, and the pooled HTTP client.
// An upstream's llm.Dialect decides what is asked, and how answers are read.
package upstream

import (
	"bytes"
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"slices"
	"sync/atomic"
	"time"

	"github.com/llmservice/llmservice/runtime/config/addresses"
	"github.com/llmservice/llmservice/runtime/config/egress"
	"github.com/llmservice/llmservice/runtime/relay"

	// A FROM-scratch image has no certificate authorities. If the system has roots of its own, those are used.
	_ "golang.org/x/crypto/x509roots/fallback"
)

const (
	maxIdlePerHost = 1024
	// idleConnTimeout is below the 5s after which uvicorn, Node and Apache close an idle connection, so that a connection is
	// not used at the moment in which its server closes it.
	idleConnTimeout     = 4 * time.Second
	maxResponseHeader   = 64 << 10
	upstreamReadBuffer  = 16 << 10
	upstreamWriteBuffer = 8 << 10
	// tlsSessions is the number of servers to which a new connection needs only the short handshake.
	tlsSessions = 256
)

// Kind names what makes a client's calls over HTTP/1.1.
type Kind string

// The kinds of clients.
const (
	// Own is runtime/upstream/http1: the goroutine that makes a call writes and reads itself.
	Own Kind = "own"
	// NetHTTP is net/http's transport.
	NetHTTP Kind = "nethttp"
)

// DefaultKind is the kind of clients if none is named.
const DefaultKind = Own

// UnmarshalText implements encoding.TextUnmarshaler.
func (k *Kind) UnmarshalText(text []byte) error {
	switch named := Kind(text); named {
	case Own, NetHTTP:
		*k = named
		return nil
	}
	return fmt.Errorf("client of upstreams %q, want %s or %s", text, Own, NetHTTP)
}

// MarshalText implements encoding.TextMarshaler.
func (k Kind) MarshalText() ([]byte, error) { return []byte(k), nil }

// Client is the pooled HTTP client of a process. Over https it speaks HTTP/2 if the server offers it, and otherwise HTTP/1.1.
// It follows no redirects, uses no proxy but the one that it is given, and asks for no compression, so that bytes pass as they are.
// Its pools outlive configs: a reload keeps connections. It connects to no address that its rules refuse.
type Client struct {
	pooled *http.Transport
	fresh  *http.Transport // uses each connection once
	direct *direct         // nil if net/http makes all calls
}

// NewClient returns a client without connections. An empty kind is DefaultKind.
func NewClient(rules addresses.Rules, proxy egress.Proxy, kind Kind) *Client {
	return dialer{tls: baseTLS(), rules: rules, proxy: proxy.Chooser()}.client(kind)
}

func (d dialer) client(kind Kind) *Client {
	pooled := d
	pooled.dials, pooled.protocols = &dials{}, []string{"h2", "http/1.1"}
	fresh := pooled
	fresh.protocols = pooled.protocols[1:]
	c := &Client{pooled: pooled.transport(maxIdlePerHost), fresh: fresh.transport(-1)}
	if cmp.Or(kind, DefaultKind) == Own {
		c.direct = newDirect(pooled)
	}
	return c
}

// Do makes the call. An error means that no response began; if nothing was sent, it is a relay.Failure with Unsent set. If a
// pooled connection breaks before the first byte of the answer, the request is sent once more on a fresh one: the server has
// most likely closed the connection while the request was on its way. No error, including those of reading the body, repeats an
// upstream's words.
func (c *Client) Do(ctx context.Context, call *Call) (*Answer, error) {
	var made *tls.Conn
	if c.direct != nil {
		answer, conn, err := c.direct.do(ctx, call)
		if !errors.Is(err, errNotOurs) {
			return answer, err
		}
		made = conn
	}
	answer, trace, err := send(ctx, c.pooled, call, made)
	if err != nil && ctx.Err() == nil && trace.again(call) {
		answer, trace, err = send(ctx, c.fresh, call, nil)
	}
	if err != nil && !trace.connected.Load() {
		return nil, unsent(ctx, err)
	}
	return answer, err
}

// unsent is the failure of a call for which there was no connection.
func unsent(ctx context.Context, err error) relay.Failure {
	failure := relay.FailureOf(ctx, err, unconnected(err))
	failure.Unsent = true
	return failure
}

// unconnected returns why there is no connection.
func unconnected(err error) relay.FailureKind {
	timeout, timed := errors.AsType[net.Error](err)
	switch {
	case errors.Is(err, addresses.ErrRefused):
		return relay.FailedAddress
	case errors.Is(err, errHandshake), timed && timeout.Timeout():
		return relay.FailedDial
	}
	return relay.FailedConnect
}

// send makes the call with a transport, which takes the connection that has been made, if it needs one.
func send(ctx context.Context, t *http.Transport, call *Call, made *tls.Conn) (*Answer, *trace, error) {
	progress := &trace{}
	to := &target{bound: call.Connect, secure: call.Secure, pinned: call.Address}
	to.made.Store(made)
	defer to.drop()
	// A copy, since the goroutines of net/http may read on after they have given a call up.
	body := bytes.NewReader(slices.Concat(call.Body...))
	req, err := http.NewRequestWithContext(progress.in(to.within(ctx), call), call.Method, call.URL, body)
	if err != nil {
		return nil, progress, fmt.Errorf("build upstream request: %w", plainly(err))
	}
	req.Header = call.Header
	leaveToUs(req)
	to.take(req.URL)
	resp, err := t.RoundTrip(req) //nolint:bodyclose // the answer owns it
	if err != nil {
		return nil, progress, calling(err)
	}
	answer := &Answer{Status: resp.StatusCode, Header: resp.Header, Body: plainBody{resp.Body}, Length: resp.ContentLength}
	return answer, progress, nil
}

// calling is the error of a call that was begun.
func calling(err error) error { return fmt.Errorf("call upstream: %w", plainly(err)) }

// leaveToUs keeps an HTTP/1 transport from repeating a request by itself. It would repeat it on one connection of the pool
// after another, and a client should not repeat a request that it has repeated already (RFC 9110, section 9.2.2). HTTP/2
// repeats only requests that its server has not looked at.
func leaveToUs(req *http.Request) {
	if req.URL.Scheme != "http" {
		return
	}
	req.GetBody = nil
	switch req.Method {
	case http.MethodGet, http.MethodHead, http.MethodOptions:
		if req.Body == http.NoBody {
			req.Body = io.NopCloser(http.NoBody) // the transport cannot know that it is empty
		}
	default:
	}
}

// trace records how far a request has come. The transport's goroutines write it.
type trace struct{ connected, reused, written, answered atomic.Bool }

func (t *trace) in(ctx context.Context, call *Call) context.Context {
	return httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GotConn: func(info httptrace.GotConnInfo) {
			if old(info.Conn, call.MaxAge) {
				// This is the connection's last request. The transport looks at the field after this.
				call.Header["Connection"] = []string{"close"}
			}
			t.connected.Store(true)
			t.reused.Store(info.Reused)
		},
		WroteRequest: func(info httptrace.WroteRequestInfo) {
			if info.Err == nil {
				t.written.Store(true)
			}
		},
		GotFirstResponseByte: func() { t.answered.Store(true) },
	})
}

// again reports whether a request that failed may be sent once more. One that must not be repeated may be if it cannot have
// arrived whole.
func (t *trace) again(call *Call) bool {
	return t.reused.Load() && !t.answered.Load() && (!call.Once || !t.written.Load())
}

// Close closes the idle connections.
func (c *Client) Close() {
	c.pooled.CloseIdleConnections()
	if c.direct != nil {
		c.direct.pool.Close()
	}
}
