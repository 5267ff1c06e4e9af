package render

import (
	"cmp"
	"net/url"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/runtime/schema"
	acmetav1 "k8s.io/client-go/applyconfigurations/meta/v1"

	"github.com/llmservice/llmservice/api/v1alpha1"
)

// RouteKind is that of exposure.httpRoute.
var RouteKind = schema.GroupVersionKind{Group: "gateway.networking.k8s.io", Version: "v1", Kind: "HTTPRoute"}

// RouteKey is the HTTPRoute of exposure.httpRoute.
func RouteKey(service string) ChildKey {
	return ChildKey{RouteKind, service}
}

// custom is the apply configuration of a kind that comes with a CRD: its Go types would be a dependency for a few fields.
type custom[Spec any] struct {
	acmetav1.TypeMetaApplyConfiguration    `json:",inline"`
	*acmetav1.ObjectMetaApplyConfiguration `json:"metadata"`

	Spec Spec `json:"spec"`
}

// IsApplyConfiguration implements runtime.ApplyConfiguration.
func (custom[Spec]) IsApplyConfiguration() {}

// customChild returns a service's only child of a kind that comes with a CRD, with labels in addition to those of every child.
func customChild[Spec any](
	kind schema.GroupVersionKind, s *v1alpha1.LLMService, labels map[string]v1alpha1.LabelValue, spec Spec,
) Child {
	meta := acmetav1.ObjectMeta().WithName(s.Name).WithNamespace(s.Namespace).WithLabels(texts(labels))
	return NewChild(custom[Spec]{
		*acmetav1.TypeMeta().WithAPIVersion(kind.GroupVersion().String()).WithKind(kind.Kind), meta, spec,
	}, meta)
}

type routeSpec struct {
	ParentRefs []v1alpha1.RouteParent `json:"parentRefs"`
	Hostnames  []string               `json:"hostnames,omitempty"`
	Rules      []routeRule            `json:"rules"`
}

type routeRule struct {
	Matches     []routeMatch   `json:"matches"`
	BackendRefs []routeBackend `json:"backendRefs"`
	Timeouts    routeTimeouts  `json:"timeouts"`
}

type routeMatch struct {
	Path routePath `json:"path"`
}

type routePath struct {
	Type  string `json:"type"`
	Value string `json:"value"`
}

type routeBackend struct {
	Kind   string `json:"kind"`
	Name   string `json:"name"`
	Port   int32  `json:"port"`
	Weight int32  `json:"weight"`
}

type routeTimeouts struct {
	Request        string `json:"request"`
	BackendRequest string `json:"backendRequest"`
}

// unbounded turns a timeout of a route off (https://gateway-api.sigs.k8s.io/geps/gep-1742/). Without it, each implementation has
// a default of its own, some of which are shorter than a stream.
const unbounded = "0s"

// +kubebuilder:rbac:groups=gateway.networking.k8s.io,resources=httproutes,verbs=get;list;watch;create;patch;delete

func httpRoute(in Input) ([]Child, error) {
	wanted := valueOf(in.Service.Spec.Exposure).HTTPRoute
	if wanted == nil {
		return nil, nil
	}
	return []Child{customChild(RouteKind, in.Service, nil, routeSpec{
		ParentRefs: wanted.ParentRefs,
		Hostnames:  wanted.Hostnames,
		Rules: []routeRule{{
			Matches:     []routeMatch{{routePath{"PathPrefix", "/"}}},
			BackendRefs: []routeBackend{{"Service", in.Service.Name, servicePort(in.Service), 1}},
			Timeouts:    routeTimeouts{unbounded, unbounded},
		}},
	})}, nil
}

// routeURL is where clients outside the cluster reach the service through its HTTPRoute; empty if no hostname says so.
func routeURL(s *v1alpha1.LLMService) string {
	route := valueOf(valueOf(s.Spec.Exposure).HTTPRoute)
	whole := slices.IndexFunc(route.Hostnames, func(name string) bool { return !strings.HasPrefix(name, "*") })
	if whole < 0 {
		return ""
	}
	return (&url.URL{Scheme: string(cmp.Or(route.Scheme, "https")), Host: route.Hostnames[whole]}).String()
}
