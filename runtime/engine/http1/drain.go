package http1

import (
	"context"
	"net"
	"time"

	"github.com/llmservice/llmservice/runtime/relay"
)

// drain follows the one contract: go on accepting for the delay while every answer asks for the connection's close, then
// only finish what is open, and at the deadline end what is left.
func (s *server) drain(l net.Listener, endRequests context.CancelCauseFunc) {
	s.draining.Store(true)
	<-time.After(s.options.DrainDelay)
	_ = l.Close()
	s.options.Places.Close()
	s.options.Places.Hurry(time.Now().Add(relay.LastWords))
	if !s.await(s.options.DrainTimeout) {
		endRequests(relay.Failure{Kind: relay.FailedDraining})
		if !s.await(relay.LastWords) {
			s.options.Logger.Warn("connections closed before their last event was sent")
		}
	}
	s.closeAll()
}

// await waits until no connection is open, and closes those without a request meanwhile. Connections that are open with nothing
// to wait for, such as those of clients that do not read the end of their answer, are given a while and no longer. It
// reports whether nothing is in flight.
func (s *server) await(within time.Duration) bool {
	began := time.Now()
	busy := began
	tick := time.NewTicker(drainPoll)
	defer tick.Stop()
	for open := s.closeWaiting(); open > 0; open = s.closeWaiting() {
		<-tick.C
		switch {
		case time.Since(began) > within:
			return false
		case s.exchanges.Load() > 0:
			busy = time.Now()
		case time.Since(busy) > relay.LastWords+time.Second: // which is longer than any body may still take
			return true
		}
	}
	return true
}

// closeWaiting closes the connections that wait for a request, and returns how many are left. The first request of a
// connection may be on its way.
func (s *server) closeWaiting() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range s.conns {
		if since, waits := c.Waits(); waits && (c.served.Load() || time.Since(since) > relay.LastWords) {
			_ = c.Close()
			delete(s.conns, c)
		}
	}
	return len(s.conns)
}

func (s *server) closeAll() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range s.conns {
		_ = c.Close()
	}
}
