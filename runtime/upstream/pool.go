package upstream

import (
	"sync"
	"sync/atomic"
)

// Endpoint is one base URL, with the calls that are open on it now. It outlives any config that names it.
type Endpoint struct {
	URL      string
	inFlight atomic.Int64
}

// InFlight is the number of calls that are open on the endpoint.
func (e *Endpoint) InFlight() int64 { return e.inFlight.Load() }

// Endpoints keeps the state of endpoints by URL across configs. The zero value is ready to use.
type Endpoints struct {
	mu    sync.Mutex
	byURL map[string]*Endpoint
}

// Get returns the endpoint of the URL, the same one for equal URLs.
func (e *Endpoints) Get(url string) *Endpoint {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.byURL == nil {
		e.byURL = map[string]*Endpoint{}
	}
	endpoint, ok := e.byURL[url]
	if !ok {
		endpoint = &Endpoint{URL: url}
		e.byURL[url] = endpoint
	}
	return endpoint
}

// Retain forgets the endpoints that are not named, so that a changing config cannot grow the memory. What is
// still open on a forgotten one ends undisturbed.
func (e *Endpoints) Retain(urls map[string]bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for url := range e.byURL {
		if !urls[url] {
			delete(e.byURL, url)
		}
	}
}
