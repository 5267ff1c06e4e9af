package http1

import (
	"bytes"
	"errors"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"sync/atomic"
	"time"

	"github.com/llmservice/llmservice/runtime/engine/nethttp"
	"github.com/llmservice/llmservice/runtime/relay"
)

// conn is a client's connection. Its goroutine alone reads it.
type conn struct {
	net.Conn
	*deadline

	server *server
	way    way
	forget func() // ends the watch
	in     input
	peer   netip.Addr
	served atomic.Bool // it has had a request
	apart  bool        // the beginning of what follows an answer has not been looked at
	posted bool        // the last request was a POST
}

func (s *server) newConn(accepted net.Conn) *conn {
	d := newDeadline(accepted)
	c := &conn{Conn: accepted, deadline: d, server: s, peer: peerOf(accepted)}
	c.way, c.forget = s.ways.of(accepted, d, s.options.WriteTimeout)
	c.in.way = c.way
	return c
}

// peerOf is where a connection comes from; those that are not TCP's have no address.
func peerOf(c net.Conn) netip.Addr {
	from, ok := c.RemoteAddr().(*net.TCPAddr)
	if !ok {
		return netip.Addr{}
	}
	return from.AddrPort().Addr().Unmap().WithZone("")
}

// SetReadDeadline implements arrival.Conn.
func (c *conn) SetReadDeadline(by time.Time) error {
	c.set(by)
	return nil
}

// Expect implements arrival.Conn.
func (c *conn) Expect() { c.enter(reading) }

// serve takes the connection through its requests. A fault of the engine itself ends the connection and no more.
func (c *conn) serve() {
	defer func() {
		if value := recover(); value != nil {
			c.server.options.Logger.Error("connection ended by a panic", "panic", value)
			c.end()
		}
	}()
	for {
		x, err := c.next()
		switch {
		case err != nil && c.known(err):
			c.end()
			return
		case err != nil:
			c.giveAway(err)
			return
		}
		if !c.answer(x) {
			c.end()
			return
		}
		c.served.Store(true)
		c.apart, c.posted = true, x.Method == http.MethodPost
		c.enter(idle)
	}
}

// known reports whether an error of next says that nobody has anything to answer: the connection is closed, or its client
// has left or sent nothing in time. As in net/http, the first bytes after an answer are nothing.
func (c *conn) known(err error) bool {
	ended := errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, io.EOF)
	return !errors.Is(err, errUnknown) && (!ended || len(c.in.rest) == 0 || c.apart)
}

// end closes the connection, which no one else has.
func (c *conn) end() {
	c.forget()
	_ = c.Close()
	c.in.release()
	c.server.forget(c)
	c.server.options.Places.Leave(c)
}

// giveAway has the connection served by net/http from here on. The error is next's.
func (c *conn) giveAway(err error) {
	c.forget()
	handed := &nethttp.Handed{Conn: c.Conn, From: c, Early: c.in.take()}
	if !errors.Is(err, errUnknown) {
		handed.Err = err
	}
	if !c.server.others.give(handed) {
		c.end()
		return
	}
	c.server.forget(c)
}

// errUnknown is what comes of a head that is left to net/http.
var errUnknown = errors.New("is not known here")

// next reads the next request's head. The error is errUnknown, or says why nothing more was read.
func (c *conn) next() (*transaction, error) {
	began := len(c.in.rest) > 0
	c.set(c.due(began))
	for filled := false; ; filled = true {
		x, err := c.head()
		if x != nil || err != nil {
			return x, err
		}
		if filled && !began && c.served.Load() {
			began = true
			c.set(c.due(began))
		}
		if err := c.in.fill(); err != nil {
			return nil, err
		}
	}
}

// due is when a head has to have come of which something has, or nothing yet.
func (c *conn) due(began bool) time.Time {
	if began || !c.served.Load() {
		return time.Now().Add(nethttp.ReadHeaderTimeout)
	}
	return time.Now().Add(nethttp.IdleTimeout)
}

// between is how many bytes after an answer are looked at before anything else, as in net/http. Empty lines there, which old
// clients send after a POST, are skipped (RFC 9112, section 2.2).
const between = 4

// begun reports whether enough has come after an answer to be looked at.
func (c *conn) begun() bool {
	if !c.apart {
		return true
	}
	if len(c.in.rest) < between {
		return false
	}
	c.apart = false
	if c.posted {
		first := c.in.rest[:between]
		c.in.use(between - len(bytes.TrimLeft(first, "\r\n")))
	}
	return true
}

// head reads the head of what has come; nil if it is not whole.
func (c *conn) head() (*transaction, error) {
	if !c.begun() {
		return nil, nil //nolint:nilnil // nothing is wrong with it
	}
	end := bytes.Index(c.in.rest, headEnd)
	if end < 0 || end >= maxHead {
		if !promising(c.in.rest) {
			return nil, errUnknown
		}
		return nil, nil //nolint:nilnil // nothing is wrong with it
	}
	end += len(headEnd)
	x := &transaction{conn: c}
	if !x.parse(string(c.in.rest[:end])) {
		return nil, errUnknown
	}
	c.in.use(end)
	return x, nil
}

// answer serves a request, and reports whether another one may follow.
func (c *conn) answer(x *transaction) bool {
	x.Peer = c.peer
	x.begin()
	return x.finish(relay.Serve(c.server.policy, &x.Head, x))
}
