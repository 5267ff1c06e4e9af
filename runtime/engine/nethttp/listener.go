package nethttp

import (
	"net"
	"time"

	"github.com/llmservice/llmservice/runtime/engine/places"
)

// sendBuffer is the kernel's for one connection, in bytes: what a client does not read takes no more memory than this,
// and one that reads slowly is seen to.
const sendBuffer = 128 << 10

// listener is one whose connections have places.
type listener struct {
	net.Listener

	places *places.Places
	stall  time.Duration
}

// Accept implements net.Listener.
func (l *listener) Accept() (net.Conn, error) {
	accepted, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	if h, ok := accepted.(*Handed); ok {
		return l.succeed(h), nil
	}
	LimitSendBuffer(accepted)
	c := newConn(accepted, l.stall)
	c.leave = func() { l.places.Leave(c) }
	if err := l.places.Enter(c); err != nil {
		_ = accepted.Close()
		return nil, err
	}
	return c, nil
}

// succeed takes a connection over.
func (l *listener) succeed(h *Handed) *conn {
	c := newConn(h.Conn, l.stall)
	c.ahead, c.failed = h.Early, h.Err
	c.leave = func() { l.places.Leave(c) }
	l.places.Succeed(h.From, c)
	return c
}

// Close implements net.Listener.
func (l *listener) Close() error {
	l.places.Close()
	return l.Listener.Close()
}

// LimitSendBuffer bounds what the kernel keeps of the bytes that a client has not read yet.
func LimitSendBuffer(c net.Conn) {
	if tcp, ok := c.(*net.TCPConn); ok {
		_ = tcp.SetWriteBuffer(sendBuffer) // the kernel's own choice serves too
	}
}

// Handed is a connection that another engine accepted and has begun to read. It is for the listener of an engine that
// serves it on.
type Handed struct {
	net.Conn

	// From has the connection's place so far.
	From places.Client
	// Early is what was read of the connection and not served.
	Early []byte
	// Err is what the read after Early came to; nil if there was none.
	Err error
}
