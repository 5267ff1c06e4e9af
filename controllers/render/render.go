// Package render turns an LLMService into its child objects. It is pure: equal inputs give equal objects, so that an
// operator with nothing to change writes nothing.
package render

import (
	corev1 "k8s.io/api/core/v1"

	"github.com/llmservice/llmservice/api/v1alpha1"
	"github.com/llmservice/llmservice/runtime/config/addresses"
	"github.com/llmservice/llmservice/runtime/config/egress"
)

// Input is all that the children depend on.
type Input struct {
	// Service is read from the API server: it has a UID, and its defaults are set.
	Service *v1alpha1.LLMService
	// Current is the config to serve, LastGood the one to serve where a gateway cannot load it; LastGood may be zero.
	Current, LastGood Document
	// Replicas is how many gateways the Deployment shall have.
	Replicas int32
	Gateway  GatewaySettings
}

// GatewaySettings are what the flags of the operator set of gateways.
type GatewaySettings struct {
	// Image is used where the service names none.
	Image      string
	PullPolicy corev1.PullPolicy
	// PullSecrets are the names of Secrets, in the namespace of each service, with which nodes pull images.
	PullSecrets []string
	// AllowedImages are the repositories that a service may name an image of, besides that of Image: each a name, or
	// a prefix that ends in "/*".
	AllowedImages []string
	// AllowedHosts are those that a service's upstreams may have; empty for all.
	AllowedHosts Hosts
	// LogLevel is passed on to the gateway; empty leaves the gateway's default.
	LogLevel string
	// Addresses are passed on to the gateway.
	Addresses addresses.Rules
	// Proxy is passed on to the gateway.
	Proxy egress.Proxy
	// OperatorNamespace is the operator's own, and MonitoringNamespaces are those that scrape metrics. NetworkPolicies admit them
	// to the admin port. The first is empty if it is not known.
	OperatorNamespace    string
	MonitoringNamespaces []string
}

// A service that was read from the API server has a runtime; one that was built in Go may not.
func runtimeOf(s *v1alpha1.LLMService) v1alpha1.Runtime { return valueOf(s.Spec.Runtime) }

func valueOf[T any](p *T) T {
	if p == nil {
		var zero T
		return zero
	}
	return *p
}
