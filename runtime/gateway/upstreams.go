package gateway

import (
	"github.com/llmservice/llmservice/runtime/config/report"
	"github.com/llmservice/llmservice/runtime/upstream"
)

// upstreamsServed are those of the config being served, in its order.
func (g *Gateway) upstreamsServed() []*upstream.Upstream {
	if s := g.store.snapshot(); s != nil {
		return s.upstreams
	}
	return nil
}

// upstreamStates says how calls of each upstream go.
func (g *Gateway) upstreamStates() []report.Upstream {
	var all []report.Upstream
	listed := 0
	for _, u := range g.upstreamsServed() {
		s := u.State()
		r := report.Upstream{
			Name: u.Name, InFlight: s.InFlight, Waiting: s.Waiting, Endpoints: len(s.Endpoints), Available: s.Count(upstream.Available),
			Ejections: s.Ejections, Panics: s.Panics, Refusals: s.Refusals,
			Retries: s.Retries, RetriesRefused: s.RetriesRefused,
		}
		for _, e := range s.Endpoints {
			if e.Condition == upstream.Available || listed == report.MaxUnavailable {
				continue
			}
			listed++
			r.Unavailable = append(r.Unavailable, report.Endpoint{
				Host: e.Host, Condition: string(e.Condition), Until: e.Until.UTC(), InFlight: e.InFlight,
			})
		}
		all = append(all, r)
	}
	return all
}
