package render

import (
	"fmt"
	"slices"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"

	"github.com/llmservice/llmservice/api/v1alpha1"
	"github.com/llmservice/llmservice/runtime/config/delivery"
)

// Kind is a row of the table of children: a kind of object, and what makes a service's objects of it. What the operator
// watches, caches, reads, applies and deletes follows from the table.
type Kind struct {
	schema.GroupVersionKind
	// Build returns the objects that a service is to have, each with its own name; none if the service does not want them. A name is
	// the service's, or begins with it and a dash.
	Build func(Input) ([]Child, error)
	// Purpose is what the objects are for, as docs/reference/children.md has it.
	Purpose string
	// Optional says that a cluster may lack the kind. The objects come when its CRD is installed, and go with it.
	Optional bool
}

// The kinds of the children that others refer to.
var (
	accountKind    = corev1.SchemeGroupVersion.WithKind("ServiceAccount")
	documentsKind  = corev1.SchemeGroupVersion.WithKind("ConfigMap")
	gatewaysKind   = appsv1.SchemeGroupVersion.WithKind("Deployment")
	autoscalerKind = autoscalingv2.SchemeGroupVersion.WithKind("HorizontalPodAutoscaler")
)

// Table has one row for each kind, in the order in which the objects are applied.
type Table []Kind

// Kinds returns the kinds of objects that services have. What pods need comes before the pods, and the autoscaler after them.
func Kinds() Table {
	return Table{{
		GroupVersionKind: accountKind,
		Build:            serviceAccount,
		Purpose:          "the pods' identity; it has no rights, and no token is mounted",
	}, {
		GroupVersionKind: documentsKind,
		Build:            configMap,
		Purpose:          "the config: `current`, and `lastGood` to fall back on",
	}, {
		GroupVersionKind: corev1.SchemeGroupVersion.WithKind("Service"),
		Build:            service,
		Purpose:          "port `exposure.service.port` (80) to the gateway's 8080; another, if `exposure.service.headless` is set",
	}, {
		GroupVersionKind: policyv1.SchemeGroupVersion.WithKind("PodDisruptionBudget"),
		Build:            podDisruptionBudget,
		Purpose:          "`runtime.podDisruptionBudget.maxUnavailable` (25%) of the replicas are evicted at a time",
	}, {
		GroupVersionKind: networkingv1.SchemeGroupVersion.WithKind("NetworkPolicy"),
		Build:            networkPolicy,
		Purpose:          "only if `exposure.networkPolicy` is set; who may connect to the gateways, and whom they may connect to",
	}, {
		GroupVersionKind: gatewaysKind,
		Build:            deployment,
		Purpose:          "the gateways",
	}, {
		GroupVersionKind: autoscalerKind,
		Build:            horizontalPodAutoscaler,
		Purpose:          "only if `spec.scaling` is set; it scales the LLMService, not the Deployment",
	}, {
		GroupVersionKind: networkingv1.SchemeGroupVersion.WithKind("Ingress"),
		Build:            ingress,
		Purpose:          "only if `exposure.ingress` is set; from an Ingress controller to the Service",
	}, {
		GroupVersionKind: RouteKind,
		Build:            httpRoute,
		Purpose:          "only if `exposure.httpRoute` is set; from Gateways to the Service, without timeouts",
		Optional:         true,
	}, {
		GroupVersionKind: monitoringKind("PodMonitor"),
		Build:            podMonitor,
		Purpose:          "only if `monitoring.podMonitor` is set; a Prometheus scrapes the admin port of each replica",
		Optional:         true,
	}, {
		GroupVersionKind: monitoringKind("ServiceMonitor"),
		Build:            serviceMonitor,
		Purpose:          "only if `monitoring.serviceMonitor` is set; the same, found through the Service",
		Optional:         true,
	}, {
		GroupVersionKind: monitoringKind("PrometheusRule"),
		Build:            prometheusRule,
		Purpose:          "only if `monitoring.prometheusRule` is set; alerts about this service",
		Optional:         true,
	}}
}

// IsOptional reports whether a cluster may lack the kind.
func (t Table) IsOptional(kind schema.GroupVersionKind) bool {
	return slices.ContainsFunc(t, func(k Kind) bool { return k.Optional && k.GroupVersionKind == kind })
}

// Children returns the service's children in the order of the table. It fails if the spec has a value that the API would
// have refused.
func (t Table) Children(in Input) ([]Child, error) {
	var children []Child
	for _, kind := range t {
		built, err := kind.Build(in)
		if err != nil {
			return nil, err
		}
		for i := range built {
			if err := kind.finish(&built[i], in.Service); err != nil {
				return nil, err
			}
		}
		children = append(children, built...)
	}
	return children, nil
}

// finish adds what every child has: its kind, labels, the owner, the hash.
func (k Kind) finish(c *Child, s *v1alpha1.LLMService) error {
	c.GroupVersionKind = k.GroupVersionKind
	c.NamespacedName = types.NamespacedName{Namespace: s.Namespace, Name: valueOf(c.meta.Name)}
	if !IsChildName(c.Name, s.Name) {
		return fmt.Errorf("%s %q: want a name that is %q or begins with %q", k.Kind, c.Name, s.Name, s.Name+"-")
	}
	return own(c, s)
}

// IsChildName reports whether an object may be a child of a service by their names.
func IsChildName(name, service string) bool {
	return name == service || strings.HasPrefix(name, service+"-")
}

// ChildKey identifies a child among those of its service.
type ChildKey struct {
	schema.GroupVersionKind

	Name string
}

func (k ChildKey) String() string { return k.Kind + " " + k.Name }

// Compare orders children by kind and name.
func (k ChildKey) Compare(other ChildKey) int { return strings.Compare(k.String(), other.String()) }

// AccountKey is the ServiceAccount of a service's pods.
func AccountKey(service string) ChildKey {
	return ChildKey{accountKind, service}
}

// DocumentsKey is the ConfigMap that gateways read.
func DocumentsKey(service string) ChildKey {
	return ChildKey{documentsKind, delivery.ConfigMapName(service)}
}

// GatewaysKey is the Deployment that the service's replicas are of.
func GatewaysKey(service string) ChildKey {
	return ChildKey{gatewaysKind, service}
}

// AutoscalerKey is the HorizontalPodAutoscaler of spec.scaling.
func AutoscalerKey(service string) ChildKey {
	return ChildKey{autoscalerKind, service}
}
