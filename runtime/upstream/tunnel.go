package upstream

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"time"
)

// proxyError is why a forward proxy made no tunnel. It repeats nothing of the proxy's words.
type proxyError string

// Error implements error.
func (e proxyError) Error() string { return string(e) }

const errTunnel proxyError = "the proxy did not answer as RFC 9110, section 9.3.6, says"

// reach connects to where TLS is spoken: through the proxy, if there is one for the host.
func (d dialer) reach(ctx context.Context, network, address, host string) (net.Conn, error) {
	address = cmp.Or(targetOf(ctx).address, address)
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, fmt.Errorf("dial: %w", err)
	}
	if d.proxy != nil {
		if proxy := d.proxy(net.JoinHostPort(host, port)); proxy != "" {
			return d.tunnel(ctx, network, proxy, address)
		}
	}
	return d.connect(ctx, network, address)
}

// tunnel has a proxy connect to an address, and returns the connection through it. If the address is a name, the proxy resolves it,
// so that the rules hold for the proxy's address, and for names that are addresses.
func (d dialer) tunnel(ctx context.Context, network, proxy, address string) (net.Conn, error) {
	if to, err := netip.ParseAddrPort(address); err == nil {
		if err := d.rules.Check(to.Addr()); err != nil {
			return nil, err //nolint:wrapcheck // it says all
		}
	}
	ctx, cancel := targetOf(ctx).bounded(ctx)
	defer cancel()
	conn, err := d.connect(ctx, network, proxy)
	if err != nil {
		return nil, err
	}
	if err := askForTunnel(ctx, conn, address); err != nil {
		_ = conn.Close() // the error says more
		return nil, err
	}
	return conn, nil
}

// past is a deadline that has passed.
var past = time.Unix(1, 0)

// askForTunnel makes of a connection to a proxy one to an address (RFC 9110, section 9.3.6).
func askForTunnel(ctx context.Context, conn net.Conn, address string) error {
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(past) })
	err := exchangeConnect(conn, address)
	if !stop() {
		return context.Cause(ctx)
	}
	return err
}

func exchangeConnect(conn net.Conn, address string) error {
	if _, err := fmt.Fprintf(conn, "CONNECT %[1]s HTTP/1.1\r\nHost: %[1]s\r\n\r\n", address); err != nil {
		return fmt.Errorf("ask the proxy: %w", err)
	}
	from := bufio.NewReader(io.LimitReader(conn, maxResponseHeader))
	// The body of a refusal is not read: the connection is closed. Closing the body would read it.
	answer, err := http.ReadResponse(from, &http.Request{Method: http.MethodConnect}) //nolint:bodyclose // see above
	switch {
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return proxyError("the proxy closed the connection")
	case err != nil:
		return errTunnel
	}
	if answer.StatusCode < 200 || answer.StatusCode > 299 {
		return proxyError(fmt.Sprintf("the proxy refused to connect, with status %d", answer.StatusCode))
	}
	if from.Buffered() > 0 { // the server does not speak first
		return errTunnel
	}
	return nil
}
