package metrics

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/llmservice/llmservice/runtime/config/report"
)

// upstreams collects figures of upstreams when it is asked for them: those of the config being served, and no others. Its
// labels are their names, and nothing that a client or an upstream may choose.
type upstreams struct {
	read func() []report.Upstream
}

// figure is one number of an upstream.
type figure struct {
	desc  *prometheus.Desc
	kind  prometheus.ValueType
	value func(u *report.Upstream) float64
}

func figureOf(name, help string, kind prometheus.ValueType, value func(u *report.Upstream) float64) figure {
	return figure{prometheus.NewDesc("llmservice_upstream_"+name, help, []string{"upstream"}, nil), kind, value}
}

var figures = []figure{
	figureOf("in_flight", "Calls of an upstream that are open now.", prometheus.GaugeValue,
		func(u *report.Upstream) float64 { return float64(u.InFlight) }),
	figureOf("waiting", "Calls that wait for one of the upstream's to end.", prometheus.GaugeValue,
		func(u *report.Upstream) float64 { return float64(u.Waiting) }),
	figureOf("endpoints", "Endpoints of an upstream.", prometheus.GaugeValue,
		func(u *report.Upstream) float64 { return float64(u.Endpoints) }),
	figureOf("endpoints_available", "Endpoints that have their share of the calls.", prometheus.GaugeValue,
		func(u *report.Upstream) float64 { return float64(u.Available) }),
	figureOf("ejections_total", "Endpoints that were left out because they failed.", prometheus.CounterValue,
		func(u *report.Upstream) float64 { return float64(u.Ejections) }),
	figureOf("panics_total", "Calls that went to all endpoints because too few were left.", prometheus.CounterValue,
		func(u *report.Upstream) float64 { return float64(u.Panics) }),
	figureOf("refusals_total", "Calls for which the upstream had no room in time.", prometheus.CounterValue,
		func(u *report.Upstream) float64 { return float64(u.Refusals) }),
	figureOf("unkeyed_total", "Calls without a key, of an upstream that spreads calls by keys.", prometheus.CounterValue,
		func(u *report.Upstream) float64 { return float64(u.Unkeyed) }),
	figureOf("retries_total", "Calls that followed one that was sent and failed.", prometheus.CounterValue,
		func(u *report.Upstream) float64 { return float64(u.Retries) }),
	figureOf("retries_refused_total", "Retries for which the upstream's budget had no room.", prometheus.CounterValue,
		func(u *report.Upstream) float64 { return float64(u.RetriesRefused) }),
}

// Describe implements prometheus.Collector.
func (u *upstreams) Describe(to chan<- *prometheus.Desc) {
	for _, f := range figures {
		to <- f.desc
	}
}

// Collect implements prometheus.Collector.
func (u *upstreams) Collect(to chan<- prometheus.Metric) {
	for _, state := range u.read() {
		for _, f := range figures {
			to <- prometheus.MustNewConstMetric(f.desc, f.kind, f.value(&state), state.Name)
		}
	}
}
