package render

import (
	networkingv1 "k8s.io/api/networking/v1"
	acnetworkingv1 "k8s.io/client-go/applyconfigurations/networking/v1"

	"github.com/llmservice/llmservice/api/v1alpha1"
)

// +kubebuilder:rbac:groups=networking.k8s.io,resources=ingresses,verbs=get;list;watch;create;patch;delete

func ingress(in Input) ([]Child, error) {
	s := in.Service
	wanted := valueOf(s.Spec.Exposure).Ingress
	if wanted == nil {
		return nil, nil
	}
	path := acnetworkingv1.HTTPIngressPath().
		WithPath("/").
		WithPathType(networkingv1.PathTypePrefix).
		WithBackend(acnetworkingv1.IngressBackend().WithService(acnetworkingv1.IngressServiceBackend().
			WithName(s.Name).
			WithPort(acnetworkingv1.ServiceBackendPort().WithNumber(servicePort(s)))))
	spec := acnetworkingv1.IngressSpec().WithRules(acnetworkingv1.IngressRule().
		WithHost(wanted.Host).
		WithHTTP(acnetworkingv1.HTTPIngressRuleValue().WithPaths(path)))
	if wanted.ClassName != "" {
		spec.WithIngressClassName(wanted.ClassName)
	}
	if wanted.TLS != nil {
		tls := acnetworkingv1.IngressTLS().WithHosts(wanted.Host)
		if wanted.TLS.SecretName != "" {
			tls.WithSecretName(wanted.TLS.SecretName)
		}
		spec.WithTLS(tls)
	}
	object := acnetworkingv1.Ingress(s.Name, s.Namespace).WithSpec(spec).WithAnnotations(texts(wanted.Annotations))
	return []Child{NewChild(object, object.ObjectMetaApplyConfiguration)}, nil
}

// ingressURL is where clients outside the cluster reach the service through its Ingress; empty if it has none.
func ingressURL(s *v1alpha1.LLMService) string {
	wanted := valueOf(s.Spec.Exposure).Ingress
	switch {
	case wanted == nil:
		return ""
	case wanted.TLS != nil:
		return "https://" + wanted.Host
	default:
		return "http://" + wanted.Host
	}
}
