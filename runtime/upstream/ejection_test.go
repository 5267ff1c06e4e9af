package upstream

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/llmservice/llmservice/runtime/config"
	"github.com/llmservice/llmservice/runtime/relay"
)

var (
	refused   = relay.Failure{Kind: relay.FailedConnect, Unsent: true}
	broken500 = relay.Failure{Kind: relay.FailedStatus, Status: 500}
	good      = relay.Failure{}
)

// ends records the end of a call that took no time.
func (b *balancer) ends(e *Endpoint, f relay.Failure, now time.Time) { b.settle(e, rate(f), now, now) }

// A pause begins with the first call without an answer, or the second bad answer in a row; each pause is longer than the one
// before, up to a bound, and one good answer ends them all.
func TestPausesOfAnEndpointThatFails(t *testing.T) {
	for name, tt := range map[string]struct {
		calls []relay.Failure // each at the end of the pause before it
		want  time.Duration   // the last pause
	}{
		"a connection that was lost":       {[]relay.Failure{{Kind: relay.FailedConnect}}, 0},
		"a second one that was lost":       {[]relay.Failure{{Kind: relay.FailedConnect}, {Kind: relay.FailedConnect}}, time.Second},
		"a refused dial":                   {[]relay.Failure{refused}, time.Second},
		"a dial that took too long":        {[]relay.Failure{{Kind: relay.FailedDial, Unsent: true}}, time.Second},
		"two heads that took too long":     {[]relay.Failure{{Kind: relay.FailedHeader}, {Kind: relay.FailedHeader}}, time.Second},
		"an address that is not allowed":   {[]relay.Failure{{Kind: relay.FailedAddress, Unsent: true}}, time.Second},
		"a second one":                     {[]relay.Failure{refused, refused}, 2 * time.Second},
		"many":                             {[]relay.Failure{refused, refused, refused, refused, refused, refused, refused}, config.MaxPause},
		"one status":                       {[]relay.Failure{broken500}, 0},
		"a second status":                  {[]relay.Failure{broken500, broken500}, time.Second},
		"a good answer between":            {[]relay.Failure{broken500, good, broken500}, 0},
		"a good answer":                    {[]relay.Failure{refused, refused, good}, 0},
		"a refusal of the request itself":  {[]relay.Failure{refused, {Kind: relay.FailedStatus, Status: 404}}, 0},
		"silence, and an answer cut short": {[]relay.Failure{{Kind: relay.FailedFirstToken}, {Kind: relay.FailedTruncated}}, time.Second},
		"no whole answer, twice":           {[]relay.Failure{{Kind: relay.FailedTotal}, {Kind: relay.FailedTotal}}, time.Second},
		"streams that fall silent":         {[]relay.Failure{{Kind: relay.FailedIdle}, {Kind: relay.FailedIdle}}, time.Second},
		"clients that leave":               {[]relay.Failure{{Kind: relay.FailedClient}, {Kind: relay.FailedSuperseded}, {Kind: relay.FailedTimeout}}, 0},
		"a wait that it asked for": {
			[]relay.Failure{broken500, {Kind: relay.FailedStatus, Status: 429, RetryAfter: 7 * time.Second}}, 7 * time.Second,
		},
		"a wait that nobody means": {
			[]relay.Failure{broken500, {Kind: relay.FailedStatus, Status: 429, RetryAfter: time.Hour}}, config.MaxPause,
		},
	} {
		b := pooled(Options{}, 1)
		b.random = func() float64 { return 0 }
		e, now := b.member("a"), time.Unix(1e9, 0)
		for _, f := range tt.calls {
			if until, ok := e.health.fit(now); !ok {
				now = until
			}
			b.pick(nil, now)
			b.ends(e, f, now)
		}
		until, _ := e.health.fit(now)
		if got := max(until.Sub(now), 0); got != tt.want {
			t.Errorf("%s: a pause of %s, want %s", name, got, tt.want)
		}
	}
}

