package upstream

import (
	"context"
	"sync"
	"time"

	"github.com/llmservice/llmservice/runtime/relay"
)

// silence ends an attempt that is silent for too long: before its first content, and then between two events. It does not count
// while the client is being written to, because then only the client can be slow. Events come often and end no silence that
// matters, so the timer is not set again by each: when it fires, it looks at how long the silence has lasted.
type silence struct {
	idle  time.Duration
	end   context.CancelCauseFunc
	began bool // content has come

	mu      sync.Mutex
	timer   *time.Timer
	since   time.Time // when the silence between two events began; zero while there is none
	fired   bool      // the timer has fired when there was none
	stopped bool
}

func newSilence(a *Attempt, end context.CancelCauseFunc) *silence {
	s := &silence{idle: a.Idle, end: end}
	s.timer = time.AfterFunc(a.FirstToken, func() { end(relay.Failure{Kind: relay.FailedFirstToken}) })
	return s
}

func (s *silence) stop() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stopped = true
	s.timer.Stop()
}

// pause returns false if the wait for the first content has lasted too long already.
func (s *silence) pause() bool {
	if !s.began {
		return s.timer.Stop()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.since = time.Time{}
	return true
}

// broken restarts the wait once content has come; events before the content do not extend the wait for it.
func (s *silence) broken(content bool) {
	if !content {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.since = time.Now()
	switch {
	case !s.began:
		s.began = true
		s.timer = time.AfterFunc(s.idle, s.look)
	case s.fired:
		s.fired = false
		s.timer.Reset(s.idle)
	}
}

// look is the timer's goroutine.
func (s *silence) look() {
	s.mu.Lock()
	defer s.mu.Unlock()
	left := s.idle - time.Since(s.since)
	switch {
	case s.stopped:
	case s.since.IsZero():
		s.fired = true
	case left > 0:
		s.timer.Reset(left)
	default:
		s.end(relay.Failure{Kind: relay.FailedIdle})
	}
}
