// Package nethttp is the engine behind relay's seam that is built on the standard library's HTTP server.
package nethttp

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/llmservice/llmservice/runtime/engine/arrival"
	"github.com/llmservice/llmservice/runtime/engine/places"
	"github.com/llmservice/llmservice/runtime/relay"
)

// The bounds of a connection without a request.
const (
	// ReadHeaderTimeout bounds the arrival of a request's head.
	ReadHeaderTimeout = 10 * time.Second
	// IdleTimeout bounds the time in which nothing of a connection's next request arrives.
	IdleTimeout = 2 * time.Minute
	// MaxHeaderBytes bounds a request's head, in bytes.
	MaxHeaderBytes = 64 << 10
	// drainPoll is how often a drain looks whether anything is in flight.
	drainPoll = 50 * time.Millisecond
)

// Options are an engine's bounds. Every one is required, except for Places.
type Options struct {
	Logger *slog.Logger
	// AcceptLoops is how many goroutines accept connections.
	AcceptLoops int
	// Connections bounds the connections that are open at once; it may change.
	Connections func() int
	// Places are shared with other engines, and bound the connections of all; nil for places of the engine's own.
	Places *places.Places
	// BodyTimeout bounds the time in which nothing more of a request's body arrives.
	BodyTimeout time.Duration
	// WriteTimeout bounds the time in which a client reads nothing of what is sent to it.
	WriteTimeout time.Duration
	// ReplyTimeout bounds the time in which a whole answer is read. A stream has its own.
	ReplyTimeout time.Duration
	// DrainDelay is how long connections are still accepted after the drain began, so that everything that routes to
	// this replica can learn of it.
	DrainDelay time.Duration
	// DrainTimeout bounds the rest of the drain; what is open then ends with an error event.
	DrainTimeout time.Duration
}

// Engine implements relay.Engine.
type Engine struct {
	options  Options
	draining atomic.Bool
	// exchanges is how many requests wait to be admitted, or are past the arrival of their bodies and not answered yet.
	exchanges atomic.Int64
	rests     arrival.Rests
}

var _ relay.Engine = (*Engine)(nil)

// New returns an engine.
func New(o Options) *Engine { return &Engine{options: o, rests: arrival.NewRests()} }

// Serve implements relay.Engine.
func (e *Engine) Serve(ctx context.Context, l net.Listener, p relay.Policy) error {
	requests, endRequests := context.WithCancelCause(context.WithoutCancel(ctx))
	defer endRequests(nil)
	server := e.server(requests, p)
	limited := e.limit(l)

	var loops errgroup.Group
	failed := make(chan error, e.options.AcceptLoops)
	for range e.options.AcceptLoops {
		loops.Go(func() error {
			err := server.Serve(limited)
			if !errors.Is(err, http.ErrServerClosed) {
				failed <- err
			}
			return nil
		})
	}
	var err error
	select {
	case err = <-failed:
		err = fmt.Errorf("accept connections: %w", err)
	case <-ctx.Done():
		e.drain(context.WithoutCancel(ctx), server, limited, endRequests)
	}
	_ = server.Close() // everything worth an error has been shut down before
	_ = loops.Wait()
	return err
}

func (e *Engine) limit(l net.Listener) *listener {
	shared := e.options.Places
	if shared == nil {
		shared = places.New(e.options.Connections)
	}
	return &listener{Listener: l, places: shared, stall: e.options.WriteTimeout}
}

func (e *Engine) server(requests context.Context, p relay.Policy) *http.Server {
	var protocols http.Protocols
	protocols.SetHTTP1(true)
	return &http.Server{
		Handler:           &handler{engine: e, policy: p},
		BaseContext:       func(net.Listener) context.Context { return requests },
		ConnContext:       func(ctx context.Context, c net.Conn) context.Context { return context.WithValue(ctx, connKey{}, c) },
		ConnState:         noteState,
		ReadHeaderTimeout: ReadHeaderTimeout,
		IdleTimeout:       IdleTimeout,
		MaxHeaderBytes:    MaxHeaderBytes,
		Protocols:         &protocols,
		ErrorLog:          slog.NewLogLogger(e.options.Logger.Handler(), slog.LevelDebug),
		// OPTIONS * is a request like any other.
		DisableGeneralOptionsHandler: true,
	}
}

// noteState notes that a connection has no request any more.
func noteState(c net.Conn, s http.ConnState) {
	if c, ok := c.(*conn); ok && s == http.StateIdle {
		c.enter(idle)
	}
}

// drain follows the one contract: go on accepting for the delay while every answer asks for the connection's
// close, then only finish what is open, and at the deadline end what is left.
func (e *Engine) drain(ctx context.Context, server *http.Server, l *listener, endRequests context.CancelCauseFunc) {
	e.draining.Store(true)
	<-time.After(e.options.DrainDelay)
	l.places.Hurry(time.Now().Add(relay.LastWords))
	within, cancel := context.WithTimeout(ctx, e.options.DrainTimeout)
	defer cancel()
	if e.shutdown(within, server) == nil {
		return
	}
	endRequests(relay.Failure{Kind: relay.FailedDraining})
	within, cancel = context.WithTimeout(ctx, relay.LastWords)
	defer cancel()
	if err := server.Shutdown(within); err != nil {
		e.options.Logger.Warn("connections closed before their last event was sent", "error", err)
	}
}

// shutdown waits until no connection has a request any more. Connections that are open with nothing to wait for, such
// as those of clients that do not read the end of their answer, are given a while and no longer.
func (e *Engine) shutdown(ctx context.Context, server *http.Server) error {
	ctx, cancel := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() { ended <- server.Shutdown(ctx) }()
	defer cancel()
	tick := time.NewTicker(drainPoll)
	defer tick.Stop()
	busy := time.Now()
	for {
		select {
		case err := <-ended:
			return err
		case <-tick.C:
		}
		switch {
		case e.exchanges.Load() > 0:
			busy = time.Now()
		case time.Since(busy) > relay.LastWords+time.Second: // which is longer than any body may still take
			cancel()
			<-ended //nolint:errcheck // it says only that it was cancelled
			return nil
		}
	}
}
