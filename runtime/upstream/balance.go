package upstream

import "sync/atomic"

// balancer picks the endpoint with the fewest open calls; of equals, the next in turn.
type balancer struct {
	endpoints []*Endpoint
	turn      atomic.Uint32
}

// pick returns nil when every endpoint was tried.
func (b *balancer) pick(tried map[*Endpoint]bool) *Endpoint {
	start := int(b.turn.Add(1)) % len(b.endpoints)
	var best *Endpoint
	for i := range b.endpoints {
		e := b.endpoints[(start+i)%len(b.endpoints)]
		if tried[e] {
			continue
		}
		if best == nil || e.InFlight() < best.InFlight() {
			best = e
		}
	}
	return best
}
