package operator

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/llmservice/llmservice/api/v1alpha1"
)

// sized asks for CPU, and limits memory.
func sized(service *v1alpha1.LLMService) {
	service.Spec.Runtime = &v1alpha1.Runtime{Resources: &v1alpha1.Resources{
		Requests: &v1alpha1.ResourceList{CPU: new(resource.MustParse("250m")), Memory: new(resource.MustParse("128Mi"))},
		Limits:   &v1alpha1.ResourceList{Memory: new(resource.MustParse("256Mi"))},
	}}
}

// TestAVerticalAutoscalerIsLeftAlone: pods that are resized in place, as a VerticalPodAutoscaler and kubectl do, keep their
// size. The operator has nothing to say about them, and writes nothing.
func TestAVerticalAutoscalerIsLeftAlone(t *testing.T) {
	s := start(t)
	service := s.create("assistant", sized)
	s.up(service)
	s.settle()
	before := s.template(service)

	pod := &corev1.Pod{}
	pod.Namespace, pod.Name = s.namespace, "assistant-a"
	s.hasRuntimeResources(pod)
	const resized = `{"spec":{"containers":[{"name":"gateway","resources":{
		"requests":{"cpu":"1","memory":"512Mi"},"limits":{"memory":"1Gi"}}}]}}`
	patch := client.RawPatch(types.StrategicMergePatchType, []byte(resized))
	if err := api.SubResource("resize").Patch(t.Context(), pod, patch); err != nil {
		t.Fatal(err)
	}
	s.settle()
	s.edit(service, replicas(3)) // it writes again, and to the Deployment
	s.fleet.pod(service, "assistant-c", s.fleet.delivered(service))
	s.fleet.rollOut(service)
	s.awaitCondition(service, v1alpha1.ConditionReady, "True/Ready")
	s.settle()
	s.silent(t)
	if err := api.Get(t.Context(), client.ObjectKeyFromObject(pod), pod); err != nil {
		t.Fatal(err)
	}
	got := pod.Spec.Containers[0].Resources
	if got.Requests.Cpu().String() != "1" || got.Requests.Memory().String() != "512Mi" || got.Limits.Memory().String() != "1Gi" {
		t.Errorf("the pod was resized, and has %v", got)
	}
	if diff := cmp.Diff(before, s.template(service)); diff != "" {
		t.Errorf("the template of pods has changed (-before +after):\n%s", diff)
	}
}

// hasRuntimeResources reports the resources of a pod's container as a kubelet does; without these, the API server resizes no running pod.
func (s *system) hasRuntimeResources(pod *corev1.Pod) {
	s.t.Helper()
	if err := api.Get(s.t.Context(), client.ObjectKeyFromObject(pod), pod); err != nil {
		s.t.Fatal(err)
	}
	pod.Status.ContainerStatuses[0].Resources = &pod.Spec.Containers[0].Resources
	if err := api.Status().Update(s.t.Context(), pod); err != nil {
		s.t.Fatal(err)
	}
}

// template is what a service's pods are made from.
func (s *system) template(service *v1alpha1.LLMService) corev1.PodTemplateSpec {
	s.t.Helper()
	var deployment appsv1.Deployment
	if err := api.Get(s.t.Context(), client.ObjectKeyFromObject(service), &deployment); err != nil {
		s.t.Fatal(err)
	}
	return deployment.Spec.Template
}

// TestResourcesOfTheTemplate: what the spec says of resources is the operator's, in the Deployment, too; what it does not say, another field
// manager may, such as a policy that gives each container a request.
func TestResourcesOfTheTemplate(t *testing.T) {
	for name, tt := range map[string]struct {
		change func(*v1alpha1.LLMService)
		want   string
	}{
		"in the spec":     {sized, "250m"},
		"not in the spec": {func(*v1alpha1.LLMService) {}, "2"},
	} {
		t.Run(name, func(t *testing.T) {
			s := start(t)
			service := s.create("assistant", tt.change)
			s.up(service)
			s.settle()
			deployment := &appsv1.Deployment{}
			deployment.Namespace, deployment.Name = s.namespace, service.Name
			const asked = `{"spec":{"template":{"spec":{"containers":[{"name":"gateway","resources":{"requests":{"cpu":"2"}}}]}}}}`
			patch := client.RawPatch(types.StrategicMergePatchType, []byte(asked))
			if err := api.Patch(t.Context(), deployment, patch, client.FieldOwner("policy")); err != nil {
				t.Fatal(err)
			}
			s.settle()
			s.silent(t)
			if err := api.Get(t.Context(), client.ObjectKeyFromObject(deployment), deployment); err != nil {
				t.Fatal(err)
			}
			if got := deployment.Spec.Template.Spec.Containers[0].Resources.Requests.Cpu().String(); got != tt.want {
				t.Errorf("the template asks for %s, want %s", got, tt.want)
			}
		})
	}
}
