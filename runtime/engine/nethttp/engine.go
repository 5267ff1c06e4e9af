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

	"github.com/llmservice/llmservice/runtime/relay"
)

const (
	readHeaderTimeout = 10 * time.Second
	idleTimeout       = 2 * time.Minute
	maxHeaderBytes    = 64 << 10
	// lastWords is how long the error events of a drain's deadline may take to be written.
	lastWords = 5 * time.Second
)

// Options are an engine's bounds. Every one is required.
type Options struct {
	Client relay.Client
	Logger *slog.Logger
	// AcceptLoops is how many goroutines accept connections.
	AcceptLoops int
	// BodyLimit bounds a request's body, in bytes.
	BodyLimit int64
	// BodyTimeout bounds the time in which a request's body must arrive.
	BodyTimeout time.Duration
	// WriteTimeout bounds each write: a client that reads nothing for so long is left.
	WriteTimeout time.Duration
	// DrainDelay is how long connections are still accepted after the drain began, so that whoever routes to
	// this replica can learn of it.
	DrainDelay time.Duration
	// DrainTimeout bounds the rest of the drain; what is open then ends with an error event.
	DrainTimeout time.Duration
}

// Engine implements relay.Engine.
type Engine struct {
	options  Options
	draining atomic.Bool
}

var _ relay.Engine = (*Engine)(nil)

// New returns an engine.
func New(o Options) *Engine { return &Engine{options: o} }

// Serve implements relay.Engine.
func (e *Engine) Serve(ctx context.Context, l net.Listener, p relay.Policy) error {
	requests, endRequests := context.WithCancelCause(context.WithoutCancel(ctx))
	defer endRequests(nil)
	server := e.server(requests, p)

	var loops errgroup.Group
	failed := make(chan error, e.options.AcceptLoops)
	for range e.options.AcceptLoops {
		loops.Go(func() error {
			err := server.Serve(l)
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
		e.drain(context.WithoutCancel(ctx), server, endRequests)
	}
	_ = server.Close() // everything worth an error has been shut down before
	_ = loops.Wait()
	return err
}

func (e *Engine) server(requests context.Context, p relay.Policy) *http.Server {
	var protocols http.Protocols
	protocols.SetHTTP1(true)
	return &http.Server{
		Handler:           &handler{engine: e, policy: p},
		BaseContext:       func(net.Listener) context.Context { return requests },
		ReadHeaderTimeout: readHeaderTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeaderBytes,
		Protocols:         &protocols,
		ErrorLog:          slog.NewLogLogger(e.options.Logger.Handler(), slog.LevelDebug),
		// OPTIONS * is a request like any other.
		DisableGeneralOptionsHandler: true,
	}
}

// drain follows the one contract: go on accepting for the delay while every answer asks for the connection's
// close, then only finish what is open, and at the deadline end what is left.
func (e *Engine) drain(ctx context.Context, server *http.Server, endRequests context.CancelCauseFunc) {
	e.draining.Store(true)
	<-time.After(e.options.DrainDelay)
	within, cancel := context.WithTimeout(ctx, e.options.DrainTimeout)
	defer cancel()
	if server.Shutdown(within) == nil {
		return
	}
	endRequests(relay.Failure{Kind: relay.FailedDraining})
	within, cancel = context.WithTimeout(ctx, lastWords)
	defer cancel()
	if err := server.Shutdown(within); err != nil {
		e.options.Logger.Warn("connections closed without their last words", "error", err)
	}
}
