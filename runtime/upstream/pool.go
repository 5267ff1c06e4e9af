package upstream

import (
	"container/list"
	"net/netip"
	"sync"
	"time"

	"github.com/llmservice/llmservice/runtime/resolve"
)

// EndpointKey says whose endpoint it is: two upstreams at one URL, such as two models of a provider, are two.
type EndpointKey struct{ Upstream, URL string }

// Endpoint is one base URL of an upstream, or one address of its host, with the calls that are open on it now and how they went.
// It outlives any config that names it. The lock of its pool guards all but the URL and the address.
type Endpoint struct {
	URL string
	// Address, where valid, is what connections are made to; otherwise the host's name is resolved for each.
	Address  netip.Addr
	name     *resolve.Name // nil where nobody follows the addresses of the host
	inFlight int
	// turns is how far the endpoint's next turn is, as smooth weighted round-robin counts it.
	turns  float64
	hash   uint64 // of what the endpoint is called; 0 where nobody has asked yet
	health health
}

// Pool is what is known of one upstream, whichever config names it: the calls that are open, those that wait, and its
// endpoints. The zero value is ready to use.
type Pool struct {
	mu       sync.Mutex
	known    map[poolKey]*Endpoint
	inFlight int
	waiting  list.List // of *waiter, in the order in which they came
	// These count since the process began: how often an endpoint was ejected, how many calls were spread over all endpoints
	// because too few were left, and how many found no room in time.
	ejections, panics, refusals int64
	unkeyed                     int64 // calls without a key, of an upstream that spreads them by keys
	// retries are the calls that are open and follow one that failed, and retrying those that wait for the budget to allow them.
	retries  int
	retrying list.List // of retrying, in the order in which they came
	// These count since the process began: the retries that were made, and those that the budget did not allow in time.
	retriesMade, retriesRefused int64
	room                        []candidate // what one choice needs, kept for the next
}

// poolKey says which endpoint it is: that of a URL, or that of an address of the URL's host.
type poolKey struct {
	url     string
	address netip.Addr
}

// Pools keeps the state of upstreams across configs. The zero value is ready to use.
type Pools struct {
	mu    sync.Mutex
	pools map[string]*Pool
}

// Pool returns what is known of an upstream, the same for equal names.
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

// Get returns the endpoint of an upstream, the same one for equal keys.
func (s *Pools) Get(key EndpointKey) *Endpoint { return s.Pool(key.Upstream).Endpoint(key.URL) }

// Endpoint returns the endpoint at a URL, the same one for equal URLs.
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

// Retain forgets the endpoints that are not named, and the upstreams that have none, so that a changing config cannot
// grow the memory. What is still open on a forgotten one ends undisturbed.
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

// release counts the end of a call, and lets those choose that wait for one.
func (p *Pool) release(e *Endpoint) {
	p.mu.Lock()
	defer p.mu.Unlock()
	e.inFlight--
	p.inFlight--
	p.serveWaiting(time.Now())
}
