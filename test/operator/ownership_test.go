package operator

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/llmservice/llmservice/api/v1alpha1"
	"github.com/llmservice/llmservice/controllers/render"
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
		for kind, child := range childrenOf(second) {
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

// kubectl delete --cascade=orphan leaves the children without a controller, and a service of the same name takes them over:
// no pod is replaced. Where the API server wants the right to delete for that, a condition says what to do.
func TestAdoptsWhatADeletedServiceLeftBehind(t *testing.T) {
	for _, allowed := range []bool{true, false} {
		t.Run(fmt.Sprintf("may delete: %t", allowed), func(t *testing.T) {
			s := start(t)
			if allowed {
				s.allowDeletion()
			}
			uids, before := s.orphan(s.create("assistant", everything))
			second := s.create("assistant")
			if !allowed {
				s.adoptByHand(second)
			}
			eventually(t, "adoption", func() error { return adopted(t, second, uids) })
			var deployment appsv1.Deployment
			if !exists(t, client.ObjectKeyFromObject(second), &deployment) {
				t.Fatal("no Deployment")
			}
			if diff := cmp.Diff(before, deployment.Spec); diff != "" {
				t.Errorf("what runs changed (-before +after):\n%s", diff)
			}
			s.fleet.rollOut(second)
			s.awaitCondition(second, v1alpha1.ConditionReady, "True/Ready")
			s.settle()
		})
	}
}

// orphan deletes a service that is up without its children, and restarts the operator. The test plays the garbage collector,
// which removes the references first.
func (s *system) orphan(service *v1alpha1.LLMService) (uids map[string]types.UID, deployment appsv1.DeploymentSpec) {
	s.t.Helper()
	s.up(service)
	s.settle()
	s.stop()
	uids = map[string]types.UID{}
	for kind, child := range children(service) {
		edit(s.t, child, func() { child.SetOwnerReferences(nil) })
		uids[kind] = child.GetUID()
		if d, ok := child.(*appsv1.Deployment); ok {
			deployment = d.Spec
		}
	}
	if err := api.Delete(s.t.Context(), service); err != nil {
		s.t.Fatal(err)
	}
	s.run(nil)
	return uids, deployment
}

// adoptByHand does what the conditions say, of as many children at once as they name.
func (s *system) adoptByHand(service *v1alpha1.LLMService) {
	s.t.Helper()
	all := childrenOf(service) // what the service does not want is deleted
	delete(all, "Service")     // a headless one is deleted when it is not wanted any more, so the operator has the right
	for left := len(all); left > 0; {
		message := s.awaitCondition(service, v1alpha1.ConditionStalled, "True/ChildConflict")
		for kind, child := range all {
			_, told, named := strings.Cut(message, kind+" "+child.GetName()+" was left behind")
			if !named {
				continue
			}
			var owner metav1.OwnerReference
			_, told, _ = strings.Cut(told, "the ownerReference ")
			if err := json.NewDecoder(strings.NewReader(told)).Decode(&owner); err != nil {
				s.t.Fatalf("%v: %s", err, message)
			}
			edit(s.t, child, func() { child.SetOwnerReferences([]metav1.OwnerReference{owner}) })
			left--
		}
		eventually(s.t, "another message", func() error {
			if !exists(s.t, client.ObjectKeyFromObject(service), service) {
				return fmt.Errorf("no service")
			}
			for _, c := range service.Status.Conditions {
				if c.Type == v1alpha1.ConditionStalled && c.Message == message {
					return fmt.Errorf("still %s", message)
				}
			}
			return nil
		})
	}
}

// adopted says which child of the service is not the one with the UID.
func adopted(t *testing.T, service *v1alpha1.LLMService, uids map[string]types.UID) error {
	t.Helper()
	for kind, child := range children(service) {
		there := exists(t, client.ObjectKeyFromObject(child), child)
		if childrenOf(service)[kind] == nil {
			if there {
				return fmt.Errorf("the %s is still there, of a service that wants none", kind)
			}
			continue
		}
		if !there || child.GetUID() != uids[kind] || !metav1.IsControlledBy(child, service) {
			return fmt.Errorf("the %s is not adopted", kind)
		}
	}
	return nil
}

// allowDeletion gives the operator the right that some API servers want before an owner is set.
func (s *system) allowDeletion() {
	s.t.Helper()
	var rules []rbacv1.PolicyRule
	for _, kind := range render.Kinds() {
		plural, _ := meta.UnsafeGuessKindToResource(kind.GroupVersionKind)
		rules = append(rules, rbacv1.PolicyRule{
			APIGroups: []string{plural.Group}, Resources: []string{plural.Resource}, Verbs: []string{"delete"},
		})
	}
	s.allow(s.namespace, rules...)
}

// A label and an annotation make no orphan: whoever made the object, it was not this operator.
func TestAdoptsNothingThatItDidNotMake(t *testing.T) {
	s := start(t)
	foreign := &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: s.namespace, Name: "assistant",
			Labels: map[string]string{
				render.LabelManagedBy: render.ManagedBy, render.LabelName: render.GatewayName, render.LabelInstance: "assistant",
			},
			Annotations: map[string]string{render.AppliedHashAnnotation: "0000000000000000"},
		},
		Spec: corev1.ServiceSpec{Ports: []corev1.ServicePort{{Port: 5432}}},
	}
	if err := api.Create(t.Context(), foreign); err != nil {
		t.Fatal(err)
	}
	s.awaitCondition(s.create("assistant"), v1alpha1.ConditionStalled, "True/ChildConflict")
	var now corev1.Service
	if !exists(t, client.ObjectKeyFromObject(foreign), &now) || now.ResourceVersion != foreign.ResourceVersion {
		t.Errorf("somebody else's Service was changed:\n%s", cmp.Diff(foreign, &now))
	}
}
