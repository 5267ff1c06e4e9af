package nethttp

import (
	"bytes"
	"context"
	"errors"
	"io"
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
	out := newOutput(w, h.engine)
	defer func() {
		if value := recover(); value != nil {
			out.reply(h.policy.Panicked(&head, value))
		}
	}()
	release, refused := h.policy.Admit(&head)
	if refused != nil {
		out.reply(refused)
		return
	}
	defer release()
	body, refusal, err := h.read(r, out)
	if err != nil {
		out.closeAfterReply()
		out.reply(h.policy.Refuse(&head, refusal))
		return
	}
	h.answer(r.Context(), out, &head, h.policy.Decide(r.Context(), &relay.Request{Head: head, Body: body}))
}

var errTooLarge = errors.New("request body too large")

// read takes the body to its end before anybody looks at it: an upstream that answers early could otherwise make
// the server close the body, and with it the exchange.
func (h *handler) read(r *http.Request, out *output) ([]byte, relay.Refusal, error) {
	limit := h.engine.options.BodyLimit
	if r.ContentLength > limit {
		return nil, relay.BodyTooLarge, errTooLarge
	}
	if r.ContentLength == 0 {
		return nil, 0, nil
	}
	out.readBefore(time.Now().Add(h.engine.options.BodyTimeout))
	defer out.readBefore(time.Time{})
	var body bytes.Buffer
	body.Grow(int(min(max(r.ContentLength, 0)+bytes.MinRead, 64<<10)))
	n, err := body.ReadFrom(io.LimitReader(r.Body, limit+1))
	switch {
	case err != nil:
		return nil, relay.BodyUnreadable, err
	case n > limit:
		return nil, relay.BodyTooLarge, errTooLarge
	}
	return body.Bytes(), 0, nil
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

// output writes one answer, each write under a deadline of its own.
type output struct {
	w       http.ResponseWriter
	control *http.ResponseController
	engine  *Engine
	status  int  // as sent; 0 while nothing was
	ended   bool // nothing may follow: a reply, or a stream's last event, was sent
}

func newOutput(w http.ResponseWriter, e *Engine) *output {
	return &output{w: w, control: http.NewResponseController(w), engine: e}
}

func (o *output) readBefore(t time.Time) { _ = o.control.SetReadDeadline(t) }

func (o *output) closeAfterReply() { o.w.Header().Set("Connection", "close") }

// The deadline stays set until the next write sets its own: the server's writes after the handler need one too.
func (o *output) writeSoon() {
	_ = o.control.SetWriteDeadline(time.Now().Add(o.engine.options.WriteTimeout))
}

func (o *output) begin(status int) {
	if o.engine.draining.Load() {
		o.closeAfterReply()
	}
	o.status = status
	o.writeSoon()
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
	o.begin(r.Status)
	o.ended = true
	_, _ = o.w.Write(r.Body) // a client that has left cannot be told
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
		_ = o.send(s.Abort(failure))
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
	o.writeSoon()
	if _, err := o.w.Write(events); err != nil {
		return err
	}
	return o.control.Flush()
}
