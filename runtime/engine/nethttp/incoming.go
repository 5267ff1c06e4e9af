package nethttp

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/llmservice/llmservice/runtime/relay"
)

const (
	// bodyRate is the least rate at which a body must arrive on the whole, in bytes a second.
	bodyRate = 16 << 10
	// shortRest is the most of a body that is always read to its end after a refusal, in bytes, so that the
	// connection can be kept.
	shortRest = 256 << 10
	// longRest is the most of a body that is read after a refusal, in bytes, beyond the limit of bodies.
	longRest = 16 << 20
	// longRests is how many such bodies are read at once.
	longRests = 256
	// restTimeout bounds the reading after a refusal, and restStall the time in which nothing more of it comes.
	restTimeout = 5 * time.Second
	restStall   = 2 * time.Second
	// unasked is restStall for a body that the client sends only after a 100 Continue, which was not sent.
	unasked = 500 * time.Millisecond
)

// incoming is a request's body as it arrives.
type incoming struct {
	body    io.Reader
	length  int64 // in bytes; -1 where the client did not say
	conn    *conn
	engine  *Engine
	expects bool // the client waits to be asked for it
	arrived bool // to its end
	limit   int64

	// The rule of the moment: how long nothing may come, and what bounds the whole.
	started time.Time
	stall   time.Duration
	within  time.Duration
	rate    int64 // bytes that extend within by a second; 0 for none
	got     int64
}

func newIncoming(r *http.Request, c *conn, e *Engine) incoming {
	return incoming{
		body: r.Body, length: r.ContentLength, conn: c, engine: e, arrived: r.ContentLength == 0,
		expects: strings.EqualFold(r.Header.Get("Expect"), "100-continue"),
	}
}

// Read implements io.Reader. Each wait for more has a deadline.
func (b *incoming) Read(p []byte) (int, error) {
	by := b.started.Add(b.within)
	if b.rate > 0 {
		by = by.Add(time.Duration(b.got) * time.Second / time.Duration(b.rate))
	}
	if stalled := time.Now().Add(b.stall); stalled.Before(by) {
		by = stalled
	}
	_ = b.conn.SetReadDeadline(by) // it fails only if the connection is closed, as the read will
	n, err := b.body.Read(p)
	b.got += int64(n)
	b.expects = false
	b.arrived = b.arrived || errors.Is(err, io.EOF)
	return n, err
}

// read takes the body to its end before anybody looks at it: an upstream that answers early could otherwise make
// the server close the body, and with it the exchange. The error is ReadAll's.
func (b *incoming) read(ctx context.Context, m relay.Memory, limit int64) ([]byte, error) {
	b.limit = limit
	if b.length > limit {
		return nil, relay.ErrTooLong
	}
	if b.arrived {
		return nil, nil
	}
	b.conn.enter(reading)
	timeout := b.engine.options.BodyTimeout
	b.started, b.stall, b.within, b.rate = time.Now(), timeout, timeout, bodyRate
	body, err := relay.ReadAll(ctx, m, relay.Turns(b), b.length, int(limit))
	if err != nil && relay.RefusalOf(err) == relay.BodyUnreadable {
		b.length = -1 // what comes now is not worth a connection any more
	}
	return body, err //nolint:wrapcheck // relay asks what it means
}

// short reports whether what is left will be read in any case.
func (b *incoming) short() bool { return b.length >= 0 && b.length-b.got <= shortRest }

// discard reads what is left after a refusal, within bounds.
func (b *incoming) discard() {
	b.conn.enter(reading)
	b.started, b.stall, b.within, b.rate = time.Now(), restStall, restTimeout, 0
	if b.expects {
		b.stall = unasked
	}
	rest := relay.Turns(b)
	if _, err := io.CopyN(io.Discard, rest, shortRest+1); err != nil {
		return
	}
	select {
	case b.engine.rests <- struct{}{}:
		defer func() { <-b.engine.rests }()
		_, _ = io.CopyN(io.Discard, rest, b.limit+longRest-b.got) // the answer has been sent
	default:
	}
}
