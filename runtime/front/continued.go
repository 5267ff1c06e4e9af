package front

import (
	"math/rand/v2"
	"slices"
	"time"

	"github.com/llmservice/llmservice/runtime/llm"
	"github.com/llmservice/llmservice/runtime/problem"
	"github.com/llmservice/llmservice/runtime/upstream"
)

const keeperAway = "The upstream that keeps the previous response is unavailable. Try again later."

// asked are the upstreams for a request, in order. A request that continues an answer goes only to the endpoint that keeps the
// answer: neither weights nor the order of the upstreams matter.
func (c *endpoint) asked(request llm.ClientRequest, m *Model) ([]*upstream.Upstream, *problem.Error) {
	r, can := request.(llm.Continuing)
	if !can {
		return m.order(rand.IntN), nil
	}
	at, continues := r.Continues()
	switch {
	case !continues:
		return m.order(rand.IntN), nil
	case at == llm.Place{}:
		return m.first(c.Endpoint), nil
	}
	var unknown time.Duration
	for _, u := range m.Upstreams {
		only, wait := u.At(at)
		switch {
		case !u.Passes(c.Endpoint):
		case only == nil:
			unknown = max(unknown, wait)
		case wait > 0:
			return nil, problem.NoEndpoint(wait).WithMessage(keeperAway)
		default:
			return []*upstream.Upstream{only}, nil
		}
	}
	if unknown > 0 {
		return nil, problem.NoEndpoint(unknown).WithMessage(keeperAway)
	}
	return nil, r.Lost()
}

// first is the first upstream that has an endpoint. Only this one is asked to continue an answer whose id this gateway has not
// written: it is unknown which upstream keeps that, and the result has to be the same each time. If none has the endpoint, all
// are asked, and each refuses.
func (m *Model) first(e llm.Endpoint) []*upstream.Upstream {
	i := slices.IndexFunc(m.Upstreams, func(u *upstream.Upstream) bool { return u.Passes(e) })
	if i < 0 {
		return m.Upstreams
	}
	return m.Upstreams[i : i+1]
}
