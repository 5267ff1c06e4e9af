package controllers

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/llmservice/llmservice/controllers/render"
)

// put has a view show a child, or none.
func (v *view) put(key render.ChildKey, child client.Object) {
	if v.children == nil {
		v.children = map[render.ChildKey]client.Object{}
	}
	v.children[key] = child
}

func (v *view) putConfigMap(child *corev1.ConfigMap) {
	v.put(render.DocumentsKey(v.service.Name), child)
}

// madeFor is an object that the operator applied for a service, or for one that is gone.
func madeFor(service types.UID) *appsv1.Deployment {
	object := &appsv1.Deployment{}
	object.ManagedFields = []metav1.ManagedFieldsEntry{{Manager: FieldOwner, Operation: metav1.ManagedFieldsOperationApply}}
	if service != "" {
		object.OwnerReferences = []metav1.OwnerReference{{UID: service, Controller: new(true)}}
	}
	return object
}

// TestWhatIsSuperfluous: of several objects of one kind, those that are rendered stay, and so does what is not ours.
func TestWhatIsSuperfluous(t *testing.T) {
	deployments := render.GatewaysKey("").GroupVersionKind
	key := func(name string) render.ChildKey { return render.ChildKey{GroupVersionKind: deployments, Name: name} }
	byHand, ending := madeFor("u1"), madeFor("u1")
	byHand.ManagedFields, ending.DeletionTimestamp = nil, &metav1.Time{Time: moment}
	seen := &view{service: serviceWith("http://a.svc/v1")}
	for name, object := range map[string]*appsv1.Deployment{
		"assistant": madeFor("u1"), "assistant-canary": madeFor("u1"), "assistant-old": madeFor("u1"),
		"left-behind": madeFor(""), "of-another": madeFor("u2"), "by-hand": byHand, "ending": ending,
	} {
		seen.put(key(name), object)
	}
	rendered := map[render.ChildKey]bool{key("assistant"): true, key("assistant-canary"): true}
	want := []render.ChildKey{key("assistant-old"), key("left-behind")}
	if diff := cmp.Diff(want, superfluous(seen, rendered)); diff != "" {
		t.Errorf("superfluous (-want +got):\n%s", diff)
	}
}

// TestConfigsOfOtherVersionsStay, so that operator and gateways may be of two releases.
func TestConfigsOfOtherVersionsStay(t *testing.T) {
	kind := render.DocumentsKey("").GroupVersionKind
	key := func(name string) render.ChildKey { return render.ChildKey{GroupVersionKind: kind, Name: name} }
	seen := &view{service: serviceWith("http://a.svc/v1")}
	for _, name := range []string{"assistant-config-v0", "assistant-config-v1", "assistant-config-v2", "assistant-data", "other-config-v0"} {
		seen.put(key(name), madeFor("u1"))
	}
	want := []render.ChildKey{key("assistant-data"), key("other-config-v0")}
	if diff := cmp.Diff(want, superfluous(seen, map[render.ChildKey]bool{key("assistant-config-v1"): true})); diff != "" {
		t.Errorf("superfluous (-want +got):\n%s", diff)
	}
}

// TestWhatIsDeletedAtOnce: a tenant who makes many objects look like ours has few of them deleted in one reconcile.
func TestWhatIsDeletedAtOnce(t *testing.T) {
	seen := &view{service: serviceWith("http://a.svc/v1")}
	for i := range 5 * maxPruned {
		seen.put(render.ChildKey{Name: fmt.Sprint(i)}, madeFor("u1"))
	}
	if got := len(superfluous(seen, nil)); got != maxPruned {
		t.Errorf("%d are deleted at once, want %d", got, maxPruned)
	}
}

// TestWhatIsNotRenderedIsForgotten: what admission made of a child does not concern a service that no longer has it.
func TestWhatIsNotRenderedIsForgotten(t *testing.T) {
	r, seen := &Reconciler{}, &view{service: serviceWith("http://a.svc/v1")}
	memory := r.memories.of(seen)
	memory.rewritings[render.GatewaysKey("assistant")] = rewriting{overridden: []string{"replicas"}}
	memory.rewritings[render.AutoscalerKey("assistant")] = rewriting{overridden: []string{"maxReplicas"}}
	if err := r.prune(t.Context(), seen, []render.Child{namedChild(render.GatewaysKey("assistant"))}); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"replicas"}, memory.overridden()); diff != "" {
		t.Errorf("overridden (-want +got):\n%s", diff)
	}
}

// TestNothingIsDeletedUnlessSomethingIsRendered: while nothing is known of a spec, nothing is superfluous.
func TestNothingIsDeletedUnlessSomethingIsRendered(t *testing.T) {
	seen := &view{service: serviceWith("http://a.svc/v1")}
	seen.put(render.GatewaysKey("assistant"), madeFor("u1"))
	if err := (&Reconciler{}).prune(t.Context(), seen, nil); err != nil {
		t.Error(err)
	}
}

func namedChild(key render.ChildKey) render.Child {
	child := render.Child{GroupVersionKind: key.GroupVersionKind}
	child.Name = key.Name
	return child
}
