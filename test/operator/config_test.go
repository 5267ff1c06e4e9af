package operator

import (
	"fmt"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/llmservice/llmservice/api/v1alpha1"
	"github.com/llmservice/llmservice/controllers"
	"github.com/llmservice/llmservice/runtime/config"
)

// broken names an upstream that there is not: the API lets it pass, the config's validation does not.
func broken(service *v1alpha1.LLMService) { service.Spec.Models[0].Upstreams = []string{"nowhere"} }

func mended(service *v1alpha1.LLMService) { service.Spec.Models[0].Upstreams = []string{"fast"} }

func TestABrokenSpecKeepsTheLastGoodConfig(t *testing.T) {
	s := start(t)
	service := s.create("assistant")
	s.up(service)
	good := s.fleet.delivered(service)

	s.edit(service, broken)
	message := s.awaitCondition(service, v1alpha1.ConditionConfigValid, "False/Invalid")
	if !strings.Contains(message, "spec.models[0].upstreams[0]") {
		t.Errorf("message %q does not name the field", message)
	}
	s.awaitCondition(service, v1alpha1.ConditionReady, "False/Invalid")
	s.awaitCondition(service, v1alpha1.ConditionStalled, "True/Invalid")
	s.awaitCondition(service, v1alpha1.ConditionConfigApplied, "True/Acknowledged")
	if got := s.awaitEvent(service, "ConfigInvalid"); got.Type != corev1.EventTypeWarning || got.Note != message {
		t.Errorf("event %s %q, want a warning %q", got.Type, got.Note, message)
	}

	// Pods come and go while the spec is broken, and serve what was good.
	s.edit(service, replicas(3))
	s.fleet.rollOut(service)
	if got := s.fleet.delivered(service); got != good {
		t.Errorf("delivered is %s, want %s, the last good one", got, good)
	}

	s.edit(service, func(l *v1alpha1.LLMService) { mended(l) })
	s.awaitCondition(service, v1alpha1.ConditionConfigValid, "True/Valid")
	s.fleet.rollOut(service)
	s.awaitCondition(service, v1alpha1.ConditionReady, "True/Ready")
}

func TestBrokenFromTheFirst(t *testing.T) {
	s := start(t)
	service := s.create("assistant", broken)
	s.awaitCondition(service, v1alpha1.ConditionStalled, "True/Invalid")
	s.awaitCondition(service, v1alpha1.ConditionConfigApplied, "False/NoConfig")
	if exists(t, client.ObjectKeyFromObject(service), &appsv1.Deployment{}) {
		t.Error("there is a Deployment that has nothing to serve")
	}
	s.edit(service, mended)
	s.up(service)
}

func TestLastGoodIsWhatWasServed(t *testing.T) {
	s := start(t)
	service := s.create("assistant")
	a, _ := s.up(service)
	first := s.fleet.delivered(service)
	expect := func(current, lastGood string) {
		t.Helper()
		eventually(t, "documents", func() error {
			if gotCurrent, gotLast := s.fleet.documents(service); gotCurrent != current || gotLast != lastGood {
				return fmt.Errorf("current %s, last good %s; want %s and %s", gotCurrent, gotLast, current, lastGood)
			}
			return nil
		})
	}
	expect(first, "")

	s.edit(service, model("m2"))
	second := s.fleet.awaitDelivery(service, first)
	expect(second, first)

	// Nobody served the second one: it has proved nothing.
	s.awaitCondition(service, v1alpha1.ConditionConfigApplied, "False/Pending")
	s.edit(service, model("m3"))
	third := s.fleet.awaitDelivery(service, second)
	expect(third, first)

	// One live pod is proof enough.
	a.serves(third)
	s.awaitAcknowledged(service, 1)
	s.edit(service, model("m4"))
	expect(s.fleet.awaitDelivery(service, third), third)
}

func (s *system) awaitAcknowledged(service *v1alpha1.LLMService, n int32) {
	s.t.Helper()
	eventually(s.t, "acknowledgements", func() error {
		if err := api.Get(s.t.Context(), client.ObjectKeyFromObject(service), service); err != nil {
			return err
		}
		if got := service.Status.Config; got == nil || got.Acknowledged != n {
			return fmt.Errorf("status.config = %+v, want %d acknowledged", got, n)
		}
		return nil
	})
}

func TestAcknowledgement(t *testing.T) {
	s := start(t)
	service := s.create("assistant")
	a, b := s.up(service)
	first := s.fleet.delivered(service)
	s.settle()

	s.edit(service, model("m2"))
	second := s.fleet.awaitDelivery(service, first)
	for i := range 3 {
		s.awaitNudge("assistant-a", fmt.Sprintf("%s.%d", second, i))
	}
	s.awaitNudge("assistant-b", second+".2")

	a.serves(second)
	s.awaitAcknowledged(service, 1)
	message := s.awaitCondition(service, v1alpha1.ConditionConfigApplied, "False/Pending")
	if want := "1 of 2 replicas serve revision " + second; message != want {
		t.Errorf("message %q, want %q", message, want)
	}

	b.set(func(status *config.Status) {
		status.Rejected = &config.Rejection{Revision: second, Message: "cannot compile"}
	})
	message = s.awaitCondition(service, v1alpha1.ConditionConfigApplied, "False/Rejected")
	if want := "pod assistant-b: cannot compile"; message != want {
		t.Errorf("message %q, want %q", message, want)
	}

	b.serves(second)
	s.awaitCondition(service, v1alpha1.ConditionReady, "True/Ready")
	s.settle()
	s.silent(t)
}

// awaitNudge waits for a pod's annotation; a nudge may have been overtaken by the next one.
func (s *system) awaitNudge(pod, want string) {
	s.t.Helper()
	eventually(s.t, "nudge "+want, func() error {
		var live corev1.Pod
		if err := api.Get(s.t.Context(), client.ObjectKey{Namespace: s.namespace, Name: pod}, &live); err != nil {
			return err
		}
		if got := live.Annotations[controllers.NudgeAnnotation]; got < want {
			return fmt.Errorf("pod %s has %q", pod, got)
		}
		return nil
	})
}

func TestMissingSecret(t *testing.T) {
	s := start(t)
	service := s.create("assistant")
	a, _ := s.up(service)
	file := config.SecretFile{Secret: "keys", Key: "openai"}
	a.set(func(status *config.Status) { status.Secrets = []config.SecretState{{SecretFile: file}} })
	message := s.awaitCondition(service, v1alpha1.ConditionConfigApplied, "False/SecretMissing")
	if want := `Not there: pod assistant-a: key "openai" of Secret "keys"`; message != want {
		t.Errorf("message %q, want %q", message, want)
	}
	a.set(func(status *config.Status) { status.Secrets = []config.SecretState{{SecretFile: file, Loaded: true}} })
	s.awaitCondition(service, v1alpha1.ConditionReady, "True/Ready")
}
