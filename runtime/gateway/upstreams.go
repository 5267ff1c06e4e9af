package gateway

import (
	"github.com/llmservice/llmservice/runtime/config/report"
	"github.com/llmservice/llmservice/runtime/metrics"
	"github.com/llmservice/llmservice/runtime/resolve"
	"github.com/llmservice/llmservice/runtime/upstream"
)

// upstreamsServed are those of the config being served, in its order.
func (g *Gateway) upstreamsServed() []*upstream.Upstream {
	if s := g.store.snapshot(); s != nil {
		return s.upstreams
	}
	return nil
}

// hostsServed are those that are resolved for the config being served.
func (g *Gateway) hostsServed() map[string]bool {
	if s := g.store.snapshot(); s != nil {
		return s.hosts
	}
	return nil
}

// resolver resolves the hosts of which each address is an endpoint.
func (g *Gateway) resolver() *resolve.Names {
	return resolve.NewNames(resolve.Options{
		Dial: g.options.DialDNS, Rules: g.options.Addresses, Changed: g.pools.Moved,
		Failed: func(host, why string) {
			g.logger.Warn("the addresses of an endpoint's host are not up to date", "host", host, "error", why)
		},
		Recovered: func(host string) {
			g.logger.Info("the addresses of an endpoint's host are up to date again", "host", host)
		},
	})
}

// endpointStates says how the endpoints of all upstreams are.
func (g *Gateway) endpointStates() []metrics.Endpoint {
	var all []metrics.Endpoint
	for _, u := range g.upstreamsServed() {
		for _, e := range u.State().Endpoints {
			all = append(all, metrics.Endpoint{
				Upstream: u.Name, Host: e.Host, Address: e.Address, InFlight: e.InFlight, Available: e.Condition == upstream.Available,
			})
		}
	}
	return all
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
			Retries: s.Retries, RetriesRefused: s.RetriesRefused, Unkeyed: s.Unkeyed,
		}
		for _, e := range s.Endpoints {
			if e.Condition == upstream.Available || listed == report.MaxUnavailable {
				continue
			}
			listed++
			r.Unavailable = append(r.Unavailable, report.Endpoint{
				Host: e.Host, Address: e.Address, Condition: string(e.Condition), Until: e.Until.UTC(), InFlight: e.InFlight,
			})
		}
		all = append(all, r)
	}
	return all
}
