package upstream

import (
	"container/list"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/llmservice/llmservice/runtime/resolve"
)

// EndpointKey identifies an endpoint. Two upstreams with one URL, such as two models of a provider, have two endpoints.
type EndpointKey struct{ Upstream, URL string }

// Endpoint is one base URL of an upstream, or one address of its host, with its open calls and its health. It outlives the
// configs that name it. The pool's lock guards everything but the URL, the address and the place.
type Endpoint struct {
	URL string
	// Address, if valid, is where connections are made to; otherwise the host's name is resolved for each.
	Address  netip.Addr
	name     *resolve.Name // nil if the addresses of the host are not followed
	inFlight int
	// turns is how close the endpoint is to its next turn, in smooth weighted round-robin.
	turns  float64
	hash   uint64 // of the endpoint's name; 0 until it is first needed
	health health
	placed atomic.Pointer[placed] // nil until it is first needed
}

// Pool is the state of one upstream, in whichever config it is: the open calls, the waiting calls, and the endpoints. The zero
// value is ready to use.
type Pool struct {
	mu       sync.Mutex
	known    map[poolKey]*Endpoint
	inFlight int
	waiting  list.List // of *waiter, in the order of arrival
	// These count since the process began: endpoints that were ejected, calls that were spread over all endpoints because too
	// few were left, and calls that found no room in time.
	ejections, panics, refusals int64
	unkeyed                     int64 // calls without a key, if the upstream spreads them by keys
	// retries are the open calls that follow one that failed, and retrying those that wait until the budget allows them.
	retries  int
	retrying list.List // of retrying, in the order of arrival
	// These count since the process began: the retries that were made, and those that the budget did not allow in time.
	retriesMade, retriesRefused int64
	room                        []candidate // candidates of one choice; the memory is used again by the next
}

// poolKey identifies an endpoint of the pool: by its URL, or by an address of the URL's host.
type poolKey struct {
	url     string
	address netip.Addr
}

// Pools keeps the state of upstreams across configs. The zero value is ready to use.
type Pools struct {
	mu    sync.Mutex
	pools map[string]*Pool
}

// Pool returns the state of an upstream; equal names have the same one.
func (s *Pools) Pool(upstream string) *Pool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.pools == nil {
		s.pools = map[string]*Pool{}
	}
	pool, ok := s.pools[upstream]
	if !ok {
		pool = &Pool{}
		s.pools[upstream] = pool
	}
	return pool
}

// Get returns the endpoint of an upstream; equal keys have the same one.
func (s *Pools) Get(key EndpointKey) *Endpoint { return s.Pool(key.Upstream).Endpoint(key.URL) }

// Endpoint returns the endpoint at a URL; equal URLs have the same one.
func (p *Pool) Endpoint(url string) *Endpoint {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.endpoint(poolKey{url: url})
}

func (p *Pool) endpoint(at poolKey) *Endpoint {
	if p.known == nil {
		p.known = map[poolKey]*Endpoint{}
	}
	endpoint, ok := p.known[at]
	if !ok {
		endpoint = &Endpoint{URL: at.url, Address: at.address}
		p.known[at] = endpoint
	}
	return endpoint
}

// Retain forgets the endpoints that are not named, and the upstreams without endpoints, so that a changing config cannot grow
// the memory. Open calls of a forgotten endpoint end undisturbed.
func (s *Pools) Retain(named map[EndpointKey]bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for name, pool := range s.pools {
		if pool.retain(func(url string) bool { return named[EndpointKey{name, url}] }) == 0 {
			delete(s.pools, name)
		}
	}
}

func (p *Pool) retain(named func(url string) bool) (left int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for at := range p.known {
		if !named(at.url) {
			delete(p.known, at)
		}
	}
	return len(p.known)
}

// take counts a call that begins on an endpoint. The lock is held.
func (p *Pool) take(e *Endpoint) {
	e.inFlight++
	p.inFlight++
	p.serveRetrying() // they may be a share of more calls
}

// noKey counts a call without a key.
func (p *Pool) noKey() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.unkeyed++
}

// release counts the end of a call, and lets waiting calls choose.
func (p *Pool) release(e *Endpoint) {
	p.mu.Lock()
	defer p.mu.Unlock()
	e.inFlight--
	p.inFlight--
	if p.waiting.Len() > 0 {
		p.serveWaiting(time.Now())
	}
}
