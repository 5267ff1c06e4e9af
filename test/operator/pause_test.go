package operator

import (
	"fmt"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/llmservice/llmservice/api/v1alpha1"
	"github.com/llmservice/llmservice/runtime/config/report"
)

func paused(is bool) func(*v1alpha1.LLMService) {
	return func(service *v1alpha1.LLMService) { service.Spec.Paused = &is }
}

// A paused service is left as it is, whatever is changed in it and around it, and its status says what waits. Afterwards the operator
// catches up.
func TestAPausedServiceIsLeftAlone(t *testing.T) {
	s := start(t)
	service := s.create("assistant", scaling(inFlight))
	s.up(service)
	s.settle()
	before := s.fleet.delivered(service)

	s.edit(service, paused(true))
	s.awaitPause(service, "nothing waits for it")
	s.awaitCondition(service, v1alpha1.ConditionReady, "True/Ready")
	s.awaitCondition(service, v1alpha1.ConditionScaling, "False/Paused")
	s.awaitEvent(service, "Paused")

	s.scale(service, 3)
	s.awaitPause(service, "it keeps 2 replicas, and spec.replicas is 3")
	s.awaitCondition(service, v1alpha1.ConditionReady, "True/Ready")
	s.awaitCondition(service, v1alpha1.ConditionReconciling, "True/Paused")

	child := &corev1.Service{ObjectMeta: metav1.ObjectMeta{Namespace: s.namespace, Name: service.Name}}
	if err := api.Delete(t.Context(), child); err != nil {
		t.Fatal(err)
	}
	s.edit(service, func(l *v1alpha1.LLMService) { model("m2")(l); l.Spec.Scaling = nil })
	s.awaitPause(service, "ConfigMap assistant-config-v1", "HorizontalPodAutoscaler assistant", "Service assistant", "spec.replicas is 3")
	s.awaitCondition(service, v1alpha1.ConditionReady, "False/Paused")
	s.awaitCondition(service, v1alpha1.ConditionConfigApplied, "False/Paused")
	s.awaitCondition(service, v1alpha1.ConditionReconciling, "True/Paused")
	s.edit(service, broken)
	s.awaitCondition(service, v1alpha1.ConditionConfigValid, "False/Invalid")
	s.edit(service, mended)
	s.awaitCondition(service, v1alpha1.ConditionConfigValid, "True/Valid")
	for _, write := range s.take() {
		if !strings.HasSuffix(write.path, "/llmservices/assistant/status") && !strings.Contains(write.path, "/events") {
			t.Errorf("while the service is paused: %s", write)
		}
	}
	if got := s.fleet.delivered(service); got != before {
		t.Errorf("delivered is %s, was %s", got, before)
	}

	s.edit(service, paused(false))
	s.awaitReplicas(service, 3)
	revision := s.fleet.awaitDelivery(service, before)
	s.fleet.pod(service, "assistant-c", revision)
	for _, gateway := range s.fleet.gateways {
		gateway.serves(revision)
	}
	s.fleet.rollOut(service)
	s.awaitCondition(service, v1alpha1.ConditionReady, "True/Ready")
	s.awaitEvent(service, "Resumed")
	if !exists(t, client.ObjectKeyFromObject(child), child) {
		t.Error("the Service is not there again")
	}
	if meta.FindStatusCondition(service.Status.Conditions, v1alpha1.ConditionPaused) != nil {
		t.Error("it still says that it is paused")
	}
}

// awaitPause waits until the service says that it is paused, and each of these words.
func (s *system) awaitPause(service *v1alpha1.LLMService, words ...string) {
	s.t.Helper()
	eventually(s.t, fmt.Sprintf("Paused with %q", words), func() error {
		message := s.awaitCondition(service, v1alpha1.ConditionPaused, "True/Paused")
		for _, word := range words {
			if !strings.Contains(message, word) {
				return fmt.Errorf("it says %q, without %q", message, word)
			}
		}
		return nil
	})
}

// A service that is created paused has no objects, and says so.
func TestAServiceThatBeginsPaused(t *testing.T) {
	s := start(t)
	service := s.create("assistant", paused(true))
	s.awaitPause(service, "Deployment assistant")
	s.awaitCondition(service, v1alpha1.ConditionReady, "False/Paused")
	s.settle()
	for _, child := range []client.Object{&corev1.ServiceAccount{}, &corev1.Service{}, &appsv1.Deployment{}} {
		if exists(t, client.ObjectKeyFromObject(service), child) {
			t.Errorf("there is a %T", child)
		}
	}
	if got := s.fleet.delivered(service); got != "" {
		t.Errorf("delivered is %s", got)
	}
	s.edit(service, paused(false))
	s.up(service)
}

// The versions that gateways report are in the status, and a status that has them is not written again.
func TestGatewayVersionIsReported(t *testing.T) {
	s := start(t)
	service := s.create("assistant")
	a, b := s.up(service)
	for _, step := range []struct{ a, b, want string }{{"v1.1.0", "v1.1.0", "v1.1.0"}, {"v1.1.0", "v1.2.0", "v1.1.0, v1.2.0"}} {
		a.set(func(r *report.Status) { r.Build = step.a })
		b.set(func(r *report.Status) { r.Build = step.b })
		eventually(t, step.want, func() error {
			if err := api.Get(t.Context(), client.ObjectKeyFromObject(service), service); err != nil {
				return err
			}
			if got := service.Status.GatewayVersion; got != step.want {
				return fmt.Errorf("gatewayVersion is %q", got)
			}
			return nil
		})
	}
	s.settle()
}
