package render

import (
	"fmt"
	"net/url"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	accorev1 "k8s.io/client-go/applyconfigurations/core/v1"

	"github.com/llmservice/llmservice/api/v1alpha1"
)

const httpPort = 80

// +kubebuilder:rbac:groups="",resources=services,verbs=get;list;watch;create;patch

func service(in Input) ([]Child, error) {
	s := in.Service
	object := accorev1.Service(s.Name, s.Namespace).WithSpec(accorev1.ServiceSpec().
		WithType(corev1.ServiceTypeClusterIP).
		WithSelector(SelectorLabels(s)).
		WithPorts(accorev1.ServicePort().
			WithName(portNameHTTP).
			WithProtocol(corev1.ProtocolTCP).
			WithAppProtocol("http").
			WithPort(servicePort(s)).
			WithTargetPort(intstr.FromString(portNameHTTP))))
	return []Child{NewChild(object, object.ObjectMetaApplyConfiguration)}, nil
}

// URL is where the service can be reached: by the hostname of its route if the cluster has routes, by that of its Ingress, or
// within the cluster.
func URL(s *v1alpha1.LLMService, routes bool) string {
	if outside := routeURL(s); routes && outside != "" {
		return outside
	}
	if outside := ingressURL(s); outside != "" {
		return outside
	}
	host := fmt.Sprintf("%s.%s.svc", s.Name, s.Namespace)
	if port := servicePort(s); port != httpPort {
		host = fmt.Sprintf("%s:%d", host, port)
	}
	return (&url.URL{Scheme: "http", Host: host}).String()
}

func servicePort(s *v1alpha1.LLMService) int32 {
	exposure := valueOf(s.Spec.Exposure)
	return valueOf(exposure.Service).Port
}
