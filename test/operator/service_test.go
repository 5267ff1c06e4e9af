package operator

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/llmservice/llmservice/api/v1alpha1"
)

func exposed(e v1alpha1.ServiceExposure) func(*v1alpha1.LLMService) {
	return func(l *v1alpha1.LLMService) {
		if e.Port == 0 {
			e.Port = 80
		}
		if l.Spec.Exposure == nil {
			l.Spec.Exposure = &v1alpha1.Exposure{}
		}
		l.Spec.Exposure.Service = &e
	}
}

// TestServiceSettings goes from each setting to another and back. None wedges the Service, whatever the API server had set besides, and each
// ends with an operator that writes nothing.
func TestServiceSettings(t *testing.T) {
	s := start(t)
	service := s.create("assistant")
	s.up(service)
	plain := v1alpha1.ServiceExposure{}
	var live corev1.Service
	for _, tt := range []struct {
		name string
		set  v1alpha1.ServiceExposure
		ok   func(*corev1.ServiceSpec) bool
	}{
		{"node port", v1alpha1.ServiceExposure{Type: "NodePort", ExternalTrafficPolicy: "Local"}, func(s *corev1.ServiceSpec) bool {
			return s.Type == corev1.ServiceTypeNodePort && s.ExternalTrafficPolicy == "Local" && s.Ports[0].NodePort > 0
		}},
		{"load balancer", v1alpha1.ServiceExposure{Type: "LoadBalancer", LoadBalancerClass: "example.com/a", ExternalTrafficPolicy: "Local"}, func(s *corev1.ServiceSpec) bool {
			return s.Type == corev1.ServiceTypeLoadBalancer && *s.LoadBalancerClass == "example.com/a" && s.HealthCheckNodePort > 0
		}},
		{"another port", v1alpha1.ServiceExposure{Type: "LoadBalancer", LoadBalancerClass: "example.com/a", Port: 81}, func(s *corev1.ServiceSpec) bool {
			return len(s.Ports) == 1 && s.Ports[0].Port == 81 && s.ExternalTrafficPolicy == "Cluster" && s.HealthCheckNodePort == 0
		}},
		{"cluster IP", v1alpha1.ServiceExposure{Type: "ClusterIP"}, isPlain},
		{"affinity", v1alpha1.ServiceExposure{SessionAffinity: "ClientIP"}, func(s *corev1.ServiceSpec) bool {
			return s.SessionAffinity == corev1.ServiceAffinityClientIP && *s.SessionAffinityConfig.ClientIP.TimeoutSeconds > 0
		}},
		{"no affinity", v1alpha1.ServiceExposure{SessionAffinity: "None"}, isPlain},
		{"affinity again", v1alpha1.ServiceExposure{SessionAffinity: "ClientIP"}, func(s *corev1.ServiceSpec) bool {
			return s.SessionAffinity == corev1.ServiceAffinityClientIP
		}},
		{"nothing", plain, isPlain},
		{"distribution", v1alpha1.ServiceExposure{TrafficDistribution: "PreferSameZone"}, func(s *corev1.ServiceSpec) bool {
			return s.TrafficDistribution != nil && *s.TrafficDistribution == "PreferSameZone"
		}},
		{"families", v1alpha1.ServiceExposure{IPFamilyPolicy: "PreferDualStack", IPFamilies: []v1alpha1.IPFamily{"IPv4"}}, func(s *corev1.ServiceSpec) bool {
			return *s.IPFamilyPolicy == corev1.IPFamilyPolicyPreferDualStack && s.IPFamilies[0] == corev1.IPv4Protocol && s.TrafficDistribution == nil
		}},
		{"further ports", v1alpha1.ServiceExposure{Ports: []v1alpha1.ServicePort{{Name: "proxy", Port: 8443, TargetPort: new(intstr.FromInt32(15008))}}}, func(s *corev1.ServiceSpec) bool {
			return len(s.Ports) == 2 && s.Ports[1].TargetPort.IntVal == 15008
		}},
		{"ports that change places", v1alpha1.ServiceExposure{Port: 8443, Ports: []v1alpha1.ServicePort{{Name: "proxy", Port: 80}}}, func(s *corev1.ServiceSpec) bool {
			return len(s.Ports) == 2 && s.Ports[0].Name == "http" && s.Ports[0].Port == 8443
		}},
		{"nothing again", plain, isPlain},
	} {
		s.edit(service, exposed(tt.set))
		eventually(t, tt.name, func() error {
			if err := api.Get(t.Context(), client.ObjectKeyFromObject(service), &live); err != nil {
				return err
			}
			if !tt.ok(&live.Spec) {
				return errors.New("the Service is " + live.Spec.String())
			}
			return nil
		})
		s.awaitCondition(service, v1alpha1.ConditionReady, "True/Ready")
	}
	s.settle()
}

