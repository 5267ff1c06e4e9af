package upstream

import (
	"context"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/llmservice/llmservice/runtime/config"
	"github.com/llmservice/llmservice/runtime/relay"
)

// keyed are the endpoints that the keys of the given number of texts get while nothing else is open.
func (b *balancer) keyed(texts int, now time.Time) []string {
	chosen := make([]string, texts)
	for i := range chosen {
		e := b.pickOf(NewKey(fmt.Sprint("session-", i)), now)
		chosen[i] = e.URL
		b.pool.release(e)
	}
	return chosen
}

// pickOf chooses for a key without waiting, and leaves the call open.
func (b *balancer) pickOf(key Key, now time.Time) *Endpoint {
	b.pool.mu.Lock()
	defer b.pool.mu.Unlock()
	v := b.choose(nil, key, now)
	b.pool.take(v.endpoint)
	return v.endpoint
}

func perEndpoint(chosen []string) map[string]int {
	counts := map[string]int{}
	for _, url := range chosen {
		counts[url]++
	}
	return counts
}

const someKeys = 20000

// Each endpoint has its weight's share of the keys, and each key has its endpoint, in each replica and in any order of the
// endpoints in the config.
func TestKeysAreSpreadByWeight(t *testing.T) {
	b := pooled(Options{LoadBalancing: config.ConsistentHash}, 5, 3, 2, 0)
	chosen := b.keyed(someKeys, time.Time{})
	for url, weight := range map[string]int{"a": 5, "b": 3, "c": 2, "d": 1} {
		want := float64(someKeys*weight) / 11
		if got := float64(perEndpoint(chosen)[url]); math.Abs(got-want) > 5*math.Sqrt(want) {
			t.Errorf("%s has %v keys, want about %v", url, got, want)
		}
	}
	other := pooled(Options{LoadBalancing: config.ConsistentHash}, 5, 3, 2, 0)
	members := other.set.(Members)
	members[0], members[3] = members[3], members[0]
	if diff := cmp.Diff(chosen, other.keyed(someKeys, time.Time{})); diff != "" {
		t.Error("another replica chooses otherwise")
	}
	// A new release that chose differently would empty every cache.
	if diff := cmp.Diff([]string{"a", "a", "b", "c", "a", "a", "d", "a"}, chosen[:8]); diff != "" {
		t.Error(diff)
	}
}

// Each address of one URL has keys of its own.
func TestKeysAreSpreadOverAddresses(t *testing.T) {
	b := pooled(Options{LoadBalancing: config.ConsistentHash}, 1, 1)
	for i, m := range b.set.Members() {
		m.URL, m.Address = "http://a", netip.AddrFrom4([4]byte{10, 0, 0, byte(i)})
	}
	counts := map[netip.Addr]int{}
	for i := range someKeys {
		e := b.pickOf(NewKey(fmt.Sprint("session-", i)), time.Time{})
		counts[e.Address]++
		b.pool.release(e)
	}
	for address, n := range counts {
		if n < someKeys*2/5 || len(counts) != 2 {
			t.Errorf("%s has %d keys", address, n)
		}
	}
}

// If an endpoint goes away, or is ejected, only its own keys move, to the others by their weight; when it comes back, so do
// they. A new one takes its share from all.
func TestFewKeysMove(t *testing.T) {
	now := time.Unix(1e9, 0)
	gone := func(b *balancer) { b.set = b.set.(Members)[1:] }
	ejected := func(b *balancer) {
		b.settle(b.member("a"), end{rating: badly}, now, now)
	}
	for name, lose := range map[string]func(*balancer){"gone": gone, "ejected": ejected} {
		b := pooled(Options{LoadBalancing: config.ConsistentHash}, 2, 2, 1)
		all := b.set
		before := b.keyed(someKeys, now)
		lose(b)
		during := b.keyed(someKeys, now)
		moved := map[string]int{}
		for i := range before {
			if before[i] != "a" && during[i] != before[i] {
				t.Fatalf("%s: a key of %s went to %s", name, before[i], during[i])
			}
			if before[i] == "a" {
				moved[during[i]]++
			}
		}
		want := float64(moved["b"]+moved["c"]) * 2 / 3
		if moved["a"] > 0 || math.Abs(float64(moved["b"])-want) > 5*math.Sqrt(want) {
			t.Errorf("%s: the keys of a went to %v", name, moved)
		}
		b.set = all
		b.member("a").health = health{}
		if diff := cmp.Diff(before, b.keyed(someKeys, now)); diff != "" {
			t.Errorf("%s: keys did not come back", name)
		}
	}
}

