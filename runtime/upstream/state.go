package upstream

import (
	"net/url"
	"time"
)

// State is the state of an upstream at one moment.
type State struct {
	InFlight, Waiting int
	// Ejections, Panics and Refusals count since the process began: endpoints that were left out, calls that were spread over
	// all endpoints because too few were left, and calls for which there was no room in time.
	Ejections, Panics, Refusals int64
	// Retries and RetriesRefused count the retries that were made, and those for which the budget had no room.
	Retries, RetriesRefused int64
	// Unkeyed counts the calls without a key, if the upstream spreads calls by keys.
	Unkeyed   int64
	Endpoints []EndpointState
}

// EndpointState is the state of an endpoint at one moment.
type EndpointState struct {
	// Host is the host in its URL, with the port if it has one.
	Host string
	// Address is the endpoint's address, if the host has several endpoints.
	Address   string
	Condition Condition
	InFlight  int
	// Until is the end of the pause, or of the slow start.
	Until time.Time
}

// Condition is which calls an endpoint gets.
type Condition string

// The conditions of an endpoint.
const (
	// Available means that it gets its share of the calls.
	Available Condition = "Available"
	// Ejected means that it is left out, because it failed.
	Ejected Condition = "Ejected"
	// Probed means that it was left out, and gets one call after the other until one has gone well.
	Probed Condition = "Probed"
	// SlowStarting means that it has recovered, and gets a part of its share.
	SlowStarting Condition = "SlowStarting"
)

// State returns the state of the upstream now.
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

// host is the name under which people know an endpoint, because a path may be long.
func host(raw string) string {
	u, err := url.Parse(raw)
	if err != nil {
		return ""
	}
	return u.Host
}

// Count returns the number of endpoints in a condition.
func (s *State) Count(c Condition) (n int) {
	for i := range s.Endpoints {
		if s.Endpoints[i].Condition == c {
			n++
		}
	}
	return n
}
