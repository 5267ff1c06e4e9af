package operator

import (
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
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
	service := s.create("assistant", everything)
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
	service := s.create("assistant", everything)
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

// A pod becomes ready by these, whatever the manager serves besides.
func TestProbesAnswerWithoutTheMetricsAPI(t *testing.T) {
	s := alone(t)
	s.probes = fmt.Sprintf("127.0.0.1:%d", freePort(t))
	s.run(nil)
	s.checkProbes()
}

// What cannot be written is told: the service does not serve its spec, whatever the cluster says of what is there.
func TestAWriteThatFailsIsTold(t *testing.T) {
	s := start(t)
	service := s.create("assistant")
	s.up(service)
	s.settle()
	s.refuse(func(r request) int {
		if r.method == http.MethodPatch && strings.Contains(r.path, "/deployments/") {
			return http.StatusInternalServerError
		}
		return 0
	})
	s.edit(service, func(l *v1alpha1.LLMService) { l.Spec.Runtime.Image = "gateway:v2" })
	for _, kind := range []string{v1alpha1.ConditionReady, v1alpha1.ConditionReconciling} {
		status := map[string]string{v1alpha1.ConditionReady: "False/ApplyFailed", v1alpha1.ConditionReconciling: "True/Progressing"}[kind]
		if message := s.awaitCondition(service, kind, status); !strings.Contains(message, "refused by the test") {
			t.Errorf("%s says %q, and not why", kind, message)
		}
	}
	s.refuse(nil)
	s.awaitCondition(service, v1alpha1.ConditionReady, "False/Progressing")
	s.fleet.rollOut(service)
	s.awaitCondition(service, v1alpha1.ConditionReady, "True/Ready")
}

// An invalid spec must not hide that a child of the spec before it cannot be written.
func TestAnInvalidSpecHidesNoWriteThatFails(t *testing.T) {
	for name, status := range map[string]int{"refused": http.StatusForbidden, "failing": http.StatusInternalServerError} {
		t.Run(name, func(t *testing.T) {
			s := start(t)
			service := s.create("assistant")
			s.up(service)
			s.settle()
			s.refuse(func(r request) int {
				if strings.Contains(r.path, "/deployments/") {
					return status
				}
				return 0
			})
			s.edit(service, func(l *v1alpha1.LLMService) {
				broken(l)
				replicas(3)(l)
			})
			for _, kind := range []string{v1alpha1.ConditionReady, v1alpha1.ConditionStalled} {
				want := map[string]string{v1alpha1.ConditionReady: "False/Invalid", v1alpha1.ConditionStalled: "True/Invalid"}[kind]
				eventually(t, kind+" says both", func() error {
					message := s.awaitCondition(service, kind, want)
					if !strings.Contains(message, "spec.models[0].upstreams[0]") || !strings.Contains(message, "refused by the test") {
						return fmt.Errorf("%s says %q", kind, message)
					}
					return nil
				})
			}
			s.refuse(nil)
			s.fleet.pod(service, "assistant-c", s.fleet.delivered(service))
			s.awaitReplicas(service, 3)
			s.fleet.rollOut(service)
			eventually(t, "Stalled says what is left", func() error {
				if message := s.awaitCondition(service, v1alpha1.ConditionStalled, "True/Invalid"); strings.Contains(message, "refused by the test") {
					return fmt.Errorf("it says %q", message)
				}
				return nil
			})
		})
	}
}

// A status that was refused is written again, also if nothing else has changed.
func TestAStatusThatWasRefusedIsWrittenAgain(t *testing.T) {
	s := start(t)
	service := s.create("assistant")
	s.up(service)
	s.settle()
	var refusals atomic.Int32
	s.refuse(func(r request) int {
		if strings.HasSuffix(r.path, "/status") && refusals.Add(1) == 1 {
			return http.StatusConflict
		}
		return 0
	})
	s.edit(service, broken)
	s.awaitCondition(service, v1alpha1.ConditionReady, "False/Invalid")
	if refusals.Load() < 2 {
		t.Errorf("%d writes of the status: none was refused", refusals.Load())
	}
}

// A config that could not be delivered is not told of as if it had been, and what gateways serve becomes the last good one.
func TestAConfigThatCannotBeDelivered(t *testing.T) {
	s := start(t)
	service := s.create("assistant")
	s.up(service)
	s.settle()
	first := s.fleet.delivered(service)
	s.refuse(func(r request) int {
		if strings.Contains(r.path, "/configmaps/") {
			return http.StatusForbidden
		}
		return 0
	})
	s.edit(service, model("m2"))
	if message := s.awaitCondition(service, v1alpha1.ConditionConfigApplied, "False/ApplyFailed"); !strings.Contains(message, "refused by the test") {
		t.Errorf("ConfigApplied says %q, and not why", message)
	}
	s.awaitCondition(service, v1alpha1.ConditionStalled, "True/ApplyFailed")
	if got := service.Status.Config; got == nil || got.Revision != first {
		t.Errorf("status.config is %+v, and %s is delivered", got, first)
	}
	s.refuse(nil)
	s.fleet.awaitDelivery(service, first)
	if _, lastGood := s.fleet.documents(service); lastGood != first {
		t.Errorf("last good is %q, want %s, which every gateway serves", lastGood, first)
	}
}

// A child that cannot be written holds up those that need it, and no other.
func TestAChildThatCannotBeWrittenHoldsUpNoOther(t *testing.T) {
	s := start(t)
	s.refuse(func(r request) int {
		switch {
		case strings.Contains(r.path, "/poddisruptionbudgets/"):
			return http.StatusForbidden
		case strings.Contains(r.path, "/services/"):
			return http.StatusInternalServerError
		default:
			return 0
		}
	})
	service := s.create("assistant")
	revision := s.fleet.awaitDelivery(service, "")
	s.fleet.pod(service, "assistant-a", revision)
	s.fleet.pod(service, "assistant-b", revision)
	s.fleet.rollOut(service)
	s.scale(service, 3)
	s.awaitReplicas(service, 3)
	for _, kind := range []string{"PodDisruptionBudget", "Service"} {
		eventually(t, "word of the "+kind, func() error {
			if message := s.awaitCondition(service, v1alpha1.ConditionReady, "False/ApplyFailed"); !strings.Contains(message, kind) {
				return fmt.Errorf("Ready says %q", message)
			}
			return nil
		})
	}
	s.refuse(nil)
	s.fleet.pod(service, "assistant-c", revision)
	s.fleet.rollOut(service)
	s.awaitCondition(service, v1alpha1.ConditionReady, "True/Ready")
}

// Prices and nudges are hints: pods that do not take them hold up nothing.
func TestPodsThatRefuseToBeAnnotatedHoldUpNothing(t *testing.T) {
	s := start(t)
	service := s.create("assistant")
	s.up(service)
	s.settle()
	s.refuse(func(r request) int {
		if strings.Contains(r.path, "/pods/") {
			return http.StatusForbidden
		}
		return 0
	})
	s.edit(service, func(l *v1alpha1.LLMService) { l.Spec.Upstreams[0].OpenAI.Model = "m2" })
	eventually(t, "ConfigApplied says that the replicas could not be reminded", func() error {
		message := s.awaitCondition(service, v1alpha1.ConditionConfigApplied, "False/Pending")
		if !strings.Contains(message, "refused by the test") {
			return fmt.Errorf("it says %q", message)
		}
		return nil
	})
	s.scale(service, 1)
	s.awaitReplicas(service, 1)
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
