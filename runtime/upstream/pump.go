package upstream

import (
	"context"
	"errors"
	"io"
	goruntime "runtime"
	"sync"

	"github.com/llmservice/llmservice/runtime/relay"
	"github.com/llmservice/llmservice/runtime/upstream/http1"
	"github.com/llmservice/llmservice/runtime/wire"
)

const readBuffer = relay.Piece

var errNoEnd = errors.New("the stream ended without the mark of its end")

var buffers = sync.Pool{New: func() any { return new([readBuffer]byte) }}

// pump moves the events of one attempt.
type pump struct {
	*streaming

	tap     FrameTap
	silence *silence
	turn    Turn        // may be nil
	memory  relay.Meter // for what is neither sent nor dropped yet
	buffer  *[readBuffer]byte
	frame   wire.Frame // the present one: passed to the tap as a pointer to this, it costs no allocation
}

// run reads until the stream is done, and then returns the zero failure.
func (p *pump) run(ctx context.Context, body io.Reader) relay.Failure {
	defer p.Return()
	parser := wire.NewParser(maxFrame)
	for {
		n, readErr := p.read(body)
		if err := p.fit(ctx, parser.Buffered()+len(p.pending)+n); err != nil {
			return relay.FailureOf(ctx, err, relay.FailedMemory)
		}
		feedErr := parser.Write(p.Lend()[:n])
		if readErr != nil {
			parser.Finish()
		}
		got, failure := p.drain(ctx, parser)
		if failure.Kind != relay.NoFailure || got.last == relay.Done {
			return failure
		}
		switch {
		case feedErr != nil:
			return relay.Failure{Kind: relay.FailedTooLarge, Err: feedErr}
		case errors.Is(readErr, io.EOF):
			return p.ended(ctx, parser)
		case readErr != nil:
			return relay.FailureOf(ctx, readErr, relay.FailedTruncated)
		}
		if got.events {
			p.silence.broken(p.handedOn)
		}
		if n == readBuffer {
			goruntime.Gosched() // it sends as fast as it can, so it takes turns with others: see relay.InTurns
		}
	}
}

// lending are bodies that are read without a buffer while they are silent.
type lending interface {
	ReadLent(l http1.Lender) (int, error)
}

// read reads to the front of the buffer.
func (p *pump) read(body io.Reader) (int, error) {
	if from, ok := body.(lending); ok {
		return from.ReadLent(p) //nolint:wrapcheck // io.EOF is compared
	}
	return body.Read(p.Lend()) //nolint:wrapcheck // likewise
}

// Lend implements http1.Lender.
func (p *pump) Lend() []byte {
	if p.buffer == nil {
		p.buffer = buffers.Get().(*[readBuffer]byte) //nolint:forcetypeassert // the pool holds nothing else
	}
	return p.buffer[:]
}

// Return implements http1.Lender.
func (p *pump) Return() {
	if p.buffer != nil {
		buffers.Put(p.buffer)
		p.buffer = nil
	}
}

// usual is how much an attempt holds of small events in any case, in bytes: the bytes of one read, the rest of the one before,
// and those to be sent. No stream of such events ends for lack of memory.
const usual = 4 * readBuffer

// fit reserves memory for an event that does not come in one read, and for events that are kept back: for the buffer, and a
// copy while it grows or is sent.
func (p *pump) fit(ctx context.Context, bytes int) error {
	if bytes <= usual {
		p.memory.Empty()
		return nil
	}
	return p.memory.Fit(ctx, relay.Copies*bytes) //nolint:wrapcheck // it is a Failure already
}

// ended handles the end of a body. The mark of the end counts even if its blank line is missing; any other event that did not
// arrive whole is dropped.
func (p *pump) ended(ctx context.Context, parser *wire.Parser) relay.Failure {
	if rest, some := parser.Rest(); some && rest.HasData {
		p.frame = rest
		if events, kind := p.tap.Frame(p.pending, &p.frame); kind == relay.Done {
			p.pending = events
			return p.send(ctx, relay.Done)
		}
	}
	return relay.Failure{Kind: relay.FailedTruncated, Err: errNoEnd}
}

// batch is the content of one read.
type batch struct {
	events  bool // any event at all
	content bool // something that the client asked for
	more    bool // there may be more events
	last    relay.EventKind
}

// drain takes the parser's events, and sends those that may be sent.
func (p *pump) drain(ctx context.Context, parser *wire.Parser) (got batch, failure relay.Failure) {
	for {
		b := p.take(parser)
		got.events, got.last = got.events || b.events, b.last
		failure = p.forward(ctx, b)
		if failure.Kind != relay.NoFailure || b.last == relay.Done || !b.more {
			break
		}
	}
	return got, failure
}

// take collects whole events, up to one that ends the stream, or up to a large one.
func (p *pump) take(parser *wire.Parser) batch {
	var b batch
	for b.last < relay.Done && !b.more {
		var whole bool
		if p.frame, whole = parser.Next(); !whole {
			break
		}
		b.events = true
		if len(p.frame.Raw) > relay.Retained {
			b.last = p.takeLarge()
			b.more = p.large != nil
		} else {
			p.pending, b.last = p.tap.Frame(p.pending, &p.frame)
		}
		b.content = b.content || b.last == relay.Content
	}
	return b
}

// takeLarge takes an event that is sent straight from its frame, if it may be sent now: together with others, it would be
// copied.
func (p *pump) takeLarge() relay.EventKind {
	events, kind := p.tap.Frame(nil, &p.frame)
	if kind == relay.Preamble && !p.handedOn {
		p.pending = append(p.pending, events...)
	} else {
		p.large = events
	}
	return kind
}

// forward sends what may be sent, and ends a broken stream.
func (p *pump) forward(ctx context.Context, b batch) relay.Failure {
	switch {
	case b.last == relay.Done:
		return p.send(ctx, relay.Done)
	case b.content, p.handedOn && len(p.pending)+len(p.large) > 0:
		if failure := p.send(ctx, relay.Content); failure.Kind != relay.NoFailure {
			return failure
		}
	}
	switch {
	case b.last == relay.Broken:
		return p.tap.Failure()
	case len(p.pending) > maxPreamble:
		return relay.Failure{Kind: relay.FailedTooLarge, Err: errors.New("no content after many events")}
	}
	return relay.Failure{}
}

func (p *pump) send(ctx context.Context, kind relay.EventKind) relay.Failure {
	if !p.silence.pause() && !p.handedOn {
		return relay.Failure{Kind: relay.FailedFirstToken} // nothing was sent: another may take over
	}
	if p.turn != nil && !p.handedOn {
		p.turn.Answered()
	}
	p.handedOn = true
	events, large := p.pending, p.large
	if p.pending, p.large = events[:0], nil; cap(events) > relay.Retained {
		p.pending = nil
	}
	if large == nil {
		return p.hand(ctx, events, kind)
	}
	if len(events) > 0 {
		if failure := p.hand(ctx, events, relay.Content); failure.Kind != relay.NoFailure {
			return failure
		}
	}
	return p.hand(ctx, large, kind)
}

func (p *pump) hand(ctx context.Context, events []byte, kind relay.EventKind) relay.Failure {
	if err := p.out.Send(events, kind); err != nil {
		return relay.FailureOf(ctx, err, relay.FailedClient)
	}
	return relay.Failure{}
}
