package upstream

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"
)

// A transport bounds dialling for all of its calls alike, and one for each bound that configs have had would keep its
// connections and memory for as long as the process lives. So all calls share one, and a call's context has its bound: a
// transport dials with the values of the context of the request that it dials for.
type boundKey struct{}

// within is a context for a call whose dialling is bounded: TCP, and TLS after it.
func within(ctx context.Context, bound time.Duration) context.Context {
	return context.WithValue(ctx, boundKey{}, bound)
}

// bounded is a context for one of the two, which has to be cancelled.
func bounded(ctx context.Context) (context.Context, context.CancelFunc) {
	if bound, ok := ctx.Value(boundKey{}).(time.Duration); ok && bound > 0 {
		return context.WithTimeout(ctx, bound)
	}
	return context.WithCancel(ctx)
}

type dialer struct {
	tls   *tls.Config
	dials *dials
}

// transport returns a transport that keeps so many idle connections to a host; with a negative number it uses each
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
	}
}

func (d dialer) dial(ctx context.Context, network, address string) (net.Conn, error) {
	ctx, cancel := bounded(ctx)
	defer cancel()
	end, err := d.dials.begin(ctx, address)
	if err != nil {
		return nil, err
	}
	defer end()
	return (&net.Dialer{KeepAlive: 30 * time.Second}).DialContext(ctx, network, address)
}

func (d dialer) dialTLS(ctx context.Context, network, address string) (net.Conn, error) {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return nil, fmt.Errorf("dial: %w", err)
	}
	plain, err := d.dial(ctx, network, address)
	if err != nil {
		return nil, err
	}
	config := d.tls.Clone()
	config.ServerName = host
	conn := tls.Client(plain, config)
	ctx, cancel := bounded(ctx)
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

var errHandshake = errors.New("TLS handshake timeout") // as net/http has it
