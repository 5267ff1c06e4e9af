package mockllm

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Options configure a [Server]. The zero value is a working one.
type Options struct {
	// Defaults is the script of requests that bring none. Tokens of 0 is 16.
	Defaults Script
	// APIKey is the Bearer token that /v1 requires; empty admits everyone.
	APIKey string
	// Models are listed, and any other is unknown; none lists "mock" and
	// answers to every name.
	Models []string
	// KeepRequests is how many requests the Recorder keeps; 0 is 256.
	KeepRequests int
}

// ErrorDetail stands in the message of every error object that a script
// causes, as real servers put names and paths there. What stands before a
// server must not show it to its own clients.
const ErrorDetail = "worker-7.internal:/srv/models"

// errClosed is the cause by which Close ends requests.
var errClosed = errors.New("mockllm: server closed")

// Server is the upstream, as an [http.Handler]. Its handlers end when their
// client goes, or at Close.
type Server struct {
	*Recorder
	mux      *http.ServeMux
	defaults Script
	apiKey   string
	models   []string
	meetings meetings
	serial   atomic.Int64

	mu       sync.Mutex
	failures []failure
	cancels  map[*context.CancelCauseFunc]struct{}
	closed   bool
	handlers sync.WaitGroup
}

// failure is a script that the next left requests get.
type failure struct {
	left   int
	script Script
}

// New returns a server. It panics on defaults that no script may have, since
// they are the caller's own.
func New(o Options) *Server {
	if o.Defaults.Tokens == 0 {
		o.Defaults.Tokens = defaultTokens
	}
	if o.KeepRequests == 0 {
		o.KeepRequests = 256
	}
	mustBeValid(o.Defaults)
	s := &Server{
		Recorder: &Recorder{keep: o.KeepRequests},
		mux:      http.NewServeMux(),
		defaults: o.Defaults,
		apiKey:   o.APIKey,
		models:   slices.Clone(o.Models),
		cancels:  map[*context.CancelCauseFunc]struct{}{},
	}
	s.mux.HandleFunc("POST /v1/chat/completions", s.authorized(s.scripted(s.planChat)))
	s.mux.HandleFunc("POST /v1/completions", s.authorized(s.scripted(s.planCompletions)))
	s.mux.HandleFunc("POST /v1/responses", s.authorized(s.scripted(s.planResponses)))
	s.mux.HandleFunc("POST /v1/embeddings", s.authorized(s.scripted(s.planEmbeddings)))
	s.mux.HandleFunc("GET /v1/models", s.authorized(s.listModels))
	s.mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") })
	s.mux.HandleFunc("GET /_mock/stats", s.showStats)
	s.routeService()
	s.mux.HandleFunc(meetPath+"/{n}/", s.meet)
	return s
}

func (s *Server) showStats(w http.ResponseWriter, r *http.Request) {
	if path := r.URL.Query().Get("path"); path != "" {
		writeJSON(w, http.StatusOK, s.StatsOf(path))
		return
	}
	writeJSON(w, http.StatusOK, s.Stats())
}

func mustBeValid(script Script) {
	if err := script.Validate(); err != nil {
		panic("mockllm: " + err.Error())
	}
}

// ServeHTTP implements [http.Handler].
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.mux.ServeHTTP(w, r) }

// FailNext lets the next n requests of /v1 follow script, whatever script they
// bring themselves. Further calls queue up behind. It panics on a script that
// is not valid.
func (s *Server) FailNext(n int, script Script) {
	mustBeValid(script)
	if script.Tokens == 0 {
		script.Tokens = s.defaults.Tokens
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.failures = append(s.failures, failure{left: n, script: script})
}

func (s *Server) nextFailure() (Script, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(s.failures) > 0 && s.failures[0].left <= 0 {
		s.failures = s.failures[1:]
	}
	if len(s.failures) == 0 {
		return Script{}, false
	}
	s.failures[0].left--
	return s.failures[0].script, true
}

// Close ends every open request by closing its connection, waits for their
// handlers, and answers later requests with 503. It is to come before an
// http.Server's Shutdown, or httptest's Close, if requests may hang.
func (s *Server) Close() {
	s.mu.Lock()
	s.closed = true
	for cancel := range s.cancels {
		(*cancel)(errClosed)
	}
	s.mu.Unlock()
	s.handlers.Wait()
}

// enter registers a handler with Close. The returned context ends with the
// client, or with Close; leave is called when the handler is done with it.
func (s *Server) enter(client context.Context, w http.ResponseWriter) (ctx context.Context, leave func(), ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, nil, false
	}
	ctx, cancel := context.WithCancelCause(client)
	s.cancels[&cancel] = struct{}{}
	s.handlers.Add(1)
	unhook := breakConnection(ctx, http.NewResponseController(w))
	return ctx, func() {
		defer s.handlers.Done()
		unhook()
		cancel(nil)
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.cancels, &cancel)
	}, true
}

// breakConnection frees a handler that is stuck in a Read or Write, because
// its peer is, once ctx ends. The response writer is the handler's, so unhook
// waits for a call that has begun.
func breakConnection(ctx context.Context, rc *http.ResponseController) (unhook func()) {
	done := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(done)
		past := time.Unix(1, 0)
		// Writers without deadlines, as in httptest, do not get stuck either.
		_ = rc.SetReadDeadline(past)
		_ = rc.SetWriteDeadline(past)
	})
	return func() {
		if !stop() {
			<-done
		}
	}
}

func (s *Server) authorized(next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		key, _ := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
		if s.apiKey != "" && key != s.apiKey {
			s.reject(w, r, refusal{http.StatusUnauthorized, "invalid_api_key", "Incorrect API key provided: " + masked(key) + "."})
			return
		}
		next(w, r)
	}
}

// masked shows as much of a key as real servers do in this place.
func masked(key string) string {
	const head, tail = 8, 4
	if len(key) <= head+tail {
		return key
	}
	return key[:head] + strings.Repeat("*", len(key)-head-tail) + key[len(key)-tail:]
}

func (s *Server) listModels(w http.ResponseWriter, _ *http.Request) {
	type model struct {
		ID      string `json:"id"`
		Object  string `json:"object"`
		Created int64  `json:"created"`
		OwnedBy string `json:"owned_by"`
	}
	list := struct {
		Object string  `json:"object"`
		Data   []model `json:"data"`
	}{Object: "list"}
	for _, id := range s.modelNames() {
		list.Data = append(list.Data, model{ID: id, Object: "model", Created: 1, OwnedBy: "mockllm"})
	}
	writeJSON(w, http.StatusOK, list)
}

func (s *Server) modelNames() []string {
	if len(s.models) == 0 {
		return []string{"mock"}
	}
	return s.models
}

// reject answers a request that never gets as far as a script.
func (s *Server) reject(w http.ResponseWriter, r *http.Request, why refusal) {
	s.rejected(r.URL.Path)
	writeJSON(w, why.status, newErrorObject(why.status, why.code, why.message))
}

// errorObject is the body of OpenAI's errors.
type errorObject struct {
	Error struct {
		Message string  `json:"message"`
		Type    string  `json:"type"`
		Param   *string `json:"param"`
		Code    string  `json:"code"`
	} `json:"error"`
}

func newErrorObject(status int, code, message string) errorObject {
	var e errorObject
	e.Error.Message, e.Error.Code = message, code
	e.Error.Type = "invalid_request_error"
	if status >= http.StatusInternalServerError {
		e.Error.Type = "server_error"
	}
	return e
}

func writeJSON(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body) //nolint:errchkjson // Fails only if the client has gone.
}
