// Package arrival bounds how a request's body arrives: how slowly, and how much of it is read after a refusal.
package arrival

import (
	"context"
	"errors"
	"io"
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

// Rests admits the reading of long bodies that were refused.
type Rests chan struct{}

// NewRests returns those of one engine.
func NewRests() Rests { return make(Rests, longRests) }

// Conn is the connection of a body.
type Conn interface {
	SetReadDeadline(t time.Time) error
	// Expect is called before the body is read.
	Expect()
}

// Body is a request's body as it arrives.
type Body struct {
	// From is where the body is read. It returns io.EOF at the body's end, with the last bytes or after them.
	From io.Reader
	// Length is in bytes; -1 where the client did not say.
	Length int64
	Conn   Conn
	// Timeout bounds the time in which nothing more of the body arrives.
	Timeout time.Duration
	Rests   Rests
	// Loan lends the body's memory; nil for memory that nobody has to give back.
	Loan *relay.Loan
	// Expects means that the client waits to be asked for the body.
	Expects bool

	arrived bool
	limit   int64

	// The rule of the moment: how long nothing may come, and what bounds the whole.
	started time.Time
	stall   time.Duration
	within  time.Duration
	rate    int64 // bytes that extend within by a second; 0 for none
	got     int64
	turns   relay.InTurns
}

// Arrived reports whether nothing more of the body is to come.
func (b *Body) Arrived() bool { return b.arrived || b.Length == 0 }

// pieces reads the body. Each wait for more has a deadline.
type pieces struct{ *Body }

// Come is for relay.ReadAll.
func (b pieces) Come() int { return relay.Come(b.From) }

// Read implements io.Reader.
func (b pieces) Read(p []byte) (int, error) {
	by := b.started.Add(b.within)
	if b.rate > 0 {
		by = by.Add(time.Duration(b.got) * time.Second / time.Duration(b.rate))
	}
	if stalled := time.Now().Add(b.stall); stalled.Before(by) {
		by = stalled
	}
	_ = b.Conn.SetReadDeadline(by) // it fails only if the connection is closed, as the read will
	n, err := b.From.Read(p)
	b.got += int64(n)
	b.Expects = false
	b.arrived = b.arrived || errors.Is(err, io.EOF)
	return n, err
}

func (b *Body) inTurns() io.Reader {
	b.turns = relay.InTurns{Reader: pieces{b}}
	return &b.turns
}

// Read takes the body to its end before anybody looks at it: an upstream that answers early could otherwise make
// the server close the body, and with it the exchange. The error is relay.ReadAll's.
func (b *Body) Read(ctx context.Context, m relay.Memory, limit int64) ([]byte, error) {
	b.limit = limit
	if b.Length > limit {
		return nil, relay.ErrTooLong
	}
	if b.Arrived() {
		return nil, nil
	}
	b.Conn.Expect()
	b.started, b.stall, b.within, b.rate = time.Now(), b.Timeout, b.Timeout, bodyRate
	body, err := b.Loan.ReadAll(ctx, m, b.inTurns(), b.Length, int(limit))
	if err != nil && relay.RefusalOf(err) == relay.BodyUnreadable {
		b.Length = -1 // what comes now is not worth a connection any more
	}
	return body, err //nolint:wrapcheck // relay asks what it means
}

// Short reports whether what is left will be read in any case.
func (b *Body) Short() bool { return b.Length >= 0 && b.Length-b.got <= shortRest }

// Discard reads what is left after a refusal, within bounds: a client may look for its answer only after it has sent
// everything.
func (b *Body) Discard() {
	b.Conn.Expect()
	b.started, b.stall, b.within, b.rate = time.Now(), restStall, restTimeout, 0
	if b.Expects {
		b.stall = unasked
	}
	rest := b.inTurns()
	if _, err := io.CopyN(io.Discard, rest, shortRest+1); err != nil {
		return
	}
	select {
	case b.Rests <- struct{}{}:
		defer func() { <-b.Rests }()
		_, _ = io.CopyN(io.Discard, rest, b.limit+longRest-b.got) // the answer has been sent
	default:
	}
}
