package upstream

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/llmservice/llmservice/runtime/relay"
)

// A request that was not sent may be sent to any other, even if it must not arrive twice.
func TestAttemptsThatSentNothing(t *testing.T) {
	p := two(t, nil, "")
	p.Once = true
	next := p.Attempts()
	first, _ := next(t.Context(), relay.Failure{})
	second, _ := next(t.Context(), refused)
	if second == nil || second.Call.URL == first.Call.URL || !second.Call.Once {
		t.Fatalf("after a refused dial: %+v", second)
	}
	if third, final := next(t.Context(), relay.Failure{Kind: relay.FailedConnect}); third != nil || final.Unsent {
		t.Errorf("after a connection that broke: %+v, %v", third, final)
	}
}

// Two upstreams of one model at one URL are both asked.
func TestUpstreamsAtOneURL(t *testing.T) {
	var known Pools
	p := two(t, nil, "")
	p.Upstreams = nil
	for _, name := range []string{"small", "large"} {
		p.Upstreams = append(p.Upstreams, New(Options{
			Name: name, Model: name, Endpoints: Members{{Endpoint: known.Get(EndpointKey{name, "http://a"})}}, Pool: known.Pool(name),
		}))
	}
	next := p.Attempts()
	var asked []string
	for a, _ := next(t.Context(), relay.Failure{}); a != nil; a, _ = next(t.Context(), broken500) {
		asked = append(asked, string(a.Call.Body.Joined()))
	}
	if diff := cmp.Diff([]string{"small", "large"}, asked); diff != "" {
		t.Error(diff)
	}
}
