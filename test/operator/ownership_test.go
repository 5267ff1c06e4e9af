package operator

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/llmservice/llmservice/api/v1alpha1"
)

func TestNeverTakesOverAnObject(t *testing.T) {
	s := start(t)
	foreign := &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Namespace: s.namespace, Name: "assistant"},
		Spec:       corev1.ServiceSpec{Ports: []corev1.ServicePort{{Port: 5432}}},
	}
	if err := api.Create(t.Context(), foreign); err != nil {
		t.Fatal(err)
	}
	service := s.create("assistant")
	message := s.awaitCondition(service, v1alpha1.ConditionStalled, "True/ChildConflict")
	if want := "Service assistant exists and is not controlled by this LLMService; delete or rename it"; message != want {
		t.Errorf("message %q, want %q", message, want)
	}
	s.awaitCondition(service, v1alpha1.ConditionReady, "False/ChildConflict")
	s.awaitEvent(service, "ChildConflict")
	var now corev1.Service
	if !exists(t, client.ObjectKeyFromObject(foreign), &now) || now.ResourceVersion != foreign.ResourceVersion {
		t.Errorf("somebody else's Service was changed:\n%s", cmp.Diff(foreign, &now))
	}
	s.settle()

	if err := api.Delete(t.Context(), foreign); err != nil {
		t.Fatal(err)
	}
	// Any event will do; without one it is looked at again every 30 s.
	s.edit(service, func(l *v1alpha1.LLMService) { l.Annotations = map[string]string{"look": "again"} })
	s.up(service)
}

// What belonged to a deleted service of the same name is the garbage collector's, which the test plays.
func TestWaitsForWhatIsLeftOfADeletedService(t *testing.T) {
	s := start(t)
	first := s.create("assistant")
	s.up(first)
	s.settle()
	if err := api.Delete(t.Context(), first); err != nil {
		t.Fatal(err)
	}
	second := s.create("assistant")
	if message := s.awaitCondition(second, v1alpha1.ConditionReady, "False/Progressing"); !strings.Contains(message, "belongs to a deleted") {
		t.Errorf("Ready says %q, and not what is waited for", message)
	}
	s.awaitCondition(second, v1alpha1.ConditionReconciling, "True/Progressing")
	for kind, child := range children(second) {
		if exists(t, client.ObjectKeyFromObject(child), child) && child.GetOwnerReferences()[0].UID != first.UID {
			t.Errorf("the %s of the deleted service was taken over", kind)
		}
	}
	for kind, child := range children(second) {
		if err := client.IgnoreNotFound(api.Delete(t.Context(), child)); err != nil {
			t.Fatalf("delete the %s: %v", kind, err)
		}
	}
	eventually(t, "children of the second service", func() error {
		for kind, child := range children(second) {
			if kind == "HorizontalPodAutoscaler" {
				continue
			}
			if !exists(t, client.ObjectKeyFromObject(child), child) || !metav1.IsControlledBy(child, second) {
				return fmt.Errorf("no %s of its own", kind)
			}
		}
		return nil
	})
}

// Nothing but an owner reference is in the way of a deletion, and nothing but the garbage collector is needed for it.
func TestHoldsNoFinalizer(t *testing.T) {
	s := start(t)
	service := s.create("assistant")
	s.up(service)
	if len(service.Finalizers) > 0 {
		t.Errorf("finalizers %v: the service could not be deleted without the operator", service.Finalizers)
	}
	s.stop()
	if err := api.Delete(t.Context(), service); err != nil {
		t.Fatal(err)
	}
	if exists(t, client.ObjectKeyFromObject(service), service) {
		t.Error("it is still there")
	}
}