// While an endpoint starts slowly, it has some of its own keys, and none of the others'.
func TestKeysComeBackSlowly(t *testing.T) {
	now := time.Unix(1e9, 0)
	b := pooled(Options{LoadBalancing: config.ConsistentHash, SlowStart: time.Minute}, 1, 1)
	before := b.keyed(someKeys, now)
	b.member("a").health.back = now.Add(-30 * time.Second)
	back := 0
	for i, url := range b.keyed(someKeys, now) {
		if url == "a" && before[i] != "a" {
			t.Fatal("a key of b went to a")
		}
		if url == "a" {
			back++
		}
	}
	if want := someKeys / 3; back < want*9/10 || back > want*11/10 {
		t.Errorf("a has %d keys, want about %d", back, want)
	}
}

// No matter how many calls have one key, no endpoint has more than the limit of its share, and calls with other keys go where
// they belong as long as there is room.
func TestAHotKeyDrownsNobody(t *testing.T) {
	for percent, most := range map[int][]int{0: {75, 75, 150}, 100: {51, 51, 101}, 300: {150, 150, 200}} {
		b := pooled(Options{LoadBalancing: config.ConsistentHash, HashLoadPercent: percent}, 1, 1, 2)
		for n := 1; n <= 200; n++ {
			e := b.pickOf(NewKey("hot"), time.Time{})
			weight := map[string]float64{"a": 1, "b": 1, "c": 2}[e.URL]
			if bound := b.strategy.(consistentHash).most * float64(n) * weight / 4; float64(e.inFlight) > math.Ceil(bound) {
				t.Fatalf("%d%%: %s has %d of %d calls, want at most %v", percent, e.URL, e.inFlight, n, math.Ceil(bound))
			}
		}
		first := 0
		for i, m := range b.set.Members() {
			if m.inFlight > most[i] {
				t.Errorf("%d%%: %s has %d calls, want at most %d", percent, m.URL, m.inFlight, most[i])
			}
			first = max(first, m.inFlight/max(m.Weight, 1))
		}
		if percent > 100 && first < 50*percent/150 {
			t.Errorf("%d%%: the key's own endpoint has %d calls for its weight", percent, first)
		}
	}
}

// An endpoint that has as many calls as it may have is passed over, for the key's next one.
func TestKeysRespectLimits(t *testing.T) {
	b := pooled(Options{LoadBalancing: config.ConsistentHash, HashLoadPercent: 1000}, 1, 1, 1)
	for i := range b.set.(Members) {
		b.set.(Members)[i].MaxInFlight = 1
	}
	key, order := NewKey("hot"), ""
	for range 3 {
		order += b.pickOf(key, time.Time{}).URL
	}
	b.pool.release(b.member(order[1:2]))
	if e := b.pickOf(key, time.Time{}); e.URL != order[1:2] || order[0] == order[1] || order[1] == order[2] || order[0] == order[2] {
		t.Errorf("the order is %s, and then %s", order, e.URL)
	}
}

// Calls without a key are spread as by default.
func TestCallsWithoutAKey(t *testing.T) {
	b := pooled(Options{LoadBalancing: config.ConsistentHash}, 5, 2, 0)
	if diff := cmp.Diff(map[string]int{"a": 50, "b": 20, "c": 10}, b.picks(80, time.Unix(1e9, 0))); diff != "" {
		t.Error(diff)
	}
	if NewKey("") != 0 || NewKey("a") == NewKey("b") {
		t.Error("the keys of texts")
	}
}

// A call that waits keeps its key.
func TestACallThatWaitsKeepsItsKey(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := pooled(Options{LoadBalancing: config.ConsistentHash, Limit: Limit{MaxInFlight: 1, Queue: 1, Wait: time.Minute}}, 1, 1, 1, 1)
		idle := pooled(Options{LoadBalancing: config.ConsistentHash}, 1, 1, 1, 1)
		for i, want := range idle.keyed(50, time.Now()) {
			held, _ := b.acquire(t.Context(), nil, 0)
			got := make(chan *Endpoint)
			go func() {
				e, _ := b.acquire(t.Context(), nil, NewKey(fmt.Sprint("session-", i)))
				got <- e
			}()
			synctest.Wait()
			b.pool.release(held)
			e := <-got
			if e.URL != want {
				t.Errorf("key %d: %s, want %s", i, e.URL, want)
			}
			b.pool.release(e)
		}
	})
}

// hosts counts the calls of each host that are open. Each takes a second; those of a host that fails fail at once.
type hosts struct {
	mu         sync.Mutex
	fails      string
	open, most map[string]int
	asked      []string
}

