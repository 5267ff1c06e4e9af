package operator

import (
	"fmt"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/llmservice/llmservice/api/v1alpha1"
	"github.com/llmservice/llmservice/controllers/render"
)

// A controller that creates a pod beyond a quota gets the API server's words, and repeats them in the Deployment.
func TestPodsThatCannotBeCreatedAreAnEvent(t *testing.T) {
	s := start(t)
	service := s.create("assistant")
	s.up(service)
	words := s.quotaExceeded(service)
	var deployment appsv1.Deployment
	deployment.Namespace, deployment.Name = s.namespace, service.Name
	s.editStatus(&deployment, func() {
		deployment.Status.AvailableReplicas, deployment.Status.ReadyReplicas = 0, 0
		deployment.Status.Conditions = []appsv1.DeploymentCondition{{
			Type: appsv1.DeploymentReplicaFailure, Status: corev1.ConditionTrue, Reason: "FailedCreate", Message: words,
		}}
	})
	if event := s.awaitEvent(service, "ReplicaFailed"); event.Type != corev1.EventTypeWarning || !strings.Contains(event.Note, words) {
		t.Errorf("event %s %q, want %q", event.Type, event.Note, words)
	}
	for _, kind := range []string{v1alpha1.ConditionAvailable, v1alpha1.ConditionReady} {
		if message := s.awaitCondition(service, kind, "False/QuotaExceeded"); !strings.Contains(message, words) {
			t.Errorf("%s says %q, want %q", kind, message, words)
		}
	}
}

// quotaExceeded makes a quota that allows no more pods, and returns the error that the next one gets.
func (s *system) quotaExceeded(service *v1alpha1.LLMService) string {
	s.t.Helper()
	none := corev1.ResourceList{corev1.ResourcePods: resource.MustParse("0")}
	quota := &corev1.ResourceQuota{
		ObjectMeta: metav1.ObjectMeta{Namespace: s.namespace, Name: "small"}, Spec: corev1.ResourceQuotaSpec{Hard: none},
	}
	if err := api.Create(s.t.Context(), quota); err != nil {
		s.t.Fatal(err)
	}
	// The controller of quotas, which is not there, says what is used.
	s.editStatus(quota, func() { quota.Status = corev1.ResourceQuotaStatus{Hard: none, Used: none} })
	var words string
	eventually(s.t, "a pod beyond the quota", func() error {
		pod := &corev1.Pod{
			ObjectMeta: metav1.ObjectMeta{Namespace: s.namespace, Name: "beyond", Labels: render.Labels(service)},
			Spec:       s.fleet.podSpec(service),
		}
		err := api.Create(s.t.Context(), pod, client.DryRunAll)
		if !apierrors.IsForbidden(err) {
			return fmt.Errorf("it gets %w, want Forbidden", err)
		}
		words = err.Error()
		return nil
	})
	return words
}

// editStatus changes the status of an object, again if somebody else was faster.
func (s *system) editStatus(object client.Object, change func()) {
	s.t.Helper()
	eventually(s.t, "a status of "+object.GetName(), func() error {
		if err := api.Get(s.t.Context(), client.ObjectKeyFromObject(object), object); err != nil {
			return err
		}
		change()
		return api.Status().Update(s.t.Context(), object)
	})
}

// TestPodsThatCannotStartAreAnEvent: what only a pod says of itself reaches the conditions through the cache, as a reason and in its
// own words.
func TestPodsThatCannotStartAreAnEvent(t *testing.T) {
	s := start(t)
	service := s.create("assistant")
	s.up(service)
	var pod corev1.Pod
	pod.Namespace, pod.Name = s.namespace, "assistant-a"
	waits := func(reason, message string) func() {
		return func() {
			pod.Status.Conditions[0].Status = corev1.ConditionFalse
			pod.Status.ContainerStatuses[0].Ready = false
			pod.Status.ContainerStatuses[0].State = corev1.ContainerState{
				Waiting: &corev1.ContainerStateWaiting{Reason: reason, Message: message},
			}
		}
	}
	unscheduled := func() {
		pod.Status.ContainerStatuses = nil
		pod.Status.Conditions = append(pod.Status.Conditions, corev1.PodCondition{
			Type: corev1.PodScheduled, Status: corev1.ConditionFalse, Reason: "Unschedulable", Message: "0/3 nodes are available: 3 Insufficient cpu.",
		})
	}
	var deployment appsv1.Deployment
	deployment.Namespace, deployment.Name = s.namespace, service.Name
	s.editStatus(&deployment, func() { deployment.Status.AvailableReplicas, deployment.Status.ReadyReplicas = 0, 0 })
	for _, tt := range []struct {
		change       func()
		reason, want string
	}{
		{waits("CreateContainerConfigError", "no such key"), "ContainerFailed", "container gateway: CreateContainerConfigError: no such key"},
		{waits("ErrImagePull", `failed to pull "gateway:test": not found`), "ImagePullFailed", `container gateway: ImagePullBackOff: failed to pull "gateway:test": not found`},
		{unscheduled, "Unschedulable", "Unschedulable: 0/3 nodes are available: 3 Insufficient cpu."},
	} {
		s.editStatus(&pod, tt.change)
		want := "pod assistant-a: " + tt.want
		for _, kind := range []string{v1alpha1.ConditionAvailable, v1alpha1.ConditionReady} {
			if message := s.awaitCondition(service, kind, "False/"+tt.reason); !strings.Contains(message, want) {
				t.Errorf("%s says %q, want %q", kind, message, want)
			}
		}
	}
	const first = "pod assistant-a: container gateway: CreateContainerConfigError: no such key"
	if event := s.awaitEvent(service, "ReplicaFailed"); event.Type != corev1.EventTypeWarning || !strings.Contains(event.Note, first) {
		t.Errorf("event %s %q", event.Type, event.Note)
	}
}
