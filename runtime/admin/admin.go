// Package admin serves probes, status and metrics of a gateway process on a separate listener.
package admin

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/llmservice/llmservice/runtime/config/report"
)

const (
	readTimeout = 10 * time.Second
	// writeTimeout bounds an answer from the request's head to the last byte.
	writeTimeout = 30 * time.Second
	// profileTimeout is the write timeout where profiles, which take as long as they are asked to, are served.
	profileTimeout = 2 * time.Minute
	idleTimeout    = 2 * time.Minute
	maxHeaderBytes = 16 << 10
	// shutdownTimeout is how long answers that have begun may take once the server is to stop.
	shutdownTimeout = 5 * time.Second
	// gatherTimeout leaves a scrape time to be answered after it: Prometheus waits 10 s by default.
	gatherTimeout = 8 * time.Second
)

// Options are the sources of what the listener serves. All but Profiling are required.
type Options struct {
	// Status returns the gateway's status, served at report.StatusPath: with its names to clients within the pod, without to others.
	Status func() report.Status
	// Ready returns the reason why the gateway should not be sent requests; nil if it should.
	Ready    func() error
	Registry *prometheus.Registry
	Logger   *slog.Logger
	// Profiling serves package pprof's profiles below /debug/pprof/. They reveal the process's memory, so they are
	// off by default.
	Profiling bool
}

// Server is an admin listener's server.
type Server struct {
	options Options
	handler http.Handler
}

// New returns a server.
func New(o Options) *Server {
	s := &Server{options: o}
	errorLog := slog.NewLogLogger(o.Logger.Handler(), slog.LevelWarn)
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+report.LivePath, live)
	mux.HandleFunc("GET "+report.ReadyPath, s.ready)
	mux.HandleFunc("GET "+report.StatusPath, s.status)
	mux.Handle("GET "+report.MetricsPath, promhttp.HandlerFor(o.Registry, promhttp.HandlerOpts{
		ErrorLog: errorLog, EnableOpenMetrics: true, CoalesceGather: true, Timeout: gatherTimeout,
	}))
	if o.Profiling {
		addProfiles(mux)
	}
	s.handler = mux
	return s
}

// Serve answers on l until ctx ends; then it lets answers that have begun end, for a few seconds at most, and returns
// nil. Any other end is an error. It closes l.
func (s *Server) Serve(ctx context.Context, l net.Listener) error {
	server := s.server()
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(l) }()
	select {
	case err := <-ended:
		return fmt.Errorf("serve the admin listener: %w", errors.Join(err, server.Close()))
	case <-ctx.Done():
	}
	within, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownTimeout)
	defer cancel()
	err := server.Shutdown(within)
	if err != nil {
		err = server.Close() // a client that reads so slowly does not get the rest
	}
	if served := <-ended; !errors.Is(served, http.ErrServerClosed) {
		err = errors.Join(err, served)
	}
	if err != nil {
		return fmt.Errorf("close the admin listener: %w", err)
	}
	return nil
}

func (s *Server) server() *http.Server {
	var protocols http.Protocols
	protocols.SetHTTP1(true)
	server := &http.Server{
		Handler:           s.handler,
		ReadHeaderTimeout: readTimeout,
		ReadTimeout:       readTimeout,
		WriteTimeout:      writeTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeaderBytes,
		Protocols:         &protocols,
		ErrorLog:          slog.NewLogLogger(s.options.Logger.Handler(), slog.LevelDebug),
		// OPTIONS * is a request like any other.
		DisableGeneralOptionsHandler: true,
	}
	if s.options.Profiling {
		server.WriteTimeout = profileTimeout
	}
	return server
}

func live(w http.ResponseWriter, _ *http.Request) { answer(w, http.StatusOK, "ok") }

func (s *Server) ready(w http.ResponseWriter, _ *http.Request) {
	if err := s.options.Ready(); err != nil {
		// One line: the kubelet puts it into an event.
		answer(w, http.StatusServiceUnavailable, strings.ReplaceAll(err.Error(), "\n", "; "))
		return
	}
	answer(w, http.StatusOK, "ok")
}

func (s *Server) status(w http.ResponseWriter, r *http.Request) {
	status := s.options.Status()
	if !fromWithin(r) {
		status = status.Unnamed()
	}
	encoded, err := json.Marshal(&status)
	if err != nil {
		s.options.Logger.Error("encode the status", "error", err)
		answer(w, http.StatusInternalServerError, "the status cannot be encoded")
		return
	}
	begin(w, http.StatusOK, "application/json")
	_, _ = w.Write(encoded) // the client may have left
}

func answer(w http.ResponseWriter, status int, line string) {
	begin(w, status, "text/plain; charset=utf-8")
	_, _ = io.WriteString(w, line+"\n")
}

// begin sends the head of an answer, which holds for a moment only.
func begin(w http.ResponseWriter, status int, media string) {
	header := w.Header()
	header.Set("Content-Type", media)
	header.Set("Cache-Control", "no-store")
	header.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
}
