// Package upstream reaches the services that a gateway calls: endpoints, their choice, credentials, and the pooled
// HTTP client. It knows nothing of protocols.
package upstream

import (
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"net/http/httptrace"
	"sync"
	"sync/atomic"
	"time"

	"github.com/llmservice/llmservice/runtime/relay"

	// A FROM-scratch image has no certificate authorities of its own; a system's own roots win where there are any.
	_ "golang.org/x/crypto/x509roots/fallback"
)

const (
	maxIdlePerHost = 1024
	// idleConnTimeout is below the 5s after which uvicorn, Node and Apache close a connection that is idle: one of
	// theirs is not used at the moment at which they close it.
	idleConnTimeout     = 4 * time.Second
	maxResponseHeader   = 64 << 10
	upstreamReadBuffer  = 16 << 10
	upstreamWriteBuffer = 8 << 10
	// tlsSessions is how many servers a new connection can be opened to with the short handshake.
	tlsSessions = 256
)

// Client is the pooled HTTP/1.1 client of a process. It follows no redirect, uses no proxy, and asks for no
// compression, so that bytes pass as they are. Its pools outlive any config: a reload keeps connections.
type Client struct {
	mu       sync.Mutex
	dials    map[time.Duration]*transports
	sessions tls.ClientSessionCache
}

// transports dial within one bound.
type transports struct{ pooled, fresh *http.Transport }

// NewClient returns a client without connections.
func NewClient() *Client {
	return &Client{dials: map[time.Duration]*transports{}, sessions: tls.NewLRUClientSessionCache(tlsSessions)}
}

// Do makes the call. An error means that no response began; it is a relay.Failure where nothing was sent. A request to
// which a connection of the pool gave no byte is sent once more on a fresh one: its server has most likely closed the
// connection while the request was on its way. No error, those of reading the body included, repeats what an upstream has
// sent.
func (c *Client) Do(ctx context.Context, call *relay.Call) (*relay.Answer, error) {
	t := c.transports(call.Connect)
	answer, trace, err := send(ctx, t.pooled, call)
	if err != nil && ctx.Err() == nil && trace.again(call) {
		answer, trace, err = send(ctx, t.fresh, call)
	}
	if err != nil && ctx.Err() == nil && !trace.connected.Load() {
		return nil, relay.Failure{Kind: relay.FailedConnect, Unsent: true, Err: err}
	}
	return answer, err
}

func send(ctx context.Context, t *http.Transport, call *relay.Call) (*relay.Answer, *trace, error) {
	progress := &trace{}
	req, err := http.NewRequestWithContext(progress.in(ctx), call.Method, call.URL, bytes.NewReader(call.Body))
	if err != nil {
		return nil, progress, fmt.Errorf("build upstream request: %w", plainly(err))
	}
	req.Header = call.Header
	resp, err := t.RoundTrip(req) //nolint:bodyclose // the answer owns it
	if err != nil {
		return nil, progress, fmt.Errorf("call upstream: %w", plainly(err))
	}
	answer := &relay.Answer{Status: resp.StatusCode, Header: resp.Header, Body: plainBody{resp.Body}, Length: resp.ContentLength}
	return answer, progress, nil
}

// trace is how far a request has come. The transport's goroutines write it.
type trace struct{ connected, reused, written, answered atomic.Bool }

func (t *trace) in(ctx context.Context) context.Context {
	return httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GotConn: func(info httptrace.GotConnInfo) {
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

// again says whether a request that failed may be sent once more. One that must not be repeated may, where it cannot
// have arrived whole.
func (t *trace) again(call *relay.Call) bool {
	return t.reused.Load() && !t.answered.Load() && (!call.Once || !t.written.Load())
}

// Close drops the idle connections.
func (c *Client) Close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, t := range c.dials {
		t.pooled.CloseIdleConnections()
	}
}

// A transport bounds dialling for all of its calls alike, so there is a pair for each bound in use.
func (c *Client) transports(connect time.Duration) *transports {
	c.mu.Lock()
	defer c.mu.Unlock()
	t, ok := c.dials[connect]
	if !ok {
		t = &transports{pooled: c.newTransport(connect, maxIdlePerHost), fresh: c.newTransport(connect, -1)}
		c.dials[connect] = t
	}
	return t
}

// newTransport returns a transport that keeps so many idle connections to a host; with a negative number it uses each
// for one request.
func (c *Client) newTransport(connect time.Duration, idle int) *http.Transport {
	dialer := &net.Dialer{Timeout: connect, KeepAlive: 30 * time.Second}
	return &http.Transport{
		DialContext:            dialer.DialContext,
		TLSClientConfig:        &tls.Config{ClientSessionCache: c.sessions, MinVersion: tls.VersionTLS12},
		TLSHandshakeTimeout:    connect,
		DisableCompression:     true,
		MaxIdleConnsPerHost:    idle,
		IdleConnTimeout:        idleConnTimeout,
		MaxResponseHeaderBytes: maxResponseHeader,
		ReadBufferSize:         upstreamReadBuffer,
		WriteBufferSize:        upstreamWriteBuffer,
	}
}
