package nethttp

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/llmservice/llmservice/runtime/relay"
	"github.com/llmservice/llmservice/runtime/wire"
)

var (
	comment   = wire.AppendComment(nil, "keep-alive")
	errClosed = errors.New("the stream has ended")
	errBegun  = errors.New("the stream has begun")
)

// sink implements relay.Sink. What is written, is written whole: events of several goroutines and comments take turns.
type sink struct {
	out          *output
	started      time.Time
	untilContent *time.Timer
	fail         context.CancelCauseFunc

	mu           sync.Mutex
	closed       bool
	replied      bool
	content      bool // some was sent
	firstContent time.Duration
	broken       relay.Failure // why nothing can be sent any more
	alive        *keepAlive    // nil for none
}

// keepAlive sends a comment into each silence. Its timer is not reset by every event: when it fires it looks at how
// long the silence has lasted.
type keepAlive struct {
	after time.Duration
	last  time.Time // of the last write
	timer *time.Timer
	done  sync.WaitGroup // of the timer's goroutine
}

func newSink(out *output, stream *relay.Stream, started time.Time, fail context.CancelCauseFunc) *sink {
	s := &sink{out: out, started: started, fail: fail}
	s.untilContent = time.AfterFunc(stream.Timeout, func() { fail(relay.Failure{Kind: relay.FailedTimeout}) })
	if stream.KeepAlive > 0 {
		s.mu.Lock() // the timer may fire before it is stored
		defer s.mu.Unlock()
		s.alive = &keepAlive{after: stream.KeepAlive, last: time.Now()}
		s.alive.done.Add(1)
		s.alive.timer = time.AfterFunc(stream.KeepAlive, s.keepAlive)
	}
	return s
}

// Send implements relay.Sink.
func (s *sink) Send(events []byte, kind relay.Kind) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if kind != relay.Preamble && !s.content {
		if err := s.inTime(); err != nil {
			return err
		}
		s.content, s.firstContent = true, time.Since(s.started)
	}
	if err := s.write(events); err != nil {
		return err
	}
	if kind == relay.Done {
		s.closed, s.out.ended = true, true
	}
	return nil
}

// Reply implements relay.Sink.
func (s *sink) Reply(r *relay.Reply) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.out.status != 0 {
		return relay.Failure{Kind: relay.FailedPanic, Err: errBegun}
	}
	if err := s.inTime(); err != nil {
		return err
	}
	s.closed, s.replied = true, true
	s.out.reply(r)
	return nil
}

// inTime ends the wait for what the client asked for, unless it has lasted too long already.
func (s *sink) inTime() error {
	if err := s.usable(); err != nil {
		return err
	}
	if !s.untilContent.Stop() {
		s.broken = relay.Failure{Kind: relay.FailedTimeout}
		s.closed = true
	}
	return s.usable()
}

func (s *sink) usable() error {
	switch {
	case s.broken.Kind != relay.NoFailure:
		return s.broken
	case s.closed:
		return relay.Failure{Kind: relay.FailedPanic, Err: errClosed}
	}
	return nil
}

func (s *sink) write(events []byte) error {
	if err := s.usable(); err != nil {
		return err
	}
	if s.out.status == 0 {
		s.out.beginStream()
	}
	if err := s.out.send(events); err != nil {
		s.broken = relay.Failure{Kind: relay.FailedClient, Err: err}
		s.closed = true
		return s.broken
	}
	if s.alive != nil {
		s.alive.last = time.Now()
	}
	return nil
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
