package nethttp

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/llmservice/llmservice/runtime/engine/arrival"
	"github.com/llmservice/llmservice/runtime/relay"
)

// handler has the server's requests answered by the policy.
type handler struct {
	engine *Engine
	policy relay.Policy
}

func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	head := relay.Head{
		Method: r.Method, Path: r.URL.Path, EscapedPath: r.URL.EscapedPath(), RawQuery: r.URL.RawQuery,
		Header: r.Header, Host: r.Host, Peer: peer(r), ContentLength: r.ContentLength,
	}
	x := newTransaction(w, r, h.engine)
	x.head = &head
	x.finish(relay.Serve(h.policy, &head, x)) //nolint:contextcheck // x has the request's
}

// peer is where a request's connection comes from.
func peer(r *http.Request) netip.Addr {
	from, _ := netip.ParseAddrPort(r.RemoteAddr) // connections that are not TCP's have no address
	return from.Addr().Unmap().WithZone("")
}

// transaction implements relay.Conn: a request and its answer, of the server's.
type transaction struct {
	w        http.ResponseWriter
	head     *relay.Head
	control  http.ResponseController
	context  context.Context //nolint:containedctx // it is the request's, which ends with it
	conn     *conn
	engine   *Engine
	incoming arrival.Body
	inFlight bool // the engine counts it
}

var _ relay.Conn = (*transaction)(nil)

func newTransaction(w http.ResponseWriter, r *http.Request, e *Engine) *transaction {
	c := connOf(r.Context())
	return &transaction{
		w: w, control: *http.NewResponseController(w), context: r.Context(), conn: c, engine: e, incoming: arrives(r, c, e),
	}
}

func arrives(r *http.Request, c *conn, e *Engine) arrival.Body {
	return arrival.Body{
		From: r.Body, Length: r.ContentLength, Conn: c, Timeout: e.options.BodyTimeout, Rests: e.rests,
		Expects: strings.EqualFold(r.Header.Get("Expect"), "100-continue"),
	}
}

// Context implements relay.Conn.
func (x *transaction) Context() context.Context { return x.context }

// Await implements relay.Conn. While a body is still to come, net/http reads only what is asked for.
func (x *transaction) Await() (ctx context.Context, stop func()) {
	x.engine.exchanges.Add(1)
	x.conn.enter(handling)
	if x.incoming.Arrived() {
		return x.context, func() { x.engine.exchanges.Add(-1) }
	}
	ctx, leave := context.WithCancel(x.context)
	stopped := x.conn.watch(leave)
	return ctx, func() {
		stopped()
		leave()
		x.engine.exchanges.Add(-1)
	}
}

// Body implements relay.Conn.
func (x *transaction) Body(m relay.Memory, limit int64) ([]byte, error) {
	body, err := x.incoming.Read(x.context, m, limit)
	if err == nil {
		x.inFlight = true
		x.engine.exchanges.Add(1)
		x.conn.enter(handling)
	}
	return body, err
}

// Reply implements relay.Conn.
func (x *transaction) Reply(r *relay.Reply) error {
	header := x.w.Header()
	maps.Copy(header, r.Header)
	x.echo()
	if r.Status != http.StatusNotModified { // which has no body, and would deny the page's
		header.Set("Content-Length", strconv.Itoa(len(r.Body)))
	}
	if !x.incoming.Arrived() {
		x.beforeBody()
	}
	_ = x.conn.SetWriteDeadline(time.Now().Add(x.engine.options.ReplyTimeout))
	x.begin(r.Status)
	if _, err := x.w.Write(r.Body); err != nil && !errors.Is(err, http.ErrBodyNotAllowed) {
		return err
	}
	return nil
}

// echo puts the fields that the policy adds in the place of the answer's own.
func (x *transaction) echo() {
	for _, f := range x.head.Echo {
		x.w.Header()[f.Name] = []string{f.Value}
	}
}

// beforeBody lets a reply be sent though the request's body has not come. The connection is kept only where the rest
// is short.
func (x *transaction) beforeBody() {
	_ = x.control.EnableFullDuplex() // else net/http awaits the body first
	if !x.incoming.Short() {
		x.closeAfterReply()
	}
}

func (x *transaction) closeAfterReply() { x.w.Header().Set("Connection", "close") }

func (x *transaction) begin(status int) {
	if x.engine.draining.Load() {
		x.closeAfterReply()
	}
	x.w.WriteHeader(status)
}

// Begin implements relay.Conn.
func (x *transaction) Begin(header http.Header, until time.Time) error {
	_ = x.conn.SetWriteDeadline(until) // it fails only if the connection is closed, as the write will
	maps.Copy(x.w.Header(), header)
	x.echo()
	x.begin(http.StatusOK)
	return nil
}

// Send implements relay.Conn.
func (x *transaction) Send(bytes []byte) error {
	if _, err := x.w.Write(bytes); err != nil {
		return err
	}
	return x.control.Flush()
}

// finish is the one way out of a request. An answer that was not sent to its end breaks the connection: net/http would
// make a 200 of it, or give a stream an end that looks clean. What is left of a body is read for a while, since a
// client may look for its answer only after it has sent everything.
func (x *transaction) finish(whole bool) {
	if x.inFlight {
		x.engine.exchanges.Add(-1)
	}
	if whole && !x.incoming.Arrived() {
		whole = x.control.Flush() == nil
		x.incoming.Discard()
	}
	x.conn.enter(ending)
	if !whole || !x.incoming.Arrived() {
		_ = x.conn.SetReadDeadline(time.Now()) // net/http, too, would read on
		panic(http.ErrAbortHandler)
	}
}