func isPlain(s *corev1.ServiceSpec) bool {
	return s.Type == corev1.ServiceTypeClusterIP && len(s.Ports) == 1 && s.Ports[0].Port == 80 && s.Ports[0].NodePort == 0 &&
		s.SessionAffinity == corev1.ServiceAffinityNone && s.ExternalTrafficPolicy == "" && s.LoadBalancerClass == nil && s.TrafficDistribution == nil
}

// TestServiceMetadata: labels and annotations of the spec are there, are put back if somebody changes them, and go with the spec's; those
// of others stay.
func TestServiceMetadata(t *testing.T) {
	s := start(t)
	service := s.create("assistant", everything, exposed(v1alpha1.ServiceExposure{
		Labels: map[string]v1alpha1.LabelValue{"team": "a"}, Annotations: map[string]v1alpha1.AnnotationValue{"example.com/scheme": "internal"},
	}))
	s.up(service)
	s.settle()
	s.storm(service)
	s.silent(t)
	var live corev1.Service
	live.Namespace, live.Name = service.Namespace, service.Name
	await := func(what string, ok func() bool) {
		t.Helper()
		eventually(t, what, func() error {
			if err := api.Get(t.Context(), client.ObjectKeyFromObject(service), &live); err != nil {
				return err
			}
			if !ok() {
				return fmt.Errorf("labels %v, annotations %v", live.Labels, live.Annotations)
			}
			return nil
		})
	}
	edit(t, &live, func() {
		live.Labels["team"], live.Annotations["example.com/scheme"], live.Annotations["theirs"] = "b", "internet-facing", "x"
	})
	await("restoration", func() bool { return live.Labels["team"] == "a" && live.Annotations["example.com/scheme"] == "internal" })
	s.edit(service, exposed(v1alpha1.ServiceExposure{}))
	await("removal", func() bool {
		return live.Labels["team"] == "" && live.Annotations["example.com/scheme"] == "" && live.Annotations["theirs"] == "x"
	})

	s.edit(service, exposed(v1alpha1.ServiceExposure{Annotations: map[string]v1alpha1.AnnotationValue{"serving.llmservice.dev/a": "b"}}))
	want := "spec.exposure.service.annotations: serving.llmservice.dev/a must not be set"
	if message := s.awaitCondition(service, v1alpha1.ConditionConfigValid, "False/Invalid"); !strings.HasPrefix(message, want) {
		t.Errorf("ConfigValid says %q, want %s", message, want)
	}
}

// TestHeadlessService comes and goes with its field.
func TestHeadlessService(t *testing.T) {
	s := start(t)
	service := s.create("assistant", exposed(v1alpha1.ServiceExposure{Headless: new(true), Type: "LoadBalancer"}))
	s.up(service)
	var live corev1.Service
	key := client.ObjectKey{Namespace: service.Namespace, Name: "assistant-headless"}
	if !exists(t, key, &live) || live.Spec.ClusterIP != corev1.ClusterIPNone || live.Spec.Type != corev1.ServiceTypeClusterIP {
		t.Errorf("the headless Service is %v", live.Spec)
	}
	s.settle()
	s.edit(service, exposed(v1alpha1.ServiceExposure{}))
	eventually(t, "removal", func() error {
		if exists(t, key, &live) {
			return errors.New("it is still there")
		}
		return nil
	})
}

// What Kubernetes refuses to change of a Service is reported in its words, and holds up nothing else.
func TestAServiceThatCannotChangeHoldsUpNothing(t *testing.T) {
	s := start(t)
	service := s.create("assistant")
	s.up(service)
	s.edit(service, func(l *v1alpha1.LLMService) {
		exposed(v1alpha1.ServiceExposure{IPFamilies: []v1alpha1.IPFamily{"IPv6"}})(l)
		l.Spec.Runtime.PodDisruptionBudget = &v1alpha1.PodDisruptionBudget{MaxUnavailable: new(intstr.FromInt32(2))}
	})
	if message := s.awaitCondition(service, v1alpha1.ConditionStalled, "True/ApplyFailed"); !strings.Contains(message, "ipFamilies") {
		t.Errorf("Stalled says %q", message)
	}
	eventually(t, "the budget", func() error {
		var budget policyv1.PodDisruptionBudget
		if err := api.Get(t.Context(), client.ObjectKeyFromObject(service), &budget); err != nil {
			return err
		}
		if got := budget.Spec.MaxUnavailable.String(); got != "2" {
			return errors.New("it is " + got)
		}
		return nil
	})
	s.edit(service, exposed(v1alpha1.ServiceExposure{}))
	s.awaitCondition(service, v1alpha1.ConditionReady, "True/Ready")
}
