package enginetest

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"sync"
	"time"
)

// Listener is a listener whose connections are in memory: within a bubble of testing/synctest they know virtual time only.
type Listener struct {
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
}

// Listen returns a listener.
func Listen() *Listener { return &Listener{conns: make(chan net.Conn), closed: make(chan struct{})} }

// Dial connects to it. The connection has a method CloseWrite, as those of TCP do. The error is net.ErrClosed, or ctx's.
func (l *Listener) Dial(ctx context.Context) (net.Conn, error) {
	request, received := net.Pipe()
	answer, sent := net.Pipe()
	select {
	case l.conns <- from{halves{in: received, out: sent}}:
		return halves{in: answer, out: request}, nil
	case <-l.closed:
		return nil, net.ErrClosed
	case <-ctx.Done():
		return nil, ctx.Err() //nolint:wrapcheck // it is the caller's
	}
}

// halves is a connection whose sides end apart from each other.
type halves struct{ in, out net.Conn }

// Read implements net.Conn.
func (c halves) Read(p []byte) (int, error) { return c.in.Read(p) }

// Write implements net.Conn.
func (c halves) Write(p []byte) (int, error) { return c.out.Write(p) }

// CloseWrite ends the sending side.
func (c halves) CloseWrite() error { return c.out.Close() }

// Close implements net.Conn.
func (c halves) Close() error { return errors.Join(c.in.Close(), c.out.Close()) }

// LocalAddr implements net.Conn.
func (c halves) LocalAddr() net.Addr { return c.in.LocalAddr() }

// RemoteAddr implements net.Conn.
func (c halves) RemoteAddr() net.Addr { return c.in.RemoteAddr() }

// SetDeadline implements net.Conn.
func (c halves) SetDeadline(t time.Time) error {
	return errors.Join(c.SetReadDeadline(t), c.SetWriteDeadline(t))
}

// SetReadDeadline implements net.Conn.
func (c halves) SetReadDeadline(t time.Time) error { return c.in.SetReadDeadline(t) }

// SetWriteDeadline implements net.Conn.
func (c halves) SetWriteDeadline(t time.Time) error { return c.out.SetWriteDeadline(t) }

// peer is the address that all connections come from.
var peer = netip.MustParseAddrPort("[::ffff:192.0.2.7]:4711")

// from is the server's side of a connection that comes from peer.
type from struct{ halves }

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