// Endpoints that fail together do not come back together: up to a fifth of a pause is random, but a time that was asked for is
// kept.
func TestPausesAreDrawn(t *testing.T) {
	for drawn, want := range map[float64]time.Duration{0: time.Second, 0.5: 900 * time.Millisecond, 1: 800 * time.Millisecond} {
		b := pooled(Options{}, 1)
		b.random = func() float64 { return drawn }
		now := time.Unix(1e9, 0)
		b.ends(b.member("a"), refused, now)
		if until, _ := b.member("a").health.fit(now); until.Sub(now) != want {
			t.Errorf("a pause of %s, want %s", until.Sub(now), want)
		}
		b = pooled(Options{}, 1)
		b.random = func() float64 { return drawn }
		b.ends(b.member("a"), broken500, now)
		b.ends(b.member("a"), relay.Failure{Kind: relay.FailedStatus, Status: 503, RetryAfter: 3 * time.Second}, now)
		if until, _ := b.member("a").health.fit(now); until.Sub(now) != 3*time.Second {
			t.Errorf("a pause of %s, want the 3s that it asked for", until.Sub(now))
		}
	}
}

// Calls that were under way when a pause began neither prolong nor end it; after it, one call goes first.
func TestOneCallFollowsAPause(t *testing.T) {
	b := pooled(Options{}, 1, 1)
	a, began := b.member("a"), time.Unix(1e9, 0)
	now := began.Add(time.Second)
	for range 20 {
		b.settle(a, rate(refused), began, now)
	}
	b.settle(a, rate(good), began, now)
	if got := b.picks(20, now); got["a"] != 0 {
		t.Errorf("%d calls in a pause", got["a"])
	}
	now = now.Add(config.FirstPause)
	if got := b.picks(20, now); got["a"] != 1 {
		t.Errorf("%d calls at the end of the pause, want 1", got["a"])
	}
	b.settle(a, rate(good), began, now)
	b.settle(a, rate(broken500), began, now)
	if got := b.picks(20, now); got["a"] != 0 {
		t.Errorf("%d calls after the end of older ones", got["a"])
	}
	b.ends(a, good, now)
	if got := b.picks(20, now); got["a"] != 10 {
		t.Errorf("%d of 20 calls after a good answer", got["a"])
	}
}

// A call without a known end holds others up for longer each time; one that is being answered does not.
func TestCallsAfterAPauseThatLast(t *testing.T) {
	b := pooled(Options{}, 1, 1)
	b.random = func() float64 { return 0 }
	a, now := b.member("a"), time.Unix(1e9, 0)
	b.ends(a, refused, now)
	tries := 0
	for range 60 {
		now = now.Add(time.Second)
		tries += b.picks(20, now)["a"]
	}
	if tries != 6 { // after 1, 2, 4, 8, 16 and 30 s of silence
		t.Errorf("%d calls to an endpoint that keeps silent for a minute, want 6", tries)
	}
	tried := now
	now = now.Add(config.MaxPause)
	for range 3 {
		if n := b.picks(20, now)["a"]; n != 1 {
			t.Errorf("%d calls, want 1", n)
		}
		b.answered(a, tried, now)
	}
	b.ends(a, broken500, now)
	if n := b.picks(20, now)["a"]; n != 0 {
		t.Errorf("%d calls after a failure", n)
	}
}

// If a client leaves while its call tries an endpoint, nobody has to wait: the next call tries it.
func TestAProbeWhoseClientLeaves(t *testing.T) {
	b := pooled(Options{}, 1, 1)
	a, now := b.member("a"), time.Unix(1e9, 0)
	b.ends(a, refused, now)
	now = now.Add(config.FirstPause)
	for range 3 {
		if n := b.picks(20, now)["a"]; n != 1 {
			t.Fatalf("%d calls, want 1", n)
		}
		b.ends(a, relay.Failure{Kind: relay.FailedClient}, now)
	}
	b.picks(20, now)
	b.ends(a, refused, now)
	if until, _ := a.health.fit(now); until.Sub(now) > 2*config.FirstPause || until.Sub(now) <= config.FirstPause {
		t.Errorf("a pause of %s, want the second one", until.Sub(now))
	}
}