func (h *hosts) Do(_ context.Context, c *Call) (*Answer, error) {
	h.mu.Lock()
	h.asked = append(h.asked, c.URL)
	h.open[c.URL]++
	h.most[c.URL] = max(h.most[c.URL], h.open[c.URL])
	fails := c.URL == h.fails
	h.mu.Unlock()
	if !fails {
		time.Sleep(time.Second)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.open[c.URL]--
	if fails {
		return nil, relay.Failure{Kind: relay.FailedConnect, Unsent: true}
	}
	return &Answer{Status: http.StatusOK, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(""))}, nil
}

// Sessions that make one call after the other stay where they are, next to a key that a hundred clients share; when a host
// fails, its sessions go elsewhere without an error and the others stay, and once it has recovered they come back.
func TestSessionsStay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		members := Members{{Endpoint: &Endpoint{URL: "http://a"}}, {Endpoint: &Endpoint{URL: "http://b"}}, {Endpoint: &Endpoint{URL: "http://c"}}}
		u := New(Options{Endpoints: members, LoadBalancing: config.ConsistentHash, Timeouts: Timeouts{Total: time.Minute}})
		h := &hosts{open: map[string]int{}, most: map[string]int{}}
		call := func(text string) {
			p := &Plan{
				Upstreams: []*Upstream{u}, Ask: func(*Upstream) (*Question, error) { return &Question{}, nil },
				Key: func(context.Context, *Upstream) Key { return NewKey(text) },
			}
			if _, err := Fetch(t.Context(), h, p.Attempts(), Expect{}, nil); err != nil {
				t.Errorf("%s: %v", text, err)
			}
		}
		at := func(session int) string {
			call(fmt.Sprint("session-", session))
			return h.asked[len(h.asked)-1]
		}
		sessions := func() (hosts []string) {
			for session := range 30 {
				hosts = append(hosts, at(session))
			}
			return hosts
		}
		home := sessions()
		if diff := cmp.Diff(home, sessions()); diff != "" {
			t.Errorf("sessions moved: %s", diff)
		}
		h.fails = "http://a"
		for i, host := range sessions() {
			if host == "http://a" || home[i] != "http://a" && host != home[i] {
				t.Errorf("session %d of %s is at %s", i, home[i], host)
			}
		}
		h.fails = ""
		time.Sleep(time.Minute) // its pause
		if diff := cmp.Diff(home, sessions()); diff != "" {
			t.Errorf("sessions did not come back: %s", diff)
		}
		var clients sync.WaitGroup
		for range 99 {
			clients.Go(func() { call("hot") })
		}
		clients.Wait()
		for host, most := range h.most {
			if most > 50 {
				t.Errorf("%s had %d calls at once, want at most 50", host, most)
			}
		}
	})
}

// A request's key is asked for once for each upstream that uses keys, and calls without one are counted.
func TestAKeyIsAskedForOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		upstreamOf := func(name, way string) *Upstream {
			return New(Options{
				Name: name, LoadBalancing: way, Timeouts: Timeouts{Total: time.Minute},
				Endpoints: Members{{Endpoint: &Endpoint{URL: "http://a"}}, {Endpoint: &Endpoint{URL: "http://b"}}},
			})
		}
		keyed, plain, last := upstreamOf("keyed", config.ConsistentHash), upstreamOf("plain", ""), upstreamOf("last", config.ConsistentHash)
		var asked []string
		p := &Plan{
			Upstreams: []*Upstream{keyed, plain, last}, Ask: func(*Upstream) (*Question, error) { return &Question{}, nil },
			Key: func(_ context.Context, u *Upstream) Key {
				asked = append(asked, u.Name)
				return NewKey(strings.TrimPrefix(u.Name, "last"))
			},
		}
		s := &script{ends: []relay.Failure{broken500}}
		if _, err := Fetch(t.Context(), s, p.Attempts(), Expect{}, nil); err == nil || len(s.calls) != 6 {
			t.Errorf("%d calls, %v", len(s.calls), err)
		}
		if diff := cmp.Diff([]string{"keyed", "last"}, asked); diff != "" {
			t.Error(diff)
		}
		p.Key, p.Upstreams = nil, []*Upstream{plain}
		_, _ = Fetch(t.Context(), &script{ends: []relay.Failure{good}}, p.Attempts(), Expect{}, nil)
		counts := []int64{keyed.State().Unkeyed, plain.State().Unkeyed, last.State().Unkeyed}
		if diff := cmp.Diff([]int64{0, 0, 1}, counts); diff != "" {
			t.Error(diff)
		}
	})
}
