package upstream

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/llmservice/llmservice/runtime/relay"
)

var (
	refused   = relay.Failure{Kind: relay.FailedConnect, Unsent: true}
	broken500 = relay.Failure{Kind: relay.FailedStatus, Status: 500}
)

// A pause begins with the first call that got no answer, or the second answer in a row that was no good; each pause is
// longer than the one before, up to a bound, and one good answer ends it all.
func TestPausesOfAnEndpointThatFails(t *testing.T) {
	well := relay.Failure{}
	for name, tt := range map[string]struct {
		calls []relay.Failure // each at the end of the pause before it
		want  time.Duration   // the last pause
	}{
		"a refused dial":                   {[]relay.Failure{refused}, time.Second},
		"a second one":                     {[]relay.Failure{refused, refused}, 2 * time.Second},
		"many":                             {[]relay.Failure{refused, refused, refused, refused, refused, refused, refused}, maxPause},
		"one status":                       {[]relay.Failure{broken500}, 0},
		"a second status":                  {[]relay.Failure{broken500, broken500}, time.Second},
		"a good answer between":            {[]relay.Failure{broken500, well, broken500}, 0},
		"a good answer":                    {[]relay.Failure{refused, refused, well}, 0},
		"a refusal of the request itself":  {[]relay.Failure{refused, {Kind: relay.FailedStatus, Status: 404}}, 0},
		"silence, and an answer cut short": {[]relay.Failure{{Kind: relay.FailedFirstToken}, {Kind: relay.FailedTruncated}}, time.Second},
		"clients that leave":               {[]relay.Failure{{Kind: relay.FailedClient}, {Kind: relay.FailedSuperseded}, {Kind: relay.FailedTimeout}}, 0},
		"a wait that it asked for": {
			[]relay.Failure{broken500, {Kind: relay.FailedStatus, Status: 429, RetryAfter: 7 * time.Second}}, 7 * time.Second,
		},
		"a wait that nobody means": {
			[]relay.Failure{broken500, {Kind: relay.FailedStatus, Status: 429, RetryAfter: time.Hour}}, maxPause,
		},
	} {
		var h health
		now := time.Unix(1e9, 0)
		for _, f := range tt.calls {
			if until, ok := h.fit(now); !ok {
				now = until
			}
			if !h.choose(now) {
				t.Errorf("%s: not fit at the end of its pause", name)
			}
			h.settle(f, now)
		}
		until, _ := h.fit(now)
		if got := max(until.Sub(now), 0); got != tt.want {
			t.Errorf("%s: a pause of %s, want %s", name, got, tt.want)
		}
	}
}

// Calls that were under way when a pause began do not prolong it; after it, one call goes first.
func TestOneCallFollowsAPause(t *testing.T) {
	var h health
	now := time.Unix(1e9, 0)
	for range 20 {
		h.choose(now)
	}
	for range 20 {
		h.settle(refused, now)
	}
	now = now.Add(firstPause)
	var chosen int
	for range 20 {
		if h.choose(now) {
			chosen++
		}
	}
	if chosen != 1 {
		t.Errorf("%d calls at the end of the pause, want 1", chosen)
	}
	h.settle(relay.Failure{}, now)
	for range 2 {
		if !h.choose(now) {
			t.Error("not fit after a good answer")
		}
	}
}

// Calls go to the endpoints that are fit, however busy; where none is, to the one whose pause ends first.
func TestBalancingLeavesOutWhatFails(t *testing.T) {
	b := balancer{endpoints: []*Endpoint{{URL: "a"}, {URL: "b"}, {URL: "c"}}}
	a, second, third := b.endpoints[0], b.endpoints[1], b.endpoints[2]
	second.inFlight.Store(50)
	third.inFlight.Store(50)
	now := time.Unix(1e9, 0)
	a.health.settle(refused, now)
	picks := map[string]int{}
	for range 20 {
		picks[b.pick(nil, now).URL]++
	}
	if diff := cmp.Diff(map[string]int{"b": 10, "c": 10}, picks); diff != "" {
		t.Error(diff)
	}
	second.health.settle(refused, now.Add(time.Millisecond))
	third.health.settle(refused, now.Add(-time.Millisecond))
	for range 5 {
		if got := b.pick(nil, now).URL; got != "c" {
			t.Errorf("of those that all fail, picked %s", got)
		}
	}
	if got := b.pick(map[*Endpoint]bool{third: true}, now).URL; got != "a" {
		t.Errorf("of the rest, picked %s", got)
	}
	if got := b.pick(map[*Endpoint]bool{a: true, second: true, third: true}, now); got != nil {
		t.Errorf("picked %s though all were tried", got.URL)
	}
}

// What was not sent may be sent to anyone, also where it must not arrive twice.
func TestAttemptsThatSentNothing(t *testing.T) {
	p := two(t, nil, "")
	p.Once = true
	next := p.Attempts()
	first, _ := next(relay.Failure{})
	second, _ := next(refused)
	if second == nil || second.Call.URL == first.Call.URL || !second.Call.Once {
		t.Fatalf("after a refused dial: %+v", second)
	}
	if third, final := next(relay.Failure{Kind: relay.FailedConnect}); third != nil || final.Unsent {
		t.Errorf("after a connection that broke: %+v, %v", third, final)
	}
}

// Two upstreams of one model at one URL are both asked.
func TestUpstreamsAtOneURL(t *testing.T) {
	var known Endpoints
	p := two(t, nil, "")
	p.Upstreams = nil
	for _, name := range []string{"small", "large"} {
		p.Upstreams = append(p.Upstreams, New(Options{
			Name: name, Model: name, Endpoints: []*Endpoint{known.Get(EndpointKey{name, "http://a"})},
		}))
	}
	next := p.Attempts()
	var asked []string
	for a, _ := next(relay.Failure{}); a != nil; a, _ = next(broken500) {
		asked = append(asked, string(a.Call.Body))
	}
	if diff := cmp.Diff([]string{"small", "large"}, asked); diff != "" {
		t.Error(diff)
	}
}
