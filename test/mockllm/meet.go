package mockllm

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
)

// meetPath is the prefix under which requests wait for one another.
const meetPath = "/meet"

// maxMeeting bounds how many requests may wait for one another.
const maxMeeting = 64

// meetings are those that have not come together yet, by their size.
type meetings struct {
	mu      sync.Mutex
	waiting map[int]*meeting
}

type meeting struct {
	come     int
	complete chan struct{}
}

// join waits until as many have joined as the meeting has room for. Then the next meeting begins.
func (m *meetings) join(ctx context.Context, size int) error {
	m.mu.Lock()
	if m.waiting == nil {
		m.waiting = map[int]*meeting{}
	}
	own := m.waiting[size]
	if own == nil {
		own = &meeting{complete: make(chan struct{})}
		m.waiting[size] = own
	}
	own.come++
	if own.come == size {
		delete(m.waiting, size)
		close(own.complete)
	}
	m.mu.Unlock()
	select {
	case <-own.complete:
		return nil
	case <-ctx.Done():
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	own.come-- // of no consequence where the meeting has come together meanwhile
	return context.Cause(ctx)
}

// meet answers as without its prefix, once enough requests have come with it.
func (s *Server) meet(w http.ResponseWriter, r *http.Request) {
	size, err := strconv.Atoi(r.PathValue("n"))
	if err != nil || size < 1 || size > maxMeeting {
		s.reject(w, r, refusal{http.StatusBadRequest, "invalid_meeting", fmt.Sprintf("A meeting has from 1 to %d requests.", maxMeeting)})
		return
	}
	inner, wrong := s.awaitMeeting(w, r, size)
	if wrong != nil {
		s.reject(w, r, *wrong)
		return
	}
	s.mux.ServeHTTP(w, inner)
}

// awaitMeeting reads the body first: the server notices only then that a client goes.
func (s *Server) awaitMeeting(w http.ResponseWriter, r *http.Request, size int) (*http.Request, *refusal) {
	ctx, leave, ok := s.enter(r.Context(), w)
	if !ok {
		return nil, &refusal{http.StatusServiceUnavailable, "closed", errClosed.Error()}
	}
	defer leave()
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		return nil, &refusal{http.StatusBadRequest, "unreadable_body", "The body could not be read."}
	}
	if err := s.meetings.join(ctx, size); err != nil {
		return nil, &refusal{http.StatusServiceUnavailable, "not_met", "The other requests have not come."}
	}
	inner := r.Clone(r.Context())
	inner.Body = io.NopCloser(bytes.NewReader(body))
	inner.URL = &url.URL{Path: strings.TrimPrefix(r.URL.Path, fmt.Sprintf("%s/%d", meetPath, size)), RawQuery: r.URL.RawQuery}
	return inner, nil
}
