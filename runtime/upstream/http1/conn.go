package http1

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"time"

	"github.com/llmservice/llmservice/runtime/pieces"
)

// inline is how much of a body the calling goroutine writes before it reads the answer, in bytes: it fits into the buffers of both
// systems. More is written by another goroutine, because a server may answer before it has read the whole, and then read no more.
const inline = 32 << 10

// Conn is a connection for one call after another. It is not for concurrent use.
type Conn struct {
	conn   net.Conn // TLS included
	socket *Socket
	plain  bool // reads are the socket's, without TLS
	cut    func()
	home   func(*Conn) // takes it back

	since time.Time // when it became idle
	one   [1]byte

	written, answered bool
}

// NewConn makes calls over conn, which reads from the socket.
func NewConn(conn net.Conn, socket *Socket) *Conn {
	_, secure := conn.(interface{ NetConn() net.Conn })
	return &Conn{conn: conn, socket: socket, plain: !secure, cut: func() { _ = socket.Close() }, home: func(c *Conn) { c.Close() }}
}

// Net is the connection that calls are made over.
func (c *Conn) Net() net.Conn { return c.conn }

// Close closes the connection.
func (c *Conn) Close() { _ = c.conn.Close() }

// Written reports whether the last request was sent whole, as far as this machine knows.
func (c *Conn) Written() bool { return c.written }

// Answered reports whether a byte has come since the last request began.
func (c *Conn) Answered() bool { return c.answered }

// Exchange sends a request, and reads the head of its answer. When ctx ends, all reads and writes of the call end. After an error
// the connection is closed; otherwise the answer owns it, and has to be closed.
func (c *Conn) Exchange(ctx context.Context, r *Request) (*Answer, error) {
	c.written, c.answered = false, false
	a := &Answer{conn: c, ctx: ctx, buffer: borrow(r.Body.Len())}
	if ctx.Done() != nil {
		a.unwatch = context.AfterFunc(ctx, c.cut)
	}
	var h head
	unsent := a.send(r)
	err := unsent
	if _, refused := errors.AsType[FaultError](unsent); !refused {
		err = a.readHead(&h, r.Method) // a server may have answered, and closed, before it has read the whole
	}
	if err != nil {
		if unsent != nil && !c.answered {
			err = unsent
		}
		a.end(false)
		a.forget()
		return nil, a.reason(err)
	}
	a.begin(&h, r.closes() || unsent != nil)
	return a, nil
}

// alive reports whether nothing has come since the last answer: neither the end of the connection, nor anything that the next call
// would take for its answer. Over TLS, what the server says about the connection itself may come at any time.
func (c *Conn) alive() bool {
	c.socket.now = true
	n, err := c.conn.Read(c.one[:])
	c.socket.now = false
	return n == 0 && errors.Is(err, errNothing)
}

// send writes the request, or begins to.
func (a *Answer) send(r *Request) error {
	c, b := a.conn, a.buffer
	var err error
	if b.bytes, err = r.appendHead(b.bytes); err != nil {
		return err
	}
	var rest pieces.Text
	b.bytes, rest = r.Body.AppendTo(b.bytes)
	_, err = c.conn.Write(b.bytes)
	b.bytes = b.bytes[:0]
	switch {
	case err != nil:
		return err
	case rest.Len() > inline:
		a.writing = make(chan error, 1)
		go func() { a.writing <- c.write(rest) }()
		return nil
	}
	err = c.write(rest)
	c.written = err == nil
	return err
}

func (c *Conn) write(body pieces.Text) error {
	for _, part := range body {
		if _, err := c.conn.Write(part); err != nil {
			return err //nolint:wrapcheck // the caller says whose it is
		}
	}
	return nil
}

// readHead reads the head of the final answer. All heads together have one bound.
func (a *Answer) readHead(h *head, method string) error {
	for most := MaxHead; ; {
		size, err := a.wholeHead(most)
		if err != nil {
			return err
		}
		text := a.buffer.rest()[:size]
		h.fields = a.buffer.fields
		err = h.parse(text, method)
		a.buffer.fields = h.fields
		a.buffer.at += size
		if err != nil || !h.informational() {
			return err
		}
		a.buffer.drop()
		most -= size
	}
}

// wholeHead reads until a head is in the buffer, and returns its length.
func (a *Answer) wholeHead(most int) (int, error) {
	for seen := 0; ; {
		b := a.buffer.rest()
		size := endOfHead(b, seen)
		switch {
		case !bytes.HasPrefix(b, version[:min(len(b), len(version))]):
			return 0, ErrHead // the rest of what is not HTTP may never come
		case size > most, size == 0 && len(b) >= most:
			return 0, ErrTooLong
		case size > 0:
			return size, nil
		}
		seen = len(b)
		n, err := a.buffer.fill(a.conn.conn)
		a.conn.answered = a.conn.answered || n > 0
		if n == 0 && err != nil {
			return 0, early(err)
		}
	}
}

// early is the error of a connection that ended before an answer did.
func early(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}
