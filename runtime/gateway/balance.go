package gateway

import (
	"github.com/llmservice/llmservice/runtime/config"
	"github.com/llmservice/llmservice/runtime/upstream"
)

// balance says how calls are spread over the endpoints of an upstream, and what is known of these.
func (g *Gateway) balance(o *upstream.Options, u *config.Upstream) {
	sites := make([]upstream.Site, len(u.Endpoints))
	for i, e := range u.Endpoints {
		sites[i].Member = upstream.Member{
			Endpoint: g.pools.Get(upstream.EndpointKey{Upstream: u.Name, URL: e.URL}),
			Weight:   e.Weight, MaxInFlight: e.MaxInFlight,
		}
		if host := e.SpreadHost(); host != "" {
			sites[i].Name = g.names.Name(host)
		}
	}
	o.Pool = g.pools.Pool(u.Name)
	o.Endpoints = o.Pool.Spread(sites)
	o.LoadBalancing, o.SlowStart = u.LoadBalancing, u.SlowStart.Std()
	if u.ConsistentHash != nil {
		o.HashLoadPercent = u.ConsistentHash.LoadPercent
	}
	o.Limit.MaxInFlight = u.MaxInFlight
	o.Limit.Queue, o.Limit.Wait, _ = u.Limited()
	if u.Ejection != nil {
		o.Ejection = ejection(u.Ejection)
	}
	if u.Retries != nil {
		o.Retries = retries(u.Retries)
	}
	o.Retries.Endpoints = u.Asked()
}

func retries(r *config.Retries) upstream.Retries {
	of := upstream.Retries{On: r.RetryOn, Attempts: r.Attempts, BudgetPercent: r.BudgetPercent}
	of.First, of.Max = r.Backoff.Or(config.DefaultRetry)
	return of
}

func ejection(e *config.Ejection) upstream.Ejection {
	of := upstream.Ejection{ConsecutiveFailures: e.ConsecutiveFailures, MaxPercent: e.MaxPercent, PanicPercent: e.PanicPercent}
	of.First, of.Max = e.Backoff.Or(config.DefaultEjection)
	if r := e.FailureRatio; r != nil {
		of.FailurePercent, of.MinCalls, of.Window = r.Percent, r.MinCalls, r.Window.Std()
	}
	return of
}
