package upstream

import (
	"sync"
	"sync/atomic"
)

// EndpointKey says whose endpoint it is: two upstreams at one URL, such as two models of a provider, are two.
type EndpointKey struct{ Upstream, URL string }

// Endpoint is one base URL of an upstream, with the calls that are open on it now and how they went. It outlives any
// config that names it.
type Endpoint struct {
	URL      string
	inFlight atomic.Int64
	health   health
}

// InFlight is the number of calls that are open on the endpoint.
func (e *Endpoint) InFlight() int64 { return e.inFlight.Load() }

// Endpoints keeps the state of endpoints across configs. The zero value is ready to use.
type Endpoints struct {
	mu    sync.Mutex
	known map[EndpointKey]*Endpoint
}

// Get returns the endpoint of an upstream, the same one for equal keys.
func (e *Endpoints) Get(key EndpointKey) *Endpoint {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.known == nil {
		e.known = map[EndpointKey]*Endpoint{}
	}
	endpoint, ok := e.known[key]
	if !ok {
		endpoint = &Endpoint{URL: key.URL}
		e.known[key] = endpoint
	}
	return endpoint
}

// Retain forgets the endpoints that are not named, so that a changing config cannot grow the memory. What is
// still open on a forgotten one ends undisturbed.
func (e *Endpoints) Retain(named map[EndpointKey]bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for key := range e.known {
		if !named[key] {
			delete(e.known, key)
		}
	}
}
