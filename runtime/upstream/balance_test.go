package upstream

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/llmservice/llmservice/test/seed"

	"github.com/llmservice/llmservice/runtime/config"
)

// pooled is an upstream with endpoints called a, b, c and so on, of the given weights.
func pooled(o Options, weights ...int) *balancer {
	var members Members
	for i, weight := range weights {
		members = append(members, Member{Endpoint: &Endpoint{URL: string(rune('a' + i))}, Weight: weight})
	}
	o.Endpoints = members
	b := newBalancer(&o)
	return &b
}

func (b *balancer) member(url string) *Endpoint {
	for _, m := range b.set.Members() {
		if m.URL == url {
			return m.Endpoint
		}
	}
	return nil
}

// pick chooses without waiting, and leaves the call open.
func (b *balancer) pick(tried *visits, now time.Time) *Endpoint {
	b.pool.mu.Lock()
	defer b.pool.mu.Unlock()
	v := b.choose(tried, 0, now)
	if v.endpoint != nil {
		b.pool.take(v.endpoint)
	}
	return v.endpoint
}

// picks counts the calls that each endpoint gets; each call ends before the next.
func (b *balancer) picks(calls int, now time.Time) map[string]int {
	picks := map[string]int{}
	for range calls {
		e := b.pick(nil, now)
		picks[e.URL]++
		b.pool.release(e)
	}
	return picks
}

// Weights are followed exactly while nothing is busy, and a heavy endpoint's turns are spread between those of the others.
func TestWeightsAreFollowed(t *testing.T) {
	for _, way := range []string{"", config.LeastInFlight, config.RoundRobin} {
		b := pooled(Options{LoadBalancing: way}, 5, 2, 0)
		if diff := cmp.Diff(map[string]int{"a": 50, "b": 20, "c": 10}, b.picks(80, time.Unix(1e9, 0))); diff != "" {
			t.Errorf("%q: %s", way, diff)
		}
		var turns string
		for range 8 {
			e := b.pick(nil, time.Unix(1e9, 0))
			turns += e.URL
			b.pool.release(e)
		}
		if turns != "abaacaba" {
			t.Errorf("%q: turns %s", way, turns)
		}
	}
}

// Of two endpoints, the one with fewer open calls for its weight gets the call, even if it is the other's turn; of many, none
// gets much more than its share.
func TestFewestCallsInFlight(t *testing.T) {
	random := rand.New(rand.NewPCG(seed.Of(t), 0))
	b := pooled(Options{}, 3, 1)
	a, other := b.member("a"), b.member("b")
	for range 100 {
		a.inFlight, other.inFlight = random.IntN(30), random.IntN(10)
		atA, atB := a.inFlight, other.inFlight
		want := "a"
		if 3*atB < atA {
			want = "b"
		}
		if e := b.pick(nil, time.Time{}); e.URL != want && atA != 3*atB {
			t.Fatalf("picked %s with %d calls at a and %d at b", e.URL, atA, atB)
		}
	}
	b = pooled(Options{}, 1, 1, 1, 1, 1, 1, 1, 1)
	b.member("a").inFlight = 1000
	for range 700 {
		b.pick(nil, time.Time{})
	}
	for _, m := range b.set.Members()[1:] {
		if m.inFlight < 80 || m.inFlight > 120 {
			t.Errorf("of 700 calls %s has %d, want about 100", m.URL, m.inFlight)
		}
	}
	if n := b.member("a").inFlight; n != 1000 {
		t.Errorf("a busy endpoint got %d calls", n-1000)
	}
}

// Endpoints that have as many calls as they may have get no more.
func TestEndpointsHaveTheirOwnLimits(t *testing.T) {
	for _, way := range []string{config.LeastInFlight, config.RoundRobin, config.ConsistentHash} {
		b := pooled(Options{LoadBalancing: way}, 9, 1)
		b.set.(Members)[0].MaxInFlight = 2
		for range 10 {
			b.pick(nil, time.Time{})
		}
		if n := b.member("a").inFlight; n != 2 {
			t.Errorf("%s: %d calls, want 2", way, n)
		}
	}
}

// A set may change under its balancer.
func TestASetThatChanges(t *testing.T) {
	s := &changing{Members{{Endpoint: &Endpoint{URL: "a"}}}}
	b := newBalancer(&Options{Endpoints: s})
	s.Set = Members{{Endpoint: &Endpoint{URL: "b"}}, {Endpoint: &Endpoint{URL: "c"}}}
	if diff := cmp.Diff(map[string]int{"b": 5, "c": 5}, b.picks(10, time.Time{})); diff != "" {
		t.Error(diff)
	}
	s.Set = Members{}
	if e := b.pick(nil, time.Time{}); e != nil {
		t.Errorf("picked %s of none", e.URL)
	}
}

type changing struct{ Set }

// A choice allocates nothing.
func TestAChoiceAllocatesNothing(t *testing.T) {
	for _, way := range []string{config.LeastInFlight, config.RoundRobin, config.ConsistentHash} {
		b := pooled(Options{LoadBalancing: way}, make([]int, 20)...)
		if n := testing.AllocsPerRun(100, func() { b.pool.release(b.pickOf(NewKey("a session"), time.Time{})) }); n != 0 {
			t.Errorf("%s: %v allocations", way, n)
		}
	}
}

func BenchmarkChoose(b *testing.B) {
	for _, way := range []string{config.LeastInFlight, config.RoundRobin, config.ConsistentHash} {
		for _, n := range []int{3, 16, 256} {
			b.Run(fmt.Sprintf("%s/%d", way, n), func(b *testing.B) {
				all := pooled(Options{LoadBalancing: way}, make([]int, n)...)
				now := time.Now()
				b.ReportAllocs()
				for b.Loop() {
					all.pool.release(all.pickOf(NewKey("a session"), now))
				}
			})
		}
	}
}
