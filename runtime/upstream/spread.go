package upstream

import (
	"net/netip"
	"time"

	"github.com/llmservice/llmservice/runtime/resolve"
)

// Site is an endpoint as a config has it, of whose host each address may be an endpoint of its own.
type Site struct {
	// Member is the endpoint at the site's URL. Each address has its weight and its limit.
	Member

	// Name, where set, is the URL's host, of which each address is an endpoint. While it has none, the host is one endpoint.
	Name *resolve.Name
}

// spread is a set whose members change with the addresses of its hosts. The lock of the pool guards it.
type spread struct {
	pool    *Pool
	sites   []Site
	seen    []seen
	members []Member
}

// seen is what the members of a site were made of.
type seen struct {
	addresses *resolve.Addresses
	first     []*Endpoint
	// both says that the addresses of the second family are members, too.
	both bool
}

// Spread returns the endpoints at sites, which are the pool's.
func (p *Pool) Spread(sites []Site) Set {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := &spread{pool: p, sites: sites, seen: make([]seen, len(sites))}
	for _, site := range sites {
		site.name = site.Name
	}
	s.build()
	return s
}

// Members implements Set.
func (s *spread) Members() []Member {
	for i := range s.sites {
		if s.changed(i) {
			s.build()
			break
		}
	}
	return s.members
}

func (s *spread) changed(i int) bool {
	name, was := s.sites[i].Name, &s.seen[i]
	return name != nil && (name.Addresses() != was.addresses || was.both != was.needsBoth())
}

// needsBoth says whether the last call of each address of the first family failed: it may be that nobody is reached that way.
func (s *seen) needsBoth() bool {
	if len(s.addresses.Others) == 0 {
		return false
	}
	for _, e := range s.first {
		if e.health.failures == 0 {
			return false
		}
	}
	return true
}

func (s *spread) build() {
	var members []Member
	for i := range s.sites {
		members = append(members, s.at(i)...)
	}
	s.members = members
}

// at makes the members of a site.
func (s *spread) at(i int) []Member {
	site, was := &s.sites[i], &s.seen[i]
	if site.Name == nil {
		return []Member{site.Member}
	}
	was.addresses = site.Name.Addresses()
	all := s.each(site, was.addresses.First)
	was.first = nil
	for _, m := range all {
		was.first = append(was.first, m.Endpoint)
	}
	if was.both = was.needsBoth(); was.both {
		all = append(all, s.each(site, was.addresses.Others)...)
	}
	s.pool.forget(site.URL, was.addresses)
	if len(all) == 0 {
		return []Member{site.Member}
	}
	return all
}

func (s *spread) each(site *Site, addresses []netip.Addr) []Member {
	var all []Member
	for _, a := range addresses {
		m := site.Member
		m.Endpoint = s.pool.endpoint(poolKey{site.URL, a})
		m.name = site.Name
		all = append(all, m)
	}
	return all
}

// forget forgets the addresses of a URL that it has no more, so that addresses which come and go cost nothing. One on which calls
// are open may come back before they end, and then they count. The lock is held.
func (p *Pool) forget(url string, but *resolve.Addresses) {
	for at, e := range p.known {
		if at.url == url && at.address.IsValid() && e.inFlight == 0 && !but.Has(at.address) {
			delete(p.known, at)
		}
	}
}

// RetainAddresses forgets the addresses of the hosts of all URLs that are not named.
func (s *Pools) RetainAddresses(named map[EndpointKey]bool) {
	s.each(func(upstream string, p *Pool) {
		for at := range p.known {
			if at.address.IsValid() && !named[EndpointKey{upstream, at.url}] {
				delete(p.known, at)
			}
		}
	})
}

// Moved lets those choose that wait: the addresses of a host have changed, so there may be room.
func (s *Pools) Moved() {
	now := time.Now()
	s.each(func(_ string, p *Pool) { p.serveWaiting(now) })
}

// each does something with each pool, while its lock is held.
func (s *Pools) each(do func(upstream string, p *Pool)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for name, pool := range s.pools {
		pool.mu.Lock()
		do(name, pool)
		pool.mu.Unlock()
	}
}
