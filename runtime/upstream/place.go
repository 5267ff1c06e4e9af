package upstream

import (
	"crypto/sha256"
	"slices"
	"time"

	"github.com/llmservice/llmservice/runtime/llm"
)

// place is where an endpoint keeps what it has answered. It depends only on the names of the upstream and the endpoint, and on
// the address if the endpoint is one of several addresses, so that every replica computes the same place, also after a restart.
func (u *Upstream) place(e *Endpoint) llm.Place {
	if known := e.placed.Load(); known != nil && known.upstream == u.Name {
		return known.at
	}
	known := &placed{u.Name, u.placeOf(e)}
	e.placed.Store(known)
	return known.at
}

// placed is an endpoint's place in an upstream of a name, which is computed once.
type placed struct {
	upstream string
	at       llm.Place
}

func (u *Upstream) placeOf(e *Endpoint) llm.Place {
	name := u.Name + "\x00" + e.URL
	if e.Address.IsValid() {
		name += "\x00" + e.Address.String()
	}
	sum := sha256.Sum256([]byte(name))
	return llm.Place(sum[:len(llm.Place{})])
}

// At returns the upstream for calls that only the endpoint at a place can answer; nil if it has no endpoint there. If that
// endpoint is left out because it has failed, wait is how long it still will be; if it is unknown whether there is one, wait is
// how long that may last.
func (u *Upstream) At(p llm.Place) (only *Upstream, wait time.Duration) {
	members := u.balancer.members()
	i := slices.IndexFunc(members, func(m Member) bool { return u.place(m.Endpoint) == p })
	switch {
	case i < 0 && slices.ContainsFunc(members, func(m Member) bool { return m.name != nil && !m.name.Known() }):
		return nil, retrySoon
	case i < 0:
		return nil, 0
	}
	pinned := *u
	pinned.balancer.only = members[i].Endpoint
	return &pinned, u.balancer.leftOut(members[i].Endpoint, members, time.Now())
}

// leftOut is how long an endpoint is left out from now on: not at all while so many members are left out that all are asked.
func (b *balancer) leftOut(e *Endpoint, members []Member, now time.Time) time.Duration {
	b.pool.mu.Lock()
	defer b.pool.mu.Unlock()
	out := ejected(members)
	until, fit := e.health.fit(now)
	switch {
	case fit, out == len(members), b.ejection.panics(len(members)-out, len(members)):
		return 0
	case e.health.trying: // one call is on its way
		return retrySoon
	}
	return until.Sub(now)
}
