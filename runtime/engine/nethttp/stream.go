package nethttp

import (
	"context"
	"errors"
	"time"

	"github.com/llmservice/llmservice/runtime/relay"
	"github.com/llmservice/llmservice/runtime/upstream"
)

// relayed is the stream of an upstream's events.
func (e *Engine) relayed(r *relay.Relay) *relay.Stream {
	return &relay.Stream{
		Run: func(ctx context.Context, out relay.Sink) relay.Failure {
			return upstream.Stream(ctx, e.options.Client, r.Next, out, r.Observe)
		},
		Refuse: r.Refuse, Abort: r.Abort,
		Timeout: r.Timeout, MaxDuration: r.MaxDuration, KeepAlive: r.KeepAlive,
	}
}

// runStream answers with a stream. It returns once the stream, and all that writes to it, has ended.
func runStream(ctx context.Context, out *output, s *relay.Stream, started time.Time) relay.Outcome {
	ctx, cancel := context.WithTimeoutCause(ctx, s.MaxDuration, relay.Failure{Kind: relay.FailedDuration})
	defer cancel()
	ctx, fail := context.WithCancelCause(ctx)
	defer fail(nil)
	_ = out.conn.SetWriteDeadline(started.Add(s.MaxDuration + lastWords))
	sink := newSink(out, s, started, fail)
	defer sink.close() // for a panic; then the error event has the connection to itself
	failure := s.Run(ctx, sink)
	sink.close()
	return sink.end(s, failure)
}

var errUnended = errors.New("the stream was left without an end")

// end closes the answer in the one way that its state allows.
func (s *sink) end(stream *relay.Stream, failure relay.Failure) relay.Outcome {
	switch {
	case s.broken.Kind != relay.NoFailure:
		failure = s.broken // no matter what the sender made of it
	case failure.Kind == relay.NoFailure && !s.replied && !s.out.ended:
		failure = relay.Failure{Kind: relay.FailedPanic, Err: errUnended}
	}
	outcome := relay.Outcome{Result: relay.StreamFailed, Failure: failure, FirstContent: s.firstContent}
	switch {
	case s.replied:
		outcome.Result = relay.Replied
	case s.out.ended:
		outcome.Result = relay.StreamDone
	case failure.Kind == relay.FailedClient:
		outcome.Result = relay.ClientLeft
	case s.out.status == 0:
		s.out.reply(stream.Refuse(failure))
	default:
		if err := s.out.send(stream.Abort(failure)); err != nil {
			outcome.Result = relay.ClientLeft
			break
		}
		s.out.ended = true
	}
	return outcome
}
