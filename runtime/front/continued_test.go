package front

import (
	"slices"
	"testing"

	"github.com/llmservice/llmservice/runtime/llm"
	"github.com/llmservice/llmservice/runtime/problem"
	"github.com/llmservice/llmservice/runtime/protocol/openai"
	"github.com/llmservice/llmservice/runtime/resolve"
	"github.com/llmservice/llmservice/runtime/upstream"
)

// continuing is a request that continues what is kept at a place; the zero place is unknown.
type continuing struct {
	llm.ClientRequest

	at llm.Place
}

func (c continuing) Continues() (llm.Place, bool) { return c.at, true }

func (continuing) Lost() *problem.Error { return problem.New(problem.InvalidRequest) }

// TestWhoIsAskedToContinue: a response that nobody keeps is lost, unless it may be kept at an address that is not known yet. One whose
// place is not known is asked of one upstream alone, the first that has the API.
func TestWhoIsAskedToContinue(t *testing.T) {
	has := []llm.Endpoint{openai.Responses{}}
	chats := upstream.New(upstream.Options{Name: "chats"})
	here := upstream.New(upstream.Options{
		Name: "here", Passes: has, Endpoints: upstream.Members{{Endpoint: &upstream.Endpoint{URL: "http://here.test"}}},
	})
	var pools upstream.Pools
	pool := pools.Pool("pods")
	pods := upstream.New(upstream.Options{Name: "pods", Passes: has, Pool: pool, Endpoints: pool.Spread([]upstream.Site{{
		Member: upstream.Member{Endpoint: pools.Get(upstream.EndpointKey{Upstream: "pods", URL: "http://pods.test"})},
		Name:   resolve.NewNames(resolve.Options{}).Name("pods.test"), // which nobody has resolved
	}})})
	somewhere := llm.Place{9}
	for name, tt := range map[string]struct {
		upstreams []*upstream.Upstream
		at        llm.Place
		want      []*upstream.Upstream
		code      problem.Code
	}{
		"kept by nobody":             {[]*upstream.Upstream{here}, somewhere, nil, problem.InvalidRequest},
		"kept by an unknown address": {[]*upstream.Upstream{here, pods}, somewhere, nil, problem.UpstreamUnavailable},
		"… whatever follows":         {[]*upstream.Upstream{pods, here}, somewhere, nil, problem.UpstreamUnavailable},
		"of another gateway":         {[]*upstream.Upstream{chats, here, pods}, llm.Place{}, []*upstream.Upstream{here}, ""},
		"where nobody has the API":   {[]*upstream.Upstream{chats}, llm.Place{}, []*upstream.Upstream{chats}, ""},
	} {
		c := &endpoint{Endpoint: openai.Responses{}}
		got, wrong := c.asked(continuing{at: tt.at}, &Model{Upstreams: tt.upstreams})
		var code problem.Code
		if wrong != nil {
			code = wrong.Code
		}
		if !slices.Equal(got, tt.want) || code != tt.code {
			t.Errorf("%s: %d are asked, %q", name, len(got), code)
		}
	}
}
