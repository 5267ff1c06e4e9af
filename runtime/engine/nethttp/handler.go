package nethttp

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"strconv"
	"time"

	"github.com/llmservice/llmservice/runtime/relay"
)

// handler turns the server's requests into the policy's, and verdicts into bytes.
type handler struct {
	engine *Engine
	policy relay.Policy
}

func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	head := relay.Head{
		Method: r.Method, Path: r.URL.Path, EscapedPath: r.URL.EscapedPath(), RawQuery: r.URL.RawQuery,
		Header: r.Header, ContentLength: r.ContentLength,
	}
	out := newOutput(w, r, h.engine)
	defer out.finish()
	defer func() {
		if value := recover(); value != nil {
			out.reply(h.policy.Panicked(&head, value))
		}
	}()
	exchange, refused := h.policy.Admit(&head)
	if refused != nil {
		out.reply(refused)
		return
	}
	defer exchange.Release()
	body, refusal, err := out.incoming.read(r.Context(), exchange)
	if err != nil {
		out.reply(exchange.Refuse(refusal))
		return
	}
	h.engine.exchanges.Add(1)
	defer h.engine.exchanges.Add(-1)
	out.conn.enter(handling)
	h.answer(r.Context(), out, &head, exchange.Decide(r.Context(), &relay.Request{Head: head, Body: body, Memory: exchange}))
}

func (h *handler) answer(ctx context.Context, out *output, head *relay.Head, v relay.Verdict) {
	started := time.Now()
	outcome := relay.Outcome{Result: relay.Replied}
	stream := v.Stream
	if v.Relay != nil {
		stream = h.engine.relayed(v.Relay)
	}
	// Whatever panics below has this verdict's outcome, and Done is owed it.
	defer func() {
		if value := recover(); value != nil {
			outcome = out.panicked(h.policy.Panicked(head, value), stream)
		}
		outcome.Duration = time.Since(started)
		if outcome.Status == 0 {
			outcome.Status = out.status
		}
		if v.Done != nil {
			v.Done(outcome)
		}
	}()
	switch {
	case v.Reply != nil:
		out.reply(v.Reply)
	case v.Produce != nil:
		if reply := v.Produce(ctx); ctx.Err() == nil || !errors.Is(context.Cause(ctx), context.Canceled) {
			out.reply(reply)
		} else {
			outcome.Result = relay.ClientLeft
		}
	case stream != nil:
		outcome = runStream(ctx, out, stream, started)
	}
}

// output writes one answer, within a time of its own. What takes none of it for too long is left.
type output struct {
	w        http.ResponseWriter
	control  *http.ResponseController
	conn     *conn
	engine   *Engine
	incoming incoming
	status   int  // as sent; 0 while nothing was
	ended    bool // nothing may follow: a reply, or a stream's last event, was sent
}

func newOutput(w http.ResponseWriter, r *http.Request, e *Engine) *output {
	c := connOf(r.Context())
	return &output{
		w: w, control: http.NewResponseController(w), conn: c, engine: e, incoming: newIncoming(r, c, e),
	}
}

// finish is the one way out of a request. An answer that was not sent to its end breaks the connection: net/http would
// make a 200 of it, or give a stream an end that looks clean. What is left of a body is read for a while, since a
// client may look for its answer only after it has sent everything.
func (o *output) finish() {
	if o.ended && !o.incoming.arrived {
		o.ended = o.control.Flush() == nil
		o.incoming.discard()
	}
	o.conn.enter(ending)
	if !o.ended || !o.incoming.arrived {
		_ = o.conn.SetReadDeadline(time.Now()) // net/http, too, would read on
		panic(http.ErrAbortHandler)
	}
}

func (o *output) closeAfterReply() { o.w.Header().Set("Connection", "close") }

func (o *output) begin(status int) {
	if o.engine.draining.Load() {
		o.closeAfterReply()
	}
	o.status = status
	o.w.WriteHeader(status)
}

func (o *output) reply(r *relay.Reply) {
	if o.status != 0 {
		return
	}
	header := o.w.Header()
	maps.Copy(header, r.Header)
	if r.Status != http.StatusNotModified { // which has no body, and would deny the page's
		header.Set("Content-Length", strconv.Itoa(len(r.Body)))
	}
	if !o.incoming.arrived {
		o.beforeBody()
	}
	_ = o.conn.SetWriteDeadline(time.Now().Add(o.engine.options.ReplyTimeout))
	o.begin(r.Status)
	_, err := o.w.Write(r.Body)
	o.ended = err == nil || errors.Is(err, http.ErrBodyNotAllowed)
}

// beforeBody lets a reply be sent though the request's body has not come. The connection is kept only where the rest
// is short.
func (o *output) beforeBody() {
	_ = o.control.EnableFullDuplex() // else net/http awaits the body first
	if !o.incoming.short() {
		o.closeAfterReply()
	}
}

// panicked ends an answer that a panic interrupted: by the reply where nothing was sent yet, else by the stream's
// error event.
func (o *output) panicked(reply *relay.Reply, s *relay.Stream) relay.Outcome {
	failure := relay.Failure{Kind: relay.FailedPanic}
	if s == nil {
		o.reply(reply)
		return relay.Outcome{Result: relay.Replied, Failure: failure}
	}
	switch {
	case o.status == 0:
		o.reply(reply)
	case !o.ended:
		o.ended = o.send(s.Abort(failure)) == nil
	}
	return relay.Outcome{Result: relay.StreamFailed, Failure: failure}
}

// beginStream sends the head of an event stream.
func (o *output) beginStream() {
	header := o.w.Header()
	header.Set("Content-Type", "text/event-stream")
	header.Set("Cache-Control", "no-cache")
	header.Set("X-Accel-Buffering", "no") // nginx would collect events before it passes them on
	o.begin(http.StatusOK)
}

// send writes the events and flushes them to the client.
func (o *output) send(events []byte) error {
	if _, err := o.w.Write(events); err != nil {
		return err
	}
	return o.control.Flush()
}
