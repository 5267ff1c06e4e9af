// Package enginetest holds an engine to its part of the contract of runtime/relay: what a client sees of a stream, of a
// refusal, of a wait, of a body, of a drain and of a fault, and what the policy sees of the client. It speaks HTTP/1.1 over
// connections in memory, in virtual time.
package enginetest

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/llmservice/llmservice/runtime/relay"
)

// Bounds are those of the engine that is tested.
type Bounds struct {
	// BodyTimeout bounds the time in which nothing more of a body arrives.
	BodyTimeout time.Duration
	// WriteTimeout bounds the time in which a client takes nothing of what is sent to it.
	WriteTimeout time.Duration
	// ReplyTimeout bounds the time in which a whole answer is read.
	ReplyTimeout time.Duration
	// DrainDelay is how long connections are accepted after a drain has begun.
	DrainDelay time.Duration
	// DrainTimeout bounds the rest of the drain.
	DrainTimeout time.Duration
}

var bounds = Bounds{
	BodyTimeout: 10 * time.Second, WriteTimeout: 30 * time.Second, ReplyTimeout: 5 * time.Minute,
	DrainDelay: 5 * time.Second, DrainTimeout: 10 * time.Minute,
}

// tidy is how long an engine may take for a connection or a drain that nobody waits for.
const tidy = 15 * time.Second

// New makes the engine that is tested.
type New func(b Bounds) relay.Engine

// check is one thing that an engine has to do.
type check struct {
	name string
	run  func(t *testing.T, s *stand)
}

// Run tests an engine.
func Run(t *testing.T, engine New) {
	t.Helper()
	for _, c := range slices.Concat(streamChecks(), admissionChecks(), bodyChecks(), clientChecks(), drainChecks(), panicChecks()) {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { c.run(t, &stand{t: t, engine: engine(bounds)}) })
		})
	}
}

// stand is an engine that is served by a script, and the way to it.
type stand struct {
	t        *testing.T
	engine   relay.Engine
	listener *Listener
	stop     context.CancelFunc
	ended    chan struct{}
}

// serve has the engine serve until the check ends.
func (s *stand) serve(p *script) {
	s.t.Helper()
	p.prepare(s.t)
	s.listener = Listen()
	s.ended = make(chan struct{})
	var ctx context.Context
	ctx, s.stop = context.WithCancel(context.WithoutCancel(s.t.Context()))
	go func() {
		defer close(s.ended)
		if err := s.engine.Serve(ctx, s.listener, p); err != nil {
			s.t.Errorf("Serve: %v", err)
		}
	}()
	s.t.Cleanup(func() {
		s.drain()
		if begun, released := p.begun.Load(), p.released.Load(); begun != released {
			s.t.Errorf("%d exchanges began, and %d were released", begun, released)
		}
		if more := len(p.outcomes); more > 0 {
			s.t.Errorf("%d outcomes more than were expected: %+v", more, <-p.outcomes)
		}
	})
}

// drain has the engine drain, and returns how long it took.
func (s *stand) drain() time.Duration {
	began := time.Now()
	s.stop()
	<-s.ended
	return time.Since(began)
}
