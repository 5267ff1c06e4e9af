package upstream

import (
	"net/netip"
	"time"

	"github.com/llmservice/llmservice/runtime/resolve"
)

// Site is an endpoint of a config. Each address of its host may be an endpoint of its own.
type Site struct {
	// Member is the endpoint at the site's URL. Each address has its weight and its limit.
	Member

	// Name, if set, is the URL's host, of which each address is an endpoint. While no address is known, the host is one
	// endpoint.
	Name *resolve.Name
}

// spread is a set whose members change with the addresses of its hosts. The pool's lock guards it.
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
	// both means that the addresses of the second family are members, too.
	both bool
}

// Spread returns the endpoints at sites. They belong to the pool.
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

// needsBoth reports whether the last call of each address of the first family failed: that family may not work at all.
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

// forget forgets the addresses that a URL no longer has, so that addresses that come and go take no memory. One with open calls
// may come back before they end, and then they count. The lock is held.
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

// Moved lets waiting calls choose, because the addresses of a host have changed and there may be room.
func (s *Pools) Moved() {
	now := time.Now()
	s.each(func(_ string, p *Pool) { p.serveWaiting(now) })
}

// each calls do for each pool, with the pool's lock held.
func (s *Pools) each(do func(upstream string, p *Pool)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for name, pool := range s.pools {
		pool.mu.Lock()
		do(name, pool)
		pool.mu.Unlock()
	}
}
