package operator

import (
	"fmt"
	"runtime"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/llmservice/llmservice/api/v1alpha1"
	"github.com/llmservice/llmservice/controllers/render"
)

// Whoever may create objects can label them as the operator's. What they hold is not kept, and the list that they are in
// is never held as a whole.
func TestForeignObjectsCostNoMemory(t *testing.T) {
	const objects, each, allowed = 40, 1_000_000, 12 << 20
	s := start(t)
	s.settle()
	s.stop()
	before := heap()
	labels := map[string]string{render.LabelManagedBy: render.ManagedBy, render.LabelName: render.GatewayName}
	for i := range objects {
		for _, object := range []client.Object{
			&corev1.ConfigMap{
				ObjectMeta: metav1.ObjectMeta{Labels: labels},
				Data:       map[string]string{"theirs": strings.Repeat("x", each)},
			},
			&corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{
				Labels: labels, Annotations: map[string]string{"theirs": strings.Repeat("x", 200<<10)},
			}},
			&corev1.ConfigMap{Data: map[string]string{"theirs": strings.Repeat("x", 100<<10)}},
			&corev1.Secret{
				ObjectMeta: metav1.ObjectMeta{Labels: labels},
				Data:       map[string][]byte{"theirs": make([]byte, 100<<10)},
			},
		} {
			object.SetNamespace(s.namespace)
			object.SetName(fmt.Sprint("theirs-", i))
			if err := client.IgnoreAlreadyExists(api.Create(t.Context(), object)); err != nil {
				t.Fatal(err)
			}
		}
	}
	s.run(nil)
	s.up(s.create("assistant"))
	s.settle()
	if grown := int64(heap()) - int64(before); grown > allowed {
		t.Errorf("the heap grew by %d bytes with %d foreign objects of %d", grown, objects, each)
	} else {
		t.Logf("the heap grew by %d bytes", grown)
	}
}

// A service that is too large for the cache works as any other.
func TestLargeServiceIsServed(t *testing.T) {
	s := start(t)
	service := s.create("assistant", described(48<<10))
	s.awaitCondition(service, v1alpha1.ConditionConfigValid, "True/Valid")
	s.up(service)
	s.settle()
	before := s.fleet.delivered(service)
	s.edit(service, model("m2"))
	s.fleet.awaitDelivery(service, before)
	s.settle()
}

// described adds a route whose schema has a text of so many bytes.
func described(size int) func(*v1alpha1.LLMService) {
	schema := fmt.Sprintf(`{"type":"object","description":%q}`, strings.Repeat("x", size))
	return func(l *v1alpha1.LLMService) {
		l.Spec.Routes = []v1alpha1.Route{{
			Path: "/described", Request: &v1alpha1.Request{Schema: &v1alpha1.JSON{Raw: []byte(schema)}},
			Response: v1alpha1.Response{Body: &v1alpha1.JSON{Raw: []byte(`"${request.body}"`)}},
		}}
	}
}

// heap is how much memory is in use after what is garbage was collected.
func heap() uint64 {
	for range 3 {
		runtime.GC()
	}
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return stats.HeapAlloc
}
