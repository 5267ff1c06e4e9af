package nethttp

import (
	"context"
	"errors"
	"io"
	"mime"
	"net/http"
	"time"

	"github.com/llmservice/llmservice/runtime/relay"
	"github.com/llmservice/llmservice/runtime/upstream"
)

const (
	// maxFrame bounds one event, in bytes.
	maxFrame = 1 << 20
	// maxPreamble bounds what is kept back while no content has come, in bytes.
	maxPreamble = 256 << 10
	// afterDone is how long an upstream may take to end its answer after it said that it is done; the connection
	// is reused where it does.
	afterDone = 100 * time.Millisecond
)

// stream relays one stream: attempts until one yields content, then that one to its end.
type stream struct {
	engine  *Engine
	out     *output
	relay   *relay.Relay
	started time.Time
	outcome relay.Outcome
	pending []byte // events not sent yet
}

func newStream(e *Engine, out *output, r *relay.Relay, started time.Time) *stream {
	return &stream{engine: e, out: out, relay: r, started: started, outcome: relay.Outcome{Result: relay.StreamFailed}}
}

func (s *stream) committed() bool { return s.out.status != 0 }

func (s *stream) run(ctx context.Context) relay.Outcome {
	ctx, cancel := context.WithTimeoutCause(ctx, s.relay.MaxDuration, relay.Failure{Kind: relay.FailedDuration})
	defer cancel()
	ctx, fail := context.WithCancelCause(ctx)
	defer fail(nil)
	untilContent := time.AfterFunc(s.relay.Timeout, func() { fail(relay.Failure{Kind: relay.FailedTimeout}) })
	defer untilContent.Stop()

	var failure relay.Failure
	for {
		attempt, final := s.relay.Next(failure)
		if attempt == nil {
			return s.end(final)
		}
		failure = s.try(ctx, attempt, untilContent)
		if s.relay.Observe != nil {
			s.relay.Observe(attempt.Upstream, failure)
		}
		s.outcome.Failure = failure
		if failure.Kind == relay.NoFailure || s.committed() || ctx.Err() != nil {
			return s.end(failure)
		}
		s.pending = s.pending[:0]
	}
}

// end closes the answer in the one way that its state allows.
func (s *stream) end(failure relay.Failure) relay.Outcome {
	s.outcome.Failure = failure
	switch {
	case failure.Kind == relay.NoFailure:
		s.outcome.Result = relay.StreamDone
	case failure.Kind == relay.FailedClient:
		s.outcome.Result = relay.ClientLeft
	case s.committed():
		if err := s.out.send(s.relay.Abort(failure)); err != nil {
			s.outcome.Result = relay.ClientLeft
		}
	default:
		s.out.reply(s.relay.Refuse(failure))
	}
	return s.outcome
}

// try makes one attempt. Its failure is the zero one where the stream is done.
func (s *stream) try(ctx context.Context, a *relay.Attempt, untilContent *time.Timer) relay.Failure {
	defer a.Release()
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	silence := newSilence(a, cancel)
	defer silence.stop()
	answer, err := s.engine.options.Client.Do(ctx, a.Call)
	if err != nil {
		return relay.FailureOf(ctx, err, relay.FailedConnect)
	}
	defer func() { _ = answer.Body.Close() }() // what is lost by it is only the connection's reuse
	if failure := refusesToStream(answer); failure.Kind != relay.NoFailure {
		return failure
	}
	pump := pump{stream: s, tap: s.relay.Tap(), silence: silence, untilContent: untilContent}
	failure := pump.run(ctx, answer.Body)
	if failure.Kind == relay.NoFailure {
		finish(answer.Body, cancel)
	}
	return failure
}

func refusesToStream(a *relay.Answer) relay.Failure {
	if a.Status != http.StatusOK {
		return upstream.StatusFailure(a)
	}
	if media, _, err := mime.ParseMediaType(a.Header.Get("Content-Type")); err != nil || media != "text/event-stream" {
		return relay.Failure{Kind: relay.FailedMalformed, Err: errors.New("the answer is not an event stream")}
	}
	return relay.Failure{}
}

// finish reads the end of an answer whose events have all been sent, so that its connection can be used again.
func finish(body io.Reader, cancel context.CancelCauseFunc) {
	impatience := time.AfterFunc(afterDone, func() { cancel(nil) })
	defer impatience.Stop()
	_, _ = io.CopyN(io.Discard, body, maxFrame) // how it ends no longer matters to anyone
}