// An endpoint is left out if too many of its recent calls fail, even if no two failures follow each other.
func TestFailureRatio(t *testing.T) {
	o := Options{Ejection: Ejection{ConsecutiveFailures: 5, FailurePercent: 30, MinCalls: 10, Window: 10 * time.Second}}
	for name, tt := range map[string]struct {
		each    time.Duration // between two calls
		every   int           // every so many fails
		ejected bool
	}{
		"a third of ten in a second": {100 * time.Millisecond, 3, true},
		"a fourth":                   {100 * time.Millisecond, 4, false},
		"too few at a time":          {1500 * time.Millisecond, 3, false},
	} {
		b := pooled(o, 1, 1)
		a, now := b.member("a"), time.Unix(1e9, 0)
		for i := range 90 {
			f := good
			if i%tt.every == tt.every-1 {
				f = broken500
			}
			if b.ends(a, f, now); a.health.ejected() {
				break
			}
			now = now.Add(tt.each)
		}
		if got := a.health.ejected(); got != tt.ejected {
			t.Errorf("%s: ejected %v, want %v", name, got, tt.ejected)
		}
	}
}

// No more than the set share of the endpoints is left out at once, but one always may be.
func TestShareThatMayBeLeftOut(t *testing.T) {
	for _, tt := range []struct{ percent, of, want int }{
		{100, 4, 4}, {50, 4, 2}, {49, 4, 1}, {10, 4, 1}, {0, 4, 0}, {67, 3, 2},
	} {
		b := pooled(Options{Ejection: Ejection{MaxPercent: &tt.percent}}, make([]int, tt.of)...)
		now := time.Unix(1e9, 0)
		for _, m := range b.set.Members() {
			b.ends(m.Endpoint, refused, now)
		}
		if got := ejected(b.set.Members()); got != tt.want {
			t.Errorf("%d of %d are left out, want %d with %d percent", got, tt.of, tt.want, tt.percent)
		}
		if tt.want > 1 || tt.want == 0 {
			continue
		}
		a := b.set.Members()[0].Endpoint
		b.ends(a, good, now.Add(time.Second))
		b.ends(b.set.Members()[1].Endpoint, refused, now.Add(time.Second))
		if a.health.ejected() || !b.set.Members()[1].health.ejected() {
			t.Error("another is not left out once the first is back")
		}
	}
}

// If fewer endpoints are left than the threshold, calls go to all of them. If none is left they do, too, and then to none twice
// in one request.
func TestPanic(t *testing.T) {
	for _, tt := range []struct {
		percent, out int
		panics       bool
	}{{50, 2, false}, {50, 3, true}, {0, 3, false}, {0, 4, true}, {100, 1, true}} {
		b := pooled(Options{Ejection: Ejection{PanicPercent: tt.percent}}, 1, 1, 1, 1)
		now := time.Unix(1e9, 0)
		for _, m := range b.set.Members()[:tt.out] {
			b.ends(m.Endpoint, refused, now)
		}
		want := map[string]int{"a": 3, "b": 3, "c": 3, "d": 3}
		if !tt.panics {
			want = map[string]int{}
			for _, m := range b.set.Members()[tt.out:] {
				want[m.URL] = 12 / (4 - tt.out)
			}
		}
		if diff := cmp.Diff(want, b.picks(12, now)); diff != "" || b.pool.panics > 0 != tt.panics {
			t.Errorf("%d percent, %d of 4 out, %d in panic: %s", tt.percent, tt.out, b.pool.panics, diff)
		}
	}
	b, tried := pooled(Options{}, 1, 1), &visits{}
	for _, m := range b.set.Members() {
		b.ends(m.Endpoint, refused, time.Unix(1e9, 0))
	}
	for range 2 {
		e := b.pick(tried, time.Unix(1e9, 0))
		if e == nil || tried.has(e) {
			t.Fatal("an endpoint was asked twice, or not at all")
		}
		tried.add(e)
	}
	if e := b.pick(tried, time.Unix(1e9, 0)); e != nil {
		t.Errorf("picked %s though all were tried", e.URL)
	}
}

