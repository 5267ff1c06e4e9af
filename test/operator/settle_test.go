package operator

import (
	"fmt"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/llmservice/llmservice/api/v1alpha1"
)

// quietWindow is how long nothing may be written; a loop of writes takes milliseconds.
const quietWindow = 3 * time.Second

func TestSettledOperatorWritesNothing(t *testing.T) {
	s := start(t)
	service := s.create("assistant", scaling(inFlight))
	s.up(service)
	s.settle()

	before := reconciles(t)
	s.storm(service)
	eventually(t, "reconciles", func() error {
		if got := reconciles(t) - before; got < 10 {
			return fmt.Errorf("%v reconciles in the storm", got)
		}
		return nil
	})
	s.silent(t)
}

// An operator that just started has heard from no gateway, and must not take that for news.
func TestRestartWritesNothing(t *testing.T) {
	s := start(t)
	service := s.create("assistant", scaling(inFlight))
	a, b := s.up(service)
	s.settle()
	s.stop()
	a.slowDown()
	b.slowDown()

	before := reconciles(t)
	s.run(nil)
	eventually(t, "reconciles of the second operator", func() error {
		if reconciles(t) == before {
			return fmt.Errorf("none")
		}
		return nil
	})
	s.silent(t)
}

// storm changes what means nothing to the operator, on everything that it watches.
func (s *system) storm(service *v1alpha1.LLMService) {
	s.t.Helper()
	objects := []client.Object{service}
	for _, child := range children(service) {
		objects = append(objects, child)
	}
	var pods corev1.PodList
	if err := api.List(s.t.Context(), &pods, client.InNamespace(s.namespace)); err != nil {
		s.t.Fatal(err)
	}
	for i := range pods.Items {
		objects = append(objects, &pods.Items[i])
	}
	for i := range 10 {
		for _, object := range objects {
			edit(s.t, object, func() {
				// Not an annotation: a Deployment's makes a generation, which its controller would have to observe.
				labels := object.GetLabels()
				if labels == nil {
					labels = map[string]string{}
				}
				labels["storm"] = fmt.Sprint(i)
				object.SetLabels(labels)
			})
		}
	}
}

// silent fails on any write within the window.
func (s *system) silent(t *testing.T) {
	t.Helper()
	for deadline := time.Now().Add(quietWindow); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		if writes := s.take(); len(writes) > 0 {
			t.Fatalf("%d writes with nothing to do: %v", len(writes), writes)
		}
	}
}
