package upstream

import (
	"cmp"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/llmservice/llmservice/runtime/config"
)

// Set is the endpoints that an upstream has at the moment. They may change, but a slice that was returned does not. The pool's
// lock is held during the call, so it must return at once.
type Set interface{ Members() []Member }

// Member is an endpoint of a set, with its settings in the config.
type Member struct {
	*Endpoint

	// Weight is the endpoint's share of the calls, in proportion to the weights of the others; 0 means 1.
	Weight int
	// MaxInFlight bounds the calls that are open on the endpoint; 0 means no bound.
	MaxInFlight int
}

// Members is a set that never changes.
type Members []Member

// Members implements Set.
func (m Members) Members() []Member { return m }

// strategy chooses one of the candidates for a call. There is at least one. The pool's lock is held.
type strategy interface {
	choose(from []candidate, key Key) *Endpoint
}

// candidate is an endpoint that may be chosen, and its weight at the moment.
type candidate struct {
	*Endpoint

	weight float64
}

// load is the number of open calls in proportion to the weight.
func (c *candidate) load() float64 { return float64(c.inFlight) / c.weight }

// balancer chooses an endpoint for each call. It belongs to one config; the state of the endpoints is in the pool.
type balancer struct {
	pool     *Pool
	set      Set
	strategy strategy
	ejection Ejection
	limit    Limit
	// only is the one endpoint that may be asked; nil means all.
	only *Endpoint
	// slowStart is the time in which an endpoint that was ejected grows back to its full share after it has recovered; 0 means
	// at once.
	slowStart time.Duration
	// random returns numbers from 0 up to 1.
	random func() float64
}

func newBalancer(o *Options) balancer {
	b := balancer{
		pool: o.Pool, set: o.Endpoints, strategy: o.strategy(), ejection: o.Ejection.orDefaults(),
		limit: o.Limit, slowStart: o.SlowStart, random: rand.Float64,
	}
	if b.pool == nil {
		b.pool = &Pool{}
	}
	return b
}

func (o *Options) strategy() strategy {
	least := leastInFlight{rand.Float64}
	switch o.LoadBalancing {
	case config.RoundRobin:
		return roundRobin{}
	case config.ConsistentHash:
		return consistentHash{float64(cmp.Or(o.HashLoadPercent, hashLoad)) / 100, least}
	}
	return least
}

// choice is the result of choosing an endpoint.
type choice struct {
	// endpoint is the chosen one; nil if none can be chosen now.
	endpoint *Endpoint
	// full means that an endpoint can be chosen once a call ends; without it, every endpoint was tried.
	full bool
	// until is the next time at which an endpoint that is left out now may be chosen; zero if there is no such time.
	until time.Time
}

// choose picks an endpoint that was not tried. The pool's lock is held.
func (b *balancer) choose(tried *visits, key Key, now time.Time) choice {
	if b.limit.MaxInFlight > 0 && b.pool.inFlight >= b.limit.MaxInFlight {
		return choice{full: true}
	}
	members := b.set.Members()
	out := ejected(members)
	panics := b.ejection.panics(len(members)-out, len(members))
	from, v := b.candidates(members, tried, now, panics)
	if len(from) == 0 && !v.full {
		from, v = b.candidates(members, tried, now, true) // one of them has to be asked
	}
	if len(from) == 0 {
		return v
	}
	if panics || out == len(members) {
		b.pool.panics++
	}
	v.endpoint = b.strategy.choose(from, key)
	v.endpoint.health.chosen(now, &b.ejection)
	return v
}

// candidates are the endpoints that may be chosen at now. In a panic their health does not matter.
func (b *balancer) candidates(members []Member, tried *visits, now time.Time, panics bool) ([]candidate, choice) {
	var v choice
	all := b.pool.room[:0]
	for _, m := range members {
		if !b.open(m.Endpoint, tried) {
			continue
		}
		switch until, fit := m.health.fit(now); {
		case !fit && !panics:
			if v.until.IsZero() || until.Before(v.until) {
				v.until = until
			}
		case m.MaxInFlight > 0 && m.inFlight >= m.MaxInFlight:
			v.full = true
		default:
			all = append(all, candidate{m.Endpoint, m.weight(now, b.slowStart)})
		}
	}
	b.pool.room = all
	return all, v
}

// ejected counts the endpoints that were ejected and have not answered well since.
func ejected(members []Member) (n int) {
	for _, m := range members {
		if m.health.ejected() {
			n++
		}
	}
	return n
}

// slowest is the part of its weight that an endpoint has at the beginning of a slow start.
const slowest = 0.1

// weight is the endpoint's weight at now.
func (m *Member) weight(now time.Time, slowStart time.Duration) float64 {
	weight := float64(max(m.Weight, 1))
	if since := now.Sub(m.health.back); since < slowStart {
		weight *= max(slowest, float64(since)/float64(slowStart))
	}
	return weight
}

// settle records that a call which began at began has ended at now.
func (b *balancer) settle(e *Endpoint, how end, began, now time.Time) {
	b.pool.mu.Lock()
	defer b.pool.mu.Unlock()
	if how.rating == badly && e.name != nil {
		e.name.Doubt()
	}
	if !e.health.settle(how, began, now, &b.ejection) {
		return
	}
	members := b.set.Members()
	if !e.health.ejected() && 100*(ejected(members)+1) > b.ejection.most(len(members)) {
		return
	}
	e.health.eject(how.RetryAfter, now, &b.ejection, b.random())
	b.pool.ejections++
}

// answered records that a call which began at began is being answered.
func (b *balancer) answered(e *Endpoint, began, now time.Time) {
	b.pool.mu.Lock()
	defer b.pool.mu.Unlock()
	e.health.answered(began, now)
}

// left reports whether an endpoint is open.
func (b *balancer) left(tried *visits) bool {
	return slices.ContainsFunc(b.members(), func(m Member) bool { return b.open(m.Endpoint, tried) })
}

// open reports whether an endpoint may be asked, and was not tried.
func (b *balancer) open(e *Endpoint, tried *visits) bool {
	return !tried.has(e) && (b.only == nil || b.only == e)
}

// members are the endpoints that the upstream has at the moment.
func (b *balancer) members() []Member {
	b.pool.mu.Lock()
	defer b.pool.mu.Unlock()
	return b.set.Members()
}
