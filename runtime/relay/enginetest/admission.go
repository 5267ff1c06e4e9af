package enginetest

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/llmservice/llmservice/runtime/relay"
)

func admissionChecks() []check {
	return []check{
		{"admission: a refusal needs no body", refusedBeforeTheBody},
		{"admission: a refusal is seen by a client that sends first", refusedAfterSending},
		{"admission: a request waits, and its body follows", waits},
		{"admission: a wait has an end", waitsTooLong},
		{"admission: a client that leaves ends the wait", leavesWaiting},
		{"admission: a drain waits for those that wait", drainsWaiting},
	}
}

func refusing() *script {
	p := replying()
	p.admit = func(context.Context) *relay.Reply { return answer(http.StatusTooManyRequests) }
	return p
}

func refusedBeforeTheBody(t *testing.T, s *stand) {
	t.Helper()
	s.serve(refusing())
	var all sync.WaitGroup
	defer all.Wait()
	for _, head := range []string{
		get, missing, "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n",
		"POST / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 9\r\n\r\n",
	} {
		for range 5 {
			conn := s.dial(strings.Replace(head, "\r\n", "\r\nConnection: close\r\n", 1))
			all.Go(func() {
				if text := rest(t, conn, tidy); !strings.HasPrefix(text, "HTTP/1.1 429") || !strings.HasSuffix(text, "reply\n") {
					t.Errorf("after %q: %q", head, text)
				}
			})
		}
	}
}

func refusedAfterSending(t *testing.T, s *stand) {
	t.Helper()
	s.serve(refusing())
	for _, request := range []string{post(strings.Repeat("x", 100<<10)), chunked(strings.Repeat("x", 100<<10))} {
		if got := read(t, s.dialAfter(request)); got.status != http.StatusTooManyRequests || got.cut {
			t.Errorf("%+v", got)
		}
	}
}

// waiting is a script whose requests wait for the duration, or their context.
func waiting(patience, wait time.Duration, ended func(error)) *script {
	p := replying()
	p.patience = patience
	p.admit = func(ctx context.Context) *relay.Reply {
		select {
		case <-time.After(wait):
			return nil
		case <-ctx.Done():
			ended(context.Cause(ctx))
			return answer(http.StatusTooManyRequests)
		}
	}
	return p
}

func waits(t *testing.T, s *stand) {
	t.Helper()
	p := waiting(time.Minute, 20*time.Second, func(err error) { t.Errorf("the wait ended with %v", err) })
	s.serve(p)
	for _, request := range []string{post("abc"), chunked("abc"), get} {
		conn := s.dial(request)
		if got := read(t, conn); got.status != http.StatusOK || (got.text() == "abc") != (request != get) {
			t.Errorf("%+v", got)
		}
		p.wants(t, relay.Replied, relay.NoFailure)
	}
	// The body comes in the middle of the wait, and after it.
	for _, pause := range []time.Duration{5 * time.Second, 25 * time.Second} {
		conn := s.dial("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\n")
		<-time.After(pause)
		send(conn, "abc")
		if got := read(t, conn); got.status != http.StatusOK || got.text() != "abc" {
			t.Errorf("with a body after %s: %+v", pause, got)
		}
		p.wants(t, relay.Replied, relay.NoFailure)
	}
}

func waitsTooLong(t *testing.T, s *stand) {
	t.Helper()
	causes := make(chan error, many)
	s.serve(waiting(20*time.Second, time.Hour, func(err error) { causes <- err }))
	for _, request := range []string{get, post("abc"), missing} {
		began := time.Now()
		if got := read(t, s.dial(request)); got.status != http.StatusTooManyRequests {
			t.Errorf("%+v", got)
		}
		if f, _ := errors.AsType[relay.Failure](<-causes); f.Kind != relay.FailedTimeout {
			t.Errorf("the wait ended with %v", f)
		}
		if waited := time.Since(began); waited < 20*time.Second || waited > 20*time.Second+tidy {
			t.Errorf("waited for %s", waited)
		}
	}
}

func leavesWaiting(t *testing.T, s *stand) {
	t.Helper()
	causes := make(chan error, many)
	s.serve(waiting(time.Hour, 2*time.Hour, func(err error) { causes <- err }))
	for _, request := range []string{get, post("abc"), missing} {
		conn := s.dial(request)
		<-time.After(20 * time.Second)
		_ = conn.Close()
		left := time.Now()
		if f, failed := errors.AsType[relay.Failure](<-causes); failed || time.Since(left) > time.Second {
			t.Errorf("after %q: the wait ended %s after the client had left, with %v", request, time.Since(left), f)
		}
	}
}

func drainsWaiting(t *testing.T, s *stand) {
	t.Helper()
	p := waiting(5*time.Minute, time.Minute, func(err error) { t.Errorf("the wait ended with %v", err) })
	s.serve(p)
	conns := []string{get, post("abc")}
	var all sync.WaitGroup
	for _, request := range conns {
		conn := s.dial(request)
		all.Go(func() {
			if got := read(t, conn); got.status != http.StatusOK || got.cut {
				t.Errorf("%+v", got)
			}
		})
	}
	<-time.After(time.Second)
	s.drain()
	all.Wait()
	for range conns {
		p.wants(t, relay.Replied, relay.NoFailure)
	}
}
