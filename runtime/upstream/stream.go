package upstream

import (
	"context"
	"io"
	"time"

	"github.com/llmservice/llmservice/runtime/relay"
)

const (
	// maxFrame bounds one event, in bytes. A chunk may hold a whole image, as a whole answer may.
	maxFrame = MaxWhole
	// maxPreamble bounds what is kept back before the first content, in bytes.
	maxPreamble = 256 << 10
	// afterDone is how long an upstream may take to end its answer after the mark of the end. If it does so in time, the
	// connection is used again.
	afterDone = 100 * time.Millisecond
	// maxAfterDone bounds the rest of the answer, in bytes.
	maxAfterDone = 1 << 20
)

// Stream makes attempts until one yields content, and sends the events of that attempt to its end. The error is the
// relay.Failure of the last attempt. Events before the content are kept back and sent together with it: until then out has
// received nothing, and another attempt may follow. Observe, if set, is called at the end of every attempt.
func Stream(ctx context.Context, c Doer, next Next, out relay.Sender,
	observe func(upstream string, f relay.Failure),
) error {
	s := streaming{client: c, out: out}
	var failure relay.Failure
	for {
		attempt, final := next(ctx, failure)
		if attempt == nil {
			return final
		}
		failure = s.try(ctx, attempt)
		settled(ctx, attempt, failure, observe)
		switch {
		case failure.Kind == relay.NoFailure:
			return nil
		case s.handedOn, ctx.Err() != nil:
			return failure
		}
		s.pending, s.large = s.pending[:0], nil
	}
}

// streaming is what the attempts of one stream share.
type streaming struct {
	client   Doer
	out      relay.Sender
	pending  []byte // events not sent yet
	large    []byte // one that follows them, as it stands in its frame; may be nil
	handedOn bool   // out was given content, even if it did not take it
}

// try makes one attempt. It returns the zero failure if the stream is done.
func (s *streaming) try(ctx context.Context, a *Attempt) relay.Failure {
	defer a.Release()
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	silence := newSilence(a, cancel)
	defer silence.stop()
	answer, err := a.call(ctx, cancel, s.client)
	if err != nil {
		return relay.FailureOf(ctx, err, relay.FailedConnect)
	}
	defer func() { _ = answer.Body.Close() }() // only the reuse of the connection is lost
	if !successful(answer.Status) {
		return rejected(ctx, a, answer)
	}
	if err := refusesToStream(answer.Status, answer.Header); err != nil {
		return relay.Failure{Kind: relay.FailedMalformed, Err: err}
	}
	pump := &pump{streaming: s, tap: a.Tap, silence: silence, turn: a.Turn, memory: relay.Meter{Memory: memoryOf(a)}}
	defer pump.memory.Empty()
	failure := pump.run(ctx, answer.Body)
	if failure.Kind == relay.NoFailure {
		finish(answer.Body, cancel)
	}
	return failure
}

// finish reads the end of an answer whose events have all been sent, so that its connection can be used again.
func finish(body io.Reader, cancel context.CancelCauseFunc) {
	impatience := time.AfterFunc(afterDone, func() { cancel(nil) })
	defer impatience.Stop()
	_, _ = io.CopyN(io.Discard, body, maxAfterDone) // nobody needs to know how it ends
}
