package nethttp

import (
	"context"
	"errors"
	"io"
	"sync"
	"time"

	"github.com/llmservice/llmservice/runtime/relay"
	"github.com/llmservice/llmservice/runtime/wire"
)

const readBuffer = 16 << 10

var buffers = sync.Pool{New: func() any { return new([readBuffer]byte) }}

// pump moves the events of one attempt to the client.
type pump struct {
	stream       *stream
	tap          relay.Tap
	silence      *silence
	untilContent *time.Timer
}

// run reads until the stream is done, and then returns the zero failure.
func (p *pump) run(ctx context.Context, body io.Reader) relay.Failure {
	buffer := buffers.Get().(*[readBuffer]byte) //nolint:forcetypeassert // the pool holds nothing else
	defer buffers.Put(buffer)
	parser := wire.NewParser(maxFrame)
	for {
		n, readErr := body.Read(buffer[:])
		feedErr := parser.Write(buffer[:n])
		if readErr != nil {
			parser.Finish()
		}
		got := p.take(parser)
		if failure := p.forward(got); failure.Kind != relay.NoFailure || got.last == relay.Done {
			return failure
		}
		switch {
		case feedErr != nil:
			return relay.Failure{Kind: relay.FailedTooLarge, Err: feedErr}
		case errors.Is(readErr, io.EOF):
			return relay.Failure{Kind: relay.FailedTruncated, Err: io.ErrUnexpectedEOF}
		case readErr != nil:
			return relay.FailureOf(ctx, readErr, relay.FailedTruncated)
		}
		if got.events {
			p.silence.broken(p.stream.committed())
		}
	}
}

// batch is what one read brought.
type batch struct {
	events  bool // any at all
	content bool // something that the client asked for
	last    relay.Kind
}

// take collects the events that are whole, up to one that ends the stream.
func (p *pump) take(parser *wire.Parser) batch {
	var b batch
	for frame, ok := parser.Next(); ok && b.last < relay.Done; frame, ok = parser.Next() {
		b.events = true
		p.stream.pending, b.last = p.tap.Frame(p.stream.pending, &frame)
		b.content = b.content || b.last == relay.Content
	}
	return b
}

// forward sends what may be sent, and ends what is broken.
func (p *pump) forward(b batch) relay.Failure {
	s := p.stream
	if s.committed() || b.content || b.last == relay.Done {
		if failure := p.send(); failure.Kind != relay.NoFailure {
			return failure
		}
	}
	switch {
	case b.last == relay.Broken:
		return relay.Failure{Kind: relay.FailedEvent}
	case len(s.pending) > maxPreamble:
		return relay.Failure{Kind: relay.FailedTooLarge, Err: errors.New("no content after many events")}
	}
	return relay.Failure{}
}

func (p *pump) send() relay.Failure {
	s := p.stream
	if len(s.pending) == 0 {
		return relay.Failure{}
	}
	p.silence.pause()
	if !s.committed() {
		if !p.untilContent.Stop() {
			return relay.Failure{Kind: relay.FailedTimeout}
		}
		s.out.beginStream()
		s.outcome.FirstContent = time.Since(s.started)
	}
	err := s.out.send(s.pending)
	s.pending = s.pending[:0]
	if err != nil {
		return relay.Failure{Kind: relay.FailedClient, Err: err}
	}
	return relay.Failure{}
}

// silence ends an attempt that says nothing for too long: until its first content, then between two events. While
// the client is being written to, only the client can be the one that waits.
type silence struct {
	timer *time.Timer
	idle  time.Duration
	end   context.CancelCauseFunc
	began bool
}

func newSilence(a *relay.Attempt, end context.CancelCauseFunc) *silence {
	s := &silence{idle: a.Idle, end: end}
	s.timer = time.AfterFunc(a.FirstToken, func() { end(relay.Failure{Kind: relay.FailedFirstToken}) })
	return s
}

func (s *silence) stop() { s.timer.Stop() }

func (s *silence) pause() { s.timer.Stop() }

// broken restarts the wait once content has come; what precedes it does not extend the wait for it.
func (s *silence) broken(content bool) {
	switch {
	case !content:
	case s.began:
		s.timer.Reset(s.idle)
	default:
		s.began = true
		s.timer = time.AfterFunc(s.idle, func() { s.end(relay.Failure{Kind: relay.FailedIdle}) })
	}
}
