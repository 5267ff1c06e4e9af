// Package http1 is the engine behind relay's seam for HTTP/1.1: one goroutine serves a connection, from the request's first byte
// to the answer's last. It reads the requests that clients usually send. A connection with anything else on it goes to
// runtime/engine/nethttp, with the bytes that were read: what is rare, what has to be refused, and other protocols are read and
// answered by net/http.
package http1

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/llmservice/llmservice/runtime/engine/arrival"
	"github.com/llmservice/llmservice/runtime/engine/nethttp"
	"github.com/llmservice/llmservice/runtime/engine/places"
	"github.com/llmservice/llmservice/runtime/relay"
)

const (
	// drainPoll is how often a drain looks whether anything is in flight.
	drainPoll = 50 * time.Millisecond
	// The pause after connections could not be accepted, for want of files or memory.
	shortestPause = 5 * time.Millisecond
	longestPause  = time.Second
)

// Engine implements relay.Engine.
type Engine struct {
	options nethttp.Options
	rests   arrival.Rests
	dates   dates
}

var _ relay.Engine = (*Engine)(nil)

// New returns an engine.
func New(o nethttp.Options) *Engine {
	if o.Places == nil {
		o.Places = places.New(o.Connections)
	}
	return &Engine{options: o, rests: arrival.NewRests()}
}

// server is one call of Serve.
type server struct {
	*Engine

	policy   relay.Policy
	requests context.Context //nolint:containedctx // that of all requests, which ends before Serve does
	others   *handOver
	ways     ways
	draining atomic.Bool
	// exchanges is how many requests wait to be admitted, or are past the arrival of their bodies and not answered yet.
	exchanges atomic.Int64

	mu      sync.Mutex
	conns   map[*conn]struct{}
	serving sync.WaitGroup // of connections
}

// Serve implements relay.Engine.
func (e *Engine) Serve(ctx context.Context, l net.Listener, p relay.Policy) error {
	requests, endRequests := context.WithCancelCause(context.WithoutCancel(ctx))
	defer endRequests(nil)
	s := &server{Engine: e, policy: p, requests: requests, others: newHandOver(l.Addr()), conns: map[*conn]struct{}{}}

	// The engine of the others drains by itself, under the same contract.
	all, ctx := errgroup.WithContext(ctx)
	all.Go(func() error { return nethttp.New(e.options).Serve(ctx, s.others, p) })
	for range e.options.AcceptLoops {
		all.Go(func() error { return s.accept(ctx, l) })
	}
	all.Go(func() error {
		<-ctx.Done()
		s.drain(l, endRequests)
		return nil
	})
	err := all.Wait()
	s.serving.Wait()
	return errors.Join(err, s.ways.close())
}

// accept serves connections until the listener is closed, which is an error unless it is by a drain.
func (s *server) accept(ctx context.Context, l net.Listener) error {
	var pause time.Duration
	for {
		accepted, err := l.Accept()
		switch {
		case err == nil:
			pause = 0
			s.admit(accepted)
		case temporary(err):
			pause = min(max(2*pause, shortestPause), longestPause)
			<-time.After(pause)
		case ctx.Err() == nil:
			return fmt.Errorf("accept connections: %w", err)
		default:
			return nil // a drain has closed the listener
		}
	}
}

// temporary reports whether connections may be accepted later, as net/http asks it.
func temporary(err error) bool {
	t, ok := errors.AsType[interface {
		error
		Temporary() bool
	}](err)
	return ok && t.Temporary()
}

// admit waits for a connection's place, and begins to serve it.
func (s *server) admit(accepted net.Conn) {
	nethttp.LimitSendBuffer(accepted)
	c := s.newConn(accepted)
	if s.options.Places.Enter(c) != nil {
		_ = accepted.Close()
		return
	}
	s.mu.Lock()
	s.conns[c] = struct{}{}
	s.mu.Unlock()
	s.serving.Go(c.serve)
}

// forget removes a connection that is closed, or in other hands.
func (s *server) forget(c *conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.conns, c)
}
