package controllers

import (
	"encoding/json"
	"testing"

	"github.com/llmservice/llmservice/api/v1alpha1"
)

// TestRouteAccepted: each parent of the spec has to accept the route as it is now; what is said of others does not count.
func TestRouteAccepted(t *testing.T) {
	for name, tt := range map[string]struct{ reports, want string }{
		"nobody": {`[]`, "False/Pending: No controller has reported yet on Gateway infra/public, Gateway team-a/own listener web"},
		"both": {
			`[
			{"parentRef": {"name": "public", "namespace": "infra"}, "conditions": [{"type": "Accepted", "status": "True", "observedGeneration": 3}]},
			{"parentRef": {"group": "gateway.networking.k8s.io", "kind": "Gateway", "name": "own", "sectionName": "web"},
				"conditions": [{"type": "Accepted", "status": "True"}, {"type": "ResolvedRefs", "status": "True"}]}]`,
			"True/Accepted: Every parent accepts the HTTPRoute",
		},
		"one": {
			`[{"parentRef": {"name": "public", "namespace": "infra"}, "conditions": [{"type": "Accepted", "status": "True"}]}]`,
			"False/Pending: No controller has reported yet on Gateway team-a/own listener web",
		},
		"another listener": {
			`[{"parentRef": {"name": "own", "sectionName": "tls"}, "conditions": [{"type": "Accepted", "status": "True"}]},
			{"parentRef": {"name": "public", "namespace": "infra"}, "conditions": [{"type": "Accepted", "status": "True"}]}]`,
			"False/Pending: No controller has reported yet on Gateway team-a/own listener web",
		},
		"of an older generation": {
			`[{"parentRef": {"name": "public", "namespace": "infra"}, "conditions": [{"type": "Accepted", "status": "False", "observedGeneration": 2}]}]`,
			"False/Pending: No controller has reported yet on Gateway infra/public, Gateway team-a/own listener web",
		},
		"refused by one": {
			`[{"parentRef": {"name": "public", "namespace": "infra"},
				"conditions": [{"type": "Accepted", "status": "False", "reason": "NoMatchingListenerHostname", "message": "no"}]}]`,
			"False/NotAccepted: Gateway infra/public: NoMatchingListenerHostname: no",
		},
		"unresolved": {
			`[{"parentRef": {"name": "public", "namespace": "infra"},
				"conditions": [{"type": "Accepted", "status": "True"}, {"type": "ResolvedRefs", "status": "False", "reason": "BackendNotFound"}]}]`,
			"False/NotAccepted: Gateway infra/public: BackendNotFound",
		},
		"what is not known": {
			`[{"parentRef": {"name": "public", "namespace": "infra"}, "conditions": [{"type": "Programmed", "status": "False"}]}]`,
			"False/Pending: No controller has reported yet on Gateway infra/public, Gateway team-a/own listener web",
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := route{
				parents:   []v1alpha1.RouteParent{{Name: "public", Namespace: "infra"}, {Name: "own", SectionName: "web"}},
				namespace: "team-a", generation: 3,
			}
			if err := json.Unmarshal([]byte(tt.reports), &r.reports); err != nil {
				t.Fatal(err)
			}
			c := r.accepted()
			if got := string(c.Status) + "/" + c.Reason + ": " + c.Message; got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
		})
	}
}

// Without a kind there is no object of it, and Ready says so: it is otherwise as good as forgotten.
func TestReadySaysWhatTheClusterLacks(t *testing.T) {
	f := steady()
	f.lacking = []string{"The cluster has no PodMonitor (monitoring.coreos.com/v1): install its CustomResourceDefinition"}
	got := conditionsOf(f)[0]
	const want = "The service serves the spec, except for what the cluster lacks. " +
		"The cluster has no PodMonitor (monitoring.coreos.com/v1): install its CustomResourceDefinition"
	if got.Reason != v1alpha1.ReasonReady || got.Message != want {
		t.Errorf("%s: %s", got.Reason, got.Message)
	}
}
