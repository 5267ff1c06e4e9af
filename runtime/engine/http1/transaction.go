package http1

import (
	"context"
	"io"
	"net/http"
	"time"

	"github.com/llmservice/llmservice/runtime/engine/arrival"
	"github.com/llmservice/llmservice/runtime/relay"
)

// transaction implements relay.Conn: a request and its answer.
type transaction struct {
	request

	conn     *conn
	body     sized
	context  context.Context //nolint:containedctx // it is the request's, which ends with it
	cancel   context.CancelFunc
	watched  bool // for the client's leaving
	incoming arrival.Body
	loan     relay.Loan // of the body's memory, which the answer may repeat
	until    time.Time  // bounds the writing of the answer
	head     []byte     // of a stream, until its first event is sent
	held     []byte     // the end of a whole answer
	pooled   *buffer    // of held, or of what was written before it; nil for none
	inFlight bool       // the server counts it
	stream   bool       // the answer has no length
}

var _ relay.Conn = (*transaction)(nil)

// heldBack is how much of a long answer is held back, in bytes.
const heldBack = 16 << 10

// begin begins the transaction of a request whose head has been read.
func (x *transaction) begin() {
	c := x.conn
	x.context, x.cancel = context.WithCancel(c.server.requests)
	x.incoming = arrival.Body{
		From: x.incomingBody(), Length: x.ContentLength, Conn: c, Timeout: c.server.options.BodyTimeout, Rests: c.server.rests,
		Loan: &x.loan,
	}
	if x.incoming.Arrived() {
		x.watch()
	}
}

func (x *transaction) incomingBody() io.Reader {
	if x.chunked {
		return newChunked(&x.conn.in)
	}
	x.body = sized{in: &x.conn.in, left: x.ContentLength}
	return &x.body
}

// watch has the request's context end when the client leaves.
func (x *transaction) watch() {
	x.conn.enter(handling)
	x.watched = true
	x.conn.way.Watch(x.cancel)
}

// Context implements relay.Conn.
func (x *transaction) Context() context.Context { return x.context }

// Await implements relay.Conn.
func (x *transaction) Await() (ctx context.Context, stop func()) {
	exchanges := &x.conn.server.exchanges
	exchanges.Add(1)
	if x.watched {
		return x.context, func() { exchanges.Add(-1) }
	}
	x.conn.enter(handling)
	ctx, leave := context.WithCancel(x.context)
	x.conn.way.Watch(leave)
	return ctx, func() {
		x.conn.way.Unwatch()
		leave()
		exchanges.Add(-1)
	}
}

// Body implements relay.Conn.
func (x *transaction) Body(m relay.Memory, limit int64) ([]byte, error) {
	body, err := x.incoming.Read(x.context, m, limit)
	if err != nil {
		return nil, err
	}
	x.inFlight = true
	x.conn.server.exchanges.Add(1)
	if !x.watched {
		x.watch()
	}
	return body, nil
}

// Reply implements relay.Conn. A connection is kept after an answer to a request whose body has not come only if the rest is
// short. The end of the answer is held back until the request has ended: a client that has the whole answer may ask
// again at once, and finds what this request held given back, and the request counted.
func (x *transaction) Reply(r *relay.Reply) error {
	x.until = time.Now().Add(x.conn.server.options.ReplyTimeout)
	x.decideClose()
	body := r.Body
	if !bodyAllowed(r.Status) {
		body = nil
	}
	x.pooled = takeBuffer()
	x.held = x.appendReply(x.pooled[:0], r)
	fits := min(max(bufferSize-len(x.held), 0), len(body))
	x.held = append(x.held, body[:fits]...)
	if fits == len(body) {
		return nil
	}
	return x.writeLong(body[fits:])
}

// writeLong writes what is held, and an answer's rest but for its end.
func (x *transaction) writeLong(rest []byte) error {
	if err := x.write(x.held); err != nil {
		return err
	}
	x.held = rest[max(len(rest)-heldBack, 0):]
	return x.write(rest[:len(rest)-len(x.held)])
}

func (x *transaction) decideClose() {
	x.close = x.close || x.conn.server.draining.Load() || !x.incoming.Arrived() && !x.incoming.Short()
}

// Begin implements relay.Conn. The head is sent with the first event.
func (x *transaction) Begin(header http.Header, until time.Time) error {
	x.until, x.stream = until, true
	x.decideClose()
	x.head = x.appendStreamHead(nil, header)
	return nil
}

// Send implements relay.Conn: one write for all that is given.
func (x *transaction) Send(bytes []byte) error {
	if len(bytes) == 0 && x.head == nil {
		return nil
	}
	b := takeBuffer()
	defer buffers.Put(b)
	all := b[:copy(b[:], x.head)]
	if len(all) < len(x.head) {
		all = x.head // it is longer than any that policy makes
	}
	x.head = nil
	if len(bytes) > 0 {
		all = appendChunk(all, bytes)
	}
	return x.write(all)
}

func (x *transaction) write(p []byte) error {
	if len(p) == 0 {
		return nil
	}
	return x.conn.way.Write(p, x.until)
}

// finish is the one way out of a request. It reports whether another one may follow on the connection. An answer that was
// not sent to its end breaks the connection. What is left of a body is read for a while, since a client may look for its
// answer only after it has sent everything.
func (x *transaction) finish(whole bool) bool {
	if x.watched {
		x.conn.way.Unwatch()
	}
	x.cancel()
	if x.inFlight {
		x.conn.server.exchanges.Add(-1)
	}
	whole = whole && x.writeEnd() == nil
	x.loan.GiveBack()
	if whole && !x.incoming.Arrived() {
		x.incoming.Discard()
	}
	return whole && x.incoming.Arrived() && !x.close
}

// writeEnd writes what ends the answer. A client that does not read it holds up no drain.
func (x *transaction) writeEnd() error {
	if x.stream {
		return x.write(lastChunk)
	}
	err := x.write(x.held)
	if x.pooled != nil {
		buffers.Put(x.pooled)
	}
	x.held, x.pooled = nil, nil
	return err
}
