package upstream

import (
	"net/url"
	"time"
)

// State is how an upstream is at a moment.
type State struct {
	InFlight, Waiting int
	// Ejections, Panics and Refusals count since the process began: endpoints that were left out, calls that were spread over
	// all endpoints because too few were left, and calls for which there was no room in time.
	Ejections, Panics, Refusals int64
	// Retries and RetriesRefused count the retries that were made, and those for which the budget had no room.
	Retries, RetriesRefused int64
	// Unkeyed counts the calls that had no key, of an upstream that spreads calls by keys.
	Unkeyed   int64
	Endpoints []EndpointState
}

// EndpointState is how an endpoint is at a moment.
type EndpointState struct {
	// Host is what its URL names, with the port if it has one.
	Host string
	// Address is that of the endpoint, where the host has several endpoints.
	Address   string
	Condition Condition
	InFlight  int
	// Until is the end of the pause, or of the slow start.
	Until time.Time
}

// Condition says which calls an endpoint gets.
type Condition string

// The conditions of an endpoint.
const (
	// Available has its share of the calls.
	Available Condition = "Available"
	// Ejected is left out, because it failed.
	Ejected Condition = "Ejected"
	// Probed was left out, and gets one call after the other until one has gone well.
	Probed Condition = "Probed"
	// SlowStarting is well again, and has a part of its share.
	SlowStarting Condition = "SlowStarting"
)

// State is how the upstream is now.
func (u *Upstream) State() State {
	b, now := &u.balancer, time.Now()
	b.pool.mu.Lock()
	defer b.pool.mu.Unlock()
	s := State{
		InFlight: b.pool.inFlight, Waiting: b.pool.waiting.Len(),
		Ejections: b.pool.ejections, Panics: b.pool.panics, Refusals: b.pool.refusals,
		Retries: b.pool.retriesMade, RetriesRefused: b.pool.retriesRefused, Unkeyed: b.pool.unkeyed,
	}
	for _, m := range b.set.Members() {
		s.Endpoints = append(s.Endpoints, m.state(now, b.slowStart))
	}
	return s
}

func (e *Endpoint) state(now time.Time, slowStart time.Duration) EndpointState {
	s := EndpointState{Host: host(e.URL), Condition: Available, InFlight: e.inFlight}
	if e.Address.IsValid() {
		s.Address = e.Address.String()
	}
	h := &e.health
	switch {
	case h.ejected() && !h.trying && now.Before(h.until):
		s.Condition, s.Until = Ejected, h.until
	case h.ejected():
		s.Condition = Probed
	case now.Sub(h.back) < slowStart:
		s.Condition, s.Until = SlowStarting, h.back.Add(slowStart)
	}
	return s
}

// host is what people know an endpoint by: a path may be long.
func host(raw string) string {
	u, err := url.Parse(raw)
	if err != nil {
		return ""
	}
	return u.Host
}

// Count is how many of the endpoints are in a condition.
func (s *State) Count(c Condition) (n int) {
	for i := range s.Endpoints {
		if s.Endpoints[i].Condition == c {
			n++
		}
	}
	return n
}