// A request that only one endpoint can serve waits as long as that is ejected, unless so many are that all are asked. While one
// call shows whether the endpoint is well again, the others come back soon.
func TestOneEndpointThatIsEjected(t *testing.T) {
	now := time.Unix(1e9, 0)
	for _, tt := range []struct {
		percent, out int
		waits        bool
	}{{50, 1, true}, {50, 2, true}, {50, 3, false}, {0, 3, true}, {0, 4, false}} {
		b := pooled(Options{Ejection: Ejection{PanicPercent: tt.percent, First: 10 * time.Second, Max: time.Minute}}, 1, 1, 1, 1)
		members := b.set.Members()
		for _, m := range members[:tt.out] {
			b.ends(m.Endpoint, refused, now)
		}
		only := members[0].Endpoint
		wait := b.leftOut(only, members, now)
		if wait > 0 != tt.waits {
			t.Errorf("%d percent, %d of 4 out: it is left out for %s", tt.percent, tt.out, wait)
		}
		if !tt.waits {
			continue
		}
		after := now.Add(wait)
		if wait := b.leftOut(only, members, after); wait != 0 {
			t.Errorf("it is left out for %s after its ejection", wait)
		}
		only.health.chosen(after, &b.ejection)
		if wait := b.leftOut(only, members, after); wait != retrySoon {
			t.Errorf("it is left out for %s while a call tries it", wait)
		}
	}
}

// Calls go to healthy endpoints, no matter how busy those are.
func TestBalancingLeavesOutWhatFails(t *testing.T) {
	b := pooled(Options{}, 1, 1, 1)
	b.member("b").inFlight, b.member("c").inFlight = 50, 50
	now := time.Unix(1e9, 0)
	b.ends(b.member("a"), refused, now)
	if diff := cmp.Diff(map[string]int{"b": 10, "c": 10}, b.picks(20, now)); diff != "" {
		t.Error(diff)
	}
}

// An endpoint that comes back has a tenth of its share at first, and then more until it has all of it.
func TestSlowStart(t *testing.T) {
	for _, way := range []string{config.LeastInFlight, config.RoundRobin} {
		b := pooled(Options{LoadBalancing: way, SlowStart: 20 * time.Second}, 10, 10)
		now := time.Unix(1e9, 0)
		if n := b.picks(100, now)["a"]; n != 50 {
			t.Errorf("%s: %d of 100 at the beginning, want 50: nobody has come back", way, n)
		}
		b.ends(b.member("a"), refused, now)
		now = now.Add(time.Second)
		b.ends(b.member("a"), good, now)
		for after, want := range map[time.Duration]int{0: 9, 2 * time.Second: 9, 10 * time.Second: 33, 20 * time.Second: 50, time.Hour: 50} {
			if n := b.picks(100, now.Add(after))["a"]; n < want-1 || n > want+1 {
				t.Errorf("%s: %d of 100 after %s, want %d", way, n, after, want)
			}
		}
	}
}

// What two upstreams keep at one URL is not the same: each has its own key and model.
func TestPlacesOfUpstreamsAtOneURL(t *testing.T) {
	e := &Endpoint{URL: "http://models.test/v1"}
	one, other := New(Options{Name: "one", Endpoints: Members{{Endpoint: e}}}), New(Options{Name: "other", Endpoints: Members{{Endpoint: e}}})
	if one.place(e) == other.place(e) {
		t.Error("a response of one upstream would be continued at another")
	}
	if only, _ := other.At(one.place(e)); only != nil {
		t.Error("another upstream has what one keeps")
	}
}
