// Package upstream reaches the services that a gateway calls: endpoints, their choice, credentials, and the pooled
// HTTP client. It knows nothing of protocols.
package upstream

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/llmservice/llmservice/runtime/relay"

	// A FROM-scratch image has no certificate authorities of its own; a system's own roots win where there are any.
	_ "golang.org/x/crypto/x509roots/fallback"
)

const (
	maxIdlePerHost      = 1024
	idleConnTimeout     = 90 * time.Second
	maxResponseHeader   = 64 << 10
	upstreamReadBuffer  = 16 << 10
	upstreamWriteBuffer = 8 << 10
)

// Client is the pooled HTTP/1.1 client of a process. It follows no redirect, uses no proxy, and asks for no
// compression, so that bytes pass as they are. Its pools outlive any config: a reload keeps connections.
type Client struct {
	mu         sync.Mutex
	transports map[time.Duration]*http.Transport
}

// NewClient returns a client without connections.
func NewClient() *Client { return &Client{transports: map[time.Duration]*http.Transport{}} }

// Do makes the call. An error means that no response began.
func (c *Client) Do(ctx context.Context, call *relay.Call) (*relay.Answer, error) {
	req, err := http.NewRequestWithContext(ctx, call.Method, call.URL, bytes.NewReader(call.Body))
	if err != nil {
		return nil, fmt.Errorf("build upstream request: %w", err)
	}
	req.Header = call.Header
	resp, err := c.transport(call.Connect).RoundTrip(req) //nolint:bodyclose // the answer owns it
	if err != nil {
		return nil, fmt.Errorf("call upstream: %w", err)
	}
	return &relay.Answer{Status: resp.StatusCode, Header: resp.Header, Body: resp.Body}, nil
}

// Close drops the idle connections.
func (c *Client) Close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, t := range c.transports {
		t.CloseIdleConnections()
	}
}

// A transport bounds dialling for all of its calls alike, so there is one for each bound in use.
func (c *Client) transport(connect time.Duration) *http.Transport {
	c.mu.Lock()
	defer c.mu.Unlock()
	t, ok := c.transports[connect]
	if !ok {
		t = newTransport(connect)
		c.transports[connect] = t
	}
	return t
}

func newTransport(connect time.Duration) *http.Transport {
	dialer := &net.Dialer{Timeout: connect, KeepAlive: 30 * time.Second}
	return &http.Transport{
		DialContext:            dialer.DialContext,
		TLSHandshakeTimeout:    connect,
		DisableCompression:     true,
		MaxIdleConnsPerHost:    maxIdlePerHost,
		IdleConnTimeout:        idleConnTimeout,
		MaxResponseHeaderBytes: maxResponseHeader,
		ReadBufferSize:         upstreamReadBuffer,
		WriteBufferSize:        upstreamWriteBuffer,
	}
}
