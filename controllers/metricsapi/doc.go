// Package metricsapi serves the load of LLMServices as custom.metrics.k8s.io, from which the HPA controller reads.
//
// The group is a singleton of the cluster: the API server sends every request for it to the Service that its
// APIServices name. The HPA controller of Kubernetes 1.37 asks for whichever version discovery prefers, and other
// clients for the older one, so both are served and both APIServices belong to the server of the metrics.
package metricsapi

import "k8s.io/metrics/pkg/apis/custom_metrics"

// Group is the API group that is served.
const Group = custom_metrics.GroupName

// The APIServices that the installation renders and that must name the manager's Service.
const (
	APIServiceV1beta1 = "v1beta1." + Group
	APIServiceV1beta2 = "v1beta2." + Group
)

// APIServices lists every APIService of the group.
func APIServices() []string { return []string{APIServiceV1beta1, APIServiceV1beta2} }
