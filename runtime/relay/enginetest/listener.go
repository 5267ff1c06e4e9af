package enginetest

import (
	"context"
	"net"
	"net/netip"
	"sync"
)

// Listener is a listener whose connections are in memory: within a bubble of testing/synctest they know virtual time only.
type Listener struct {
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
}

// Listen returns a listener.
func Listen() *Listener { return &Listener{conns: make(chan net.Conn), closed: make(chan struct{})} }

// Dial connects to it. The error is net.ErrClosed, or ctx's.
func (l *Listener) Dial(ctx context.Context) (net.Conn, error) {
	client, server := net.Pipe()
	select {
	case l.conns <- from{server}:
		return client, nil
	case <-l.closed:
		return nil, net.ErrClosed
	case <-ctx.Done():
		return nil, ctx.Err() //nolint:wrapcheck // it is the caller's
	}
}

// peer is the address that all connections come from.
var peer = netip.MustParseAddrPort("[::ffff:192.0.2.7]:4711")

// from is a connection that comes from peer.
type from struct{ net.Conn }

// RemoteAddr implements net.Conn.
func (from) RemoteAddr() net.Addr { return net.TCPAddrFromAddrPort(peer) }

// Accept implements net.Listener.
func (l *Listener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

// Close implements net.Listener.
func (l *Listener) Close() error {
	l.once.Do(func() { close(l.closed) })
	return nil
}

// Addr implements net.Listener.
func (l *Listener) Addr() net.Addr { return &net.UnixAddr{Name: "memory"} }
