package relay

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"time"

	"github.com/llmservice/llmservice/runtime/wire"
)

// LastWords is how long the error event of a stream that has reached its deadline may take to be written.
const LastWords = 5 * time.Second

// streamHeader is never changed.
var streamHeader = http.Header{
	"Content-Type":      {"text/event-stream"},
	"Cache-Control":     {"no-cache"},
	"X-Accel-Buffering": {"no"}, // nginx would collect events before it passes them on
}

// ErrBegun is why Reply fails once anything was sent.
var ErrBegun = errors.New("the stream has begun")

var (
	comment    = wire.AppendComment(nil, "keep-alive")
	errClosed  = errors.New("the stream has ended")
	errUnended = errors.New("the stream was left without its last event")
)

// sink implements Sink. What is written, is written whole: events of several goroutines and comments take turns.
type sink struct {
	*answering

	stream       *Stream
	started      time.Time // the request's decision
	ends         time.Time // the latest moment for the last event to be written
	untilContent *time.Timer
	late         Failure // what the stream fails with when untilContent fires
	fail         context.CancelCauseFunc

	mu           sync.Mutex
	closed       bool
	replied      bool
	content      bool // some was sent
	firstContent time.Duration
	broken       Failure    // why nothing can be sent any more
	alive        *keepAlive // nil for none
}

// keepAlive sends a comment into each silence. Its timer is not reset by every event: when it fires it looks at how
// long the silence has lasted.
type keepAlive struct {
	after time.Duration
	last  time.Time // of the last write
	timer *time.Timer
	done  sync.WaitGroup // of the timer's goroutine
}

// serveStream answers with a stream. It returns once the stream, and all that writes to it, has ended.
func (s *answering) serveStream(ctx context.Context, stream *Stream, started time.Time) Outcome {
	ctx, fail := context.WithCancelCause(ctx)
	defer fail(nil)
	over := time.AfterFunc(stream.MaxDuration, func() { fail(Failure{Kind: FailedDuration}) })
	defer over.Stop()
	out := newSink(s, stream, started, fail)
	defer out.close() // for a panic; then the error event has the connection to itself
	err := stream.Run(ctx, out)
	out.close()
	return out.end(err)
}

func newSink(answer *answering, stream *Stream, started time.Time, fail context.CancelCauseFunc) *sink {
	s := &sink{
		answering: answer, stream: stream, started: started, ends: time.Now().Add(stream.MaxDuration + LastWords), fail: fail,
		late: Failure{Kind: FailedTimeout},
	}
	if stream.MaxDuration <= stream.Timeout {
		s.late.Kind = FailedDuration
	}
	s.untilContent = time.AfterFunc(min(stream.Timeout, stream.MaxDuration), func() { fail(s.late) })
	if stream.KeepAlive > 0 {
		s.mu.Lock() // the timer may fire before it is stored
		defer s.mu.Unlock()
		s.alive = &keepAlive{after: stream.KeepAlive, last: time.Now()}
		s.alive.done.Add(1)
		s.alive.timer = time.AfterFunc(stream.KeepAlive, s.keepAlive)
	}
	return s
}

// Send implements Sink.
func (s *sink) Send(events []byte, kind EventKind) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if kind != Preamble && !s.content {
		if err := s.inTime(); err != nil {
			return err
		}
		s.content, s.firstContent = true, time.Since(s.started)
	}
	if err := s.write(events); err != nil {
		return err
	}
	if kind == Done {
		s.closed, s.ended = true, true
	}
	return nil
}

// Reply implements Sink.
func (s *sink) Reply(r *Reply) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.status != 0 {
		return Failure{Kind: FailedPanic, Err: ErrBegun}
	}
	if err := s.inTime(); err != nil {
		return err
	}
	s.closed, s.replied = true, true
	s.reply(r)
	return nil
}

// inTime ends the wait for what the client asked for, unless it has lasted too long already.
func (s *sink) inTime() error {
	if err := s.usable(); err != nil {
		return err
	}
	if !s.untilContent.Stop() {
		s.broken = s.late
		s.closed = true
	}
	return s.usable()
}

func (s *sink) usable() error {
	switch {
	case s.broken.Kind != NoFailure:
		return s.broken
	case s.closed:
		return Failure{Kind: FailedPanic, Err: errClosed}
	}
	return nil
}

func (s *sink) write(events []byte) error {
	if err := s.usable(); err != nil {
		return err
	}
	if err := s.send(events); err != nil {
		s.broken = Failure{Kind: FailedClient, Err: err}
		s.closed = true
		return s.broken
	}
	if s.alive != nil {
		s.alive.last = time.Now()
	}
	return nil
}

// send begins the answer if nothing was sent yet.
func (s *sink) send(events []byte) error {
	if s.status == 0 {
		s.status = http.StatusOK
		if err := s.conn.Begin(s.stream.head(), s.ends); err != nil {
			return err //nolint:wrapcheck // it becomes a Failure
		}
	}
	return s.conn.Send(events) //nolint:wrapcheck // likewise
}

// keepAlive is the timer's goroutine.
func (s *sink) keepAlive() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		s.alive.done.Done()
		return
	}
	if time.Since(s.alive.last) >= s.alive.after {
		if err := s.write(comment); err != nil {
			s.fail(err)
			s.alive.done.Done()
			return
		}
	}
	s.alive.timer.Reset(s.alive.after - time.Since(s.alive.last))
}

// close stops all that could still write, and waits for it.
func (s *sink) close() {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.untilContent.Stop()
	if s.alive == nil {
		return
	}
	if s.alive.timer.Stop() {
		s.alive.done.Done()
	}
	s.alive.done.Wait()
}

// end closes the answer in the one way that its state allows.
func (s *sink) end(err error) Outcome {
	switch {
	case s.broken.Kind != NoFailure:
		err = s.broken // no matter what the sender made of it
	case err == nil && !s.replied && !s.ended:
		err = Failure{Kind: FailedPanic, Err: errUnended}
	}
	outcome := Outcome{Result: StreamFailed, Err: err, FirstContent: s.firstContent}
	switch {
	case s.replied:
		outcome.Result = Replied
	case s.ended:
		outcome.Result = StreamDone
	case FailureKindOf(err) == FailedClient:
		outcome.Result = ClientLeft
	case s.status == 0:
		s.reply(s.stream.Refuse(err))
	default:
		if s.conn.Send(s.stream.Abort(err)) != nil {
			outcome.Result = ClientLeft
			break
		}
		s.ended = true
	}
	return outcome
}
