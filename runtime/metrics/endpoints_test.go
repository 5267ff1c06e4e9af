package metrics

import (
	"fmt"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus/testutil"
)

// Endpoints of one host in one upstream have one figure, and an endpoint that fails is seen in it.
func TestFiguresOfEndpoints(t *testing.T) {
	e := endpoints{func() []Endpoint {
		return []Endpoint{
			{Upstream: "a", Host: "pods:8000", Address: "10.0.0.1", InFlight: 2, Available: true},
			{Upstream: "a", Host: "pods:8000", Address: "10.0.0.2"},
			{Upstream: "a", Host: "host", InFlight: 1, Available: true},
			{Upstream: "a", Host: "host", InFlight: 1},
		}
	}}
	const want = `
# HELP llmservice_upstream_endpoint_available 1 for an endpoint that has its share of the calls, otherwise 0.
# TYPE llmservice_upstream_endpoint_available gauge
llmservice_upstream_endpoint_available{address="",host="host",upstream="a"} 0
llmservice_upstream_endpoint_available{address="10.0.0.1",host="pods:8000",upstream="a"} 1
llmservice_upstream_endpoint_available{address="10.0.0.2",host="pods:8000",upstream="a"} 0
# HELP llmservice_upstream_endpoint_in_flight Calls of an endpoint that are open now.
# TYPE llmservice_upstream_endpoint_in_flight gauge
llmservice_upstream_endpoint_in_flight{address="",host="host",upstream="a"} 2
llmservice_upstream_endpoint_in_flight{address="10.0.0.1",host="pods:8000",upstream="a"} 2
llmservice_upstream_endpoint_in_flight{address="10.0.0.2",host="pods:8000",upstream="a"} 0
`
	if err := testutil.CollectAndCompare(&e, strings.NewReader(want)); err != nil {
		t.Error(err)
	}
}

// However many addresses DNS has, there is a bound to the series.
func TestSeriesOfEndpointsAreBounded(t *testing.T) {
	e := endpoints{func() (all []Endpoint) {
		for i := range 4 * MaxEndpoints {
			all = append(all, Endpoint{Upstream: "a", Host: "pods", Address: fmt.Sprintf("10.0.%d.%d", i/250, i%250)})
		}
		return all
	}}
	if n := testutil.CollectAndCount(&e); n != 2*MaxEndpoints {
		t.Errorf("%d series", n)
	}
}
