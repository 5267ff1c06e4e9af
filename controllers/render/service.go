package render

import (
	"fmt"
	"net/url"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/apimachinery/pkg/util/validation"
	accorev1 "k8s.io/client-go/applyconfigurations/core/v1"

	"github.com/llmservice/llmservice/api/v1alpha1"
	"github.com/llmservice/llmservice/runtime/config"
)

const httpPort = 80

// headlessSuffix follows the service's name in that of its headless Service.
const headlessSuffix = "-headless"

// +kubebuilder:rbac:groups="",resources=services,verbs=get;list;watch;create;patch;delete

func service(in Input) ([]Child, error) {
	exposed := serviceOf(in.Service)
	main := serviceObject(in.Service, in.Service.Name)
	main.Spec.WithType(corev1.ServiceTypeClusterIP)
	addServiceSettings(main, &exposed)
	all := []Child{NewChild(main, main.ObjectMetaApplyConfiguration)}
	if valueOf(exposed.Headless) {
		headless := serviceObject(in.Service, in.Service.Name+headlessSuffix)
		headless.Spec.WithType(corev1.ServiceTypeClusterIP).WithClusterIP(corev1.ClusterIPNone)
		addFamilies(headless, &exposed)
		all = append(all, NewChild(headless, headless.ObjectMetaApplyConfiguration))
	}
	return all, nil
}

// serviceObject is what all Services of a service have.
func serviceObject(s *v1alpha1.LLMService, name string) *accorev1.ServiceApplyConfiguration {
	object := accorev1.Service(name, s.Namespace).WithSpec(accorev1.ServiceSpec().
		WithSelector(SelectorLabels(s)).
		WithPorts(accorev1.ServicePort().
			WithName(portNameHTTP).
			WithProtocol(corev1.ProtocolTCP).
			WithAppProtocol("http").
			WithPort(servicePort(s)).
			WithTargetPort(intstr.FromString(portNameHTTP))))
	ports := serviceOf(s).Ports
	for i, target := range furtherTargets(s) {
		object.Spec.WithPorts(accorev1.ServicePort().
			WithName(ports[i].Name).WithProtocol(corev1.ProtocolTCP).WithPort(ports[i].Port).WithTargetPort(target))
	}
	return object
}

// furtherTargets are the ports of the pods to which the further ports of the Service lead, in their order.
func furtherTargets(s *v1alpha1.LLMService) []intstr.IntOrString {
	ports := serviceOf(s).Ports
	targets := make([]intstr.IntOrString, len(ports))
	for i := range ports {
		targets[i] = intstr.FromString(portNameHTTP)
		if ports[i].TargetPort != nil {
			targets[i] = *ports[i].TargetPort
		}
	}
	return targets
}

// addServiceSettings sets what the spec sets, and nothing else: other fields belong to the cluster.
func addServiceSettings(object *accorev1.ServiceApplyConfiguration, e *v1alpha1.ServiceExposure) {
	object.WithLabels(texts(e.Labels)).WithAnnotations(texts(e.Annotations))
	if e.Type != "" {
		object.Spec.WithType(corev1.ServiceType(e.Type))
	}
	if e.LoadBalancerClass != "" {
		object.Spec.WithLoadBalancerClass(e.LoadBalancerClass)
	}
	if e.ExternalTrafficPolicy != "" {
		object.Spec.WithExternalTrafficPolicy(corev1.ServiceExternalTrafficPolicy(e.ExternalTrafficPolicy))
	}
	if e.TrafficDistribution != "" {
		object.Spec.WithTrafficDistribution(string(e.TrafficDistribution))
	}
	if e.SessionAffinity != "" {
		object.Spec.WithSessionAffinity(corev1.ServiceAffinity(e.SessionAffinity))
	}
	addFamilies(object, e)
}

func addFamilies(object *accorev1.ServiceApplyConfiguration, e *v1alpha1.ServiceExposure) {
	if e.IPFamilyPolicy != "" {
		object.Spec.WithIPFamilyPolicy(corev1.IPFamilyPolicy(e.IPFamilyPolicy))
	}
	for _, family := range e.IPFamilies {
		object.Spec.WithIPFamilies(corev1.IPFamily(family))
	}
}

// checkService refuses names of labels, annotations and ports that Kubernetes would refuse, and those that the operator writes.
func checkService(s *v1alpha1.LLMService) config.Errors {
	exposed, at := serviceOf(s), "exposure.service."
	errs := slices.Concat(checkKeys(at+"labels", exposed.Labels), checkKeys(at+"annotations", exposed.Annotations))
	for i := range exposed.Ports {
		target := exposed.Ports[i].TargetPort
		if target == nil || target.Type == intstr.Int {
			continue
		}
		if wrong := validation.IsValidPortName(target.StrVal); len(wrong) > 0 {
			errs = append(errs, config.FieldErrorf(fmt.Sprintf("%sports[%d].targetPort", at, i), "%s", wrong[0]))
		}
	}
	return errs
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
	return serviceOf(s).Port
}

func serviceOf(s *v1alpha1.LLMService) v1alpha1.ServiceExposure {
	exposure := valueOf(s.Spec.Exposure)
	return valueOf(exposure.Service)
}
