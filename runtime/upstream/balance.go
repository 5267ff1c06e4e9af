package upstream

import (
	"sync/atomic"
	"time"
)

// balancer picks, of the endpoints that are fit, the one with the fewest open calls; of equals, the next in turn. Where
// none is fit it picks the one whose pause ends first: something has to be asked.
type balancer struct {
	endpoints []*Endpoint
	turn      atomic.Uint32
}

// pick returns nil when every endpoint was tried.
func (b *balancer) pick(tried map[*Endpoint]bool, now time.Time) *Endpoint {
	turn := b.turn.Add(1)
	var room [16]*Endpoint // a pick of few endpoints allocates nothing
	for {
		idlest, first := b.idlest(room[:0], tried, now)
		if len(idlest) == 0 {
			return first
		}
		best := idlest[turn%uint32(len(idlest))] //nolint:gosec // a config has few endpoints
		if best.health.choose(now) {
			return best
		} // else another request has chosen it just now, and it is fit no more
	}
}

// idlest appends to those the fit endpoints with the fewest open calls, and returns the endpoint whose pause ends first.
func (b *balancer) idlest(those []*Endpoint, tried map[*Endpoint]bool, now time.Time) (all []*Endpoint, first *Endpoint) {
	var soonest time.Time
	var fewest int64
	for _, e := range b.endpoints {
		if tried[e] {
			continue
		}
		until, fit := e.health.fit(now)
		open := e.InFlight()
		switch {
		case !fit && (first == nil || until.Before(soonest)):
			first, soonest = e, until
		case !fit:
		case len(those) == 0 || open < fewest:
			those, fewest = append(those[:0], e), open
		case open == fewest:
			those = append(those, e)
		}
	}
	return those, first
}
