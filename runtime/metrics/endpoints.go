package metrics

import "github.com/prometheus/client_golang/prometheus"

// MaxEndpoints bounds the endpoints that have figures of their own. DNS says how many addresses there are.
const MaxEndpoints = 256

// Endpoint is how one endpoint is at a moment.
type Endpoint struct {
	Upstream, Host string
	// Address is that of the endpoint, where each address of the host is one.
	Address string
	// InFlight are the calls that are open, and Available reports whether it has its share of them.
	InFlight  int
	Available bool
}

// endpoints collects figures of endpoints when it is asked for them: those that there are now, and no others.
type endpoints struct{ read func() []Endpoint }

var (
	endpointLabels   = []string{"upstream", "host", "address"}
	endpointInFlight = prometheus.NewDesc("llmservice_upstream_endpoint_in_flight",
		"Calls of an endpoint that are open now.", endpointLabels, nil)
	endpointAvailable = prometheus.NewDesc("llmservice_upstream_endpoint_available",
		"1 for an endpoint that has its share of the calls, otherwise 0.", endpointLabels, nil)
)

// Describe implements prometheus.Collector.
func (e *endpoints) Describe(to chan<- *prometheus.Desc) {
	to <- endpointInFlight
	to <- endpointAvailable
}

// labelled are the labels of an endpoint. URLs of one host may be several endpoints; together they have one figure.
type labelled struct{ upstream, host, address string }

// Collect implements prometheus.Collector.
func (e *endpoints) Collect(to chan<- prometheus.Metric) {
	type sum struct{ inFlight, available float64 }
	sums := map[labelled]sum{}
	for _, at := range e.read() {
		labels := labelled{at.Upstream, at.Host, at.Address}
		s, known := sums[labels]
		switch {
		case !known && len(sums) == MaxEndpoints:
			continue
		case !known:
			s.available = 1
		}
		if !at.Available {
			s.available = 0
		}
		s.inFlight += float64(at.InFlight)
		sums[labels] = s
	}
	for l, s := range sums {
		to <- prometheus.MustNewConstMetric(endpointInFlight, prometheus.GaugeValue, s.inFlight, l.upstream, l.host, l.address)
		to <- prometheus.MustNewConstMetric(endpointAvailable, prometheus.GaugeValue, s.available, l.upstream, l.host, l.address)
	}
}
