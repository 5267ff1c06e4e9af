package scenario

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const apiserverMetrics = `# TYPE apiserver_request_total counter
apiserver_request_total{code="200",dry_run="",resource="deployments",subresource="",verb="PATCH"} 2
apiserver_request_total{code="409",dry_run="",resource="deployments",subresource="",verb="PUT"} 1
apiserver_request_total{code="200",dry_run="",resource="deployments",subresource="status",verb="PUT"} 7
apiserver_request_total{code="200",dry_run="",resource="deployments",subresource="",verb="GET"} 9
apiserver_request_total{code="200",dry_run="",resource="deployments",subresource="",verb="WATCH"} 9
apiserver_request_total{code="201",dry_run="All",resource="pods",subresource="",verb="POST"} 5
apiserver_request_total{code="200",dry_run="",resource="llmservices",subresource="status",verb="APPLY"} 4
apiserver_request_total{code="200",dry_run="",resource="configmaps",subresource="",verb="DELETECOLLECTION"} 8
apiserver_request_total{code="200",dry_run="",resource="leases",subresource="",verb="PUT"} 99
# TYPE other counter
other{resource="deployments",verb="PATCH"} 1
`

// TestWritesOf holds the oracle of the settled operator to what it counts: were it blind, the test would always pass.
func TestWritesOf(t *testing.T) {
	got, err := writesOf(strings.NewReader(apiserverMetrics))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string]int{"deployments": 3, "llmservices/status": 4}, got); diff != "" {
		t.Error(diff)
	}
}
