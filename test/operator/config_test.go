package operator

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/llmservice/llmservice/api/v1alpha1"
	"github.com/llmservice/llmservice/controllers"
	"github.com/llmservice/llmservice/controllers/render"
	"github.com/llmservice/llmservice/runtime/config"
	"github.com/llmservice/llmservice/runtime/config/report"
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
	// kubectl get events --field-selector involvedObject.kind=LLMService
	var events corev1.EventList
	if err := api.List(t.Context(), &events, client.InNamespace(s.namespace), client.MatchingFields{"involvedObject.kind": v1alpha1.Kind}); err != nil {
		t.Fatal(err)
	}
	if !slices.ContainsFunc(events.Items, func(e corev1.Event) bool { return e.Reason == "ConfigInvalid" && e.Message == message }) {
		t.Errorf("kubectl get events shows %d events, none of them that", len(events.Items))
	}

	// Pods come and go while the spec is broken, and serve what was good.
	s.edit(service, replicas(3))
	s.fleet.pod(service, "assistant-c", good)
	s.fleet.rollOut(service)
	if got := s.fleet.delivered(service); got != good {
		t.Errorf("delivered is %s, want %s, the last good one", got, good)
	}

	s.edit(service, func(l *v1alpha1.LLMService) { mended(l) })
	s.awaitCondition(service, v1alpha1.ConditionConfigValid, "True/Valid")
	s.fleet.rollOut(service)
	s.awaitCondition(service, v1alpha1.ConditionReady, "True/Ready")
}

// A spec is accepted or refused as a whole: of a refused one, nothing reaches a child but the number of replicas, which
// belongs to scaling.
func TestNothingOfARefusedSpecGoesOut(t *testing.T) {
	s := start(t)
	service := s.create("assistant", everything)
	s.up(service)
	s.settle()
	before := s.specs(service)

	s.edit(service, func(l *v1alpha1.LLMService) {
		broken(l)
		l.Spec.Runtime.Image, l.Spec.Runtime.MaxStreamDuration = "gateway:v2", "1m"
		l.Spec.Exposure = &v1alpha1.Exposure{Service: &v1alpha1.ServiceExposure{Port: 8888}}
		l.Spec.Scaling.MaxReplicas = 9
	})
	s.awaitCondition(service, v1alpha1.ConditionReady, "False/Invalid")
	s.settle()
	if diff := cmp.Diff(before, s.specs(service)); diff != "" {
		t.Errorf("a refused spec changed children (-before +after):\n%s", diff)
	}
	if strings.Contains(service.Status.URL, "8888") {
		t.Errorf("status.url is %s, which nothing serves", service.Status.URL)
	}

	s.scale(service, 3)
	s.awaitReplicas(service, 3)

	s.edit(service, func(l *v1alpha1.LLMService) { mended(l) })
	s.awaitCondition(service, v1alpha1.ConditionConfigValid, "True/Valid")
	eventually(t, "the accepted image", func() error {
		var deployment appsv1.Deployment
		if err := api.Get(t.Context(), client.ObjectKeyFromObject(service), &deployment); err != nil {
			return err
		}
		if image := deployment.Spec.Template.Spec.Containers[0].Image; image != "gateway:v2" {
			return fmt.Errorf("image %s", image)
		}
		return nil
	})
}

// An operator that is started with other flags refuses what it allowed before, and what was accepted keeps serving.
func TestWhatIsNoLongerAllowed(t *testing.T) {
	s := start(t)
	service := s.create("assistant", everything)
	s.up(service)
	s.settle()
	before := s.specs(service)

	s.stop()
	s.options = func(o *controllers.Options) { o.Gateway.AllowedHosts = render.Hosts{"api.example.com"} }
	s.run(nil)
	message := s.awaitCondition(service, v1alpha1.ConditionConfigValid, "False/NotAllowed")
	if want := "spec.upstreams[0].endpoints[0].url: the host model.test.svc is not one that this operator allows, want one of api.example.com"; message != want {
		t.Errorf("message %q, want %q", message, want)
	}
	s.awaitCondition(service, v1alpha1.ConditionStalled, "True/NotAllowed")
	s.awaitEvent(service, "ConfigInvalid")
	s.settle()
	if diff := cmp.Diff(before, s.specs(service)); diff != "" {
		t.Errorf("a refused spec changed children (-before +after):\n%s", diff)
	}

	s.edit(service, func(l *v1alpha1.LLMService) { l.Spec.Upstreams[0].Endpoints[0].URL = "https://api.example.com/v1" })
	s.awaitCondition(service, v1alpha1.ConditionConfigValid, "True/Valid")
}

// specs are what the children ask for, and what is delivered.
func (s *system) specs(service *v1alpha1.LLMService) map[string]any {
	s.t.Helper()
	specs := map[string]any{}
	for kind, child := range children(service) {
		if err := api.Get(s.t.Context(), client.ObjectKeyFromObject(child), child); err != nil {
			s.t.Fatal(err)
		}
		content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(child)
		if err != nil {
			s.t.Fatal(err)
		}
		specs[kind] = []any{content["spec"], content["data"]}
	}
	return specs
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

	b.set(func(status *report.Status) {
		status.Rejected = &report.RejectedConfig{Revision: second, Message: "cannot compile"}
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
	a.set(func(status *report.Status) { status.Secrets = []report.SecretState{{SecretFile: file}} })
	message := s.awaitCondition(service, v1alpha1.ConditionConfigApplied, "False/SecretMissing")
	if want := `Missing: pod assistant-a: key "openai" of Secret "keys"`; message != want {
		t.Errorf("message %q, want %q", message, want)
	}
	s.awaitEvent(service, "SecretMissing")
	a.set(func(status *report.Status) { status.Secrets = []report.SecretState{{SecretFile: file, Loaded: true}} })
	s.awaitCondition(service, v1alpha1.ConditionReady, "True/Ready")
}

// A file that a sidecar or a driver has not written, or has written badly, is reported like a key of a Secret.
func TestMissingFile(t *testing.T) {
	s := start(t)
	service := s.create("assistant", func(service *v1alpha1.LLMService) {
		service.Spec.Upstreams[0].Auth = &v1alpha1.UpstreamAuth{Type: v1alpha1.AuthBearer, Bearer: &v1alpha1.BearerAuth{
			File: &v1alpha1.FileSource{Path: "/vault/secrets/openai"},
		}}
	})
	a, b := s.up(service)
	file := config.SecretFile{File: config.FileSource{Path: "/vault/secrets/openai"}}
	a.set(func(status *report.Status) { status.Secrets = []report.SecretState{{SecretFile: file}} })
	b.set(func(status *report.Status) {
		status.Secrets = []report.SecretState{{SecretFile: file, Problem: "permission denied"}}
	})
	want := `Missing: pod assistant-a: file "/vault/secrets/openai"; pod assistant-b: file "/vault/secrets/openai" (permission denied)`
	eventually(t, "the message", func() error {
		if got := s.awaitCondition(service, v1alpha1.ConditionConfigApplied, "False/SecretMissing"); got != want {
			return fmt.Errorf("message %q, want %q", got, want)
		}
		return nil
	})
	loaded := func(status *report.Status) { status.Secrets = []report.SecretState{{SecretFile: file, Loaded: true}} }
	a.set(loaded)
	b.set(loaded)
	s.awaitCondition(service, v1alpha1.ConditionReady, "True/Ready")
}

// A gateway names its Secrets to nobody from outside of its pod, which the operator is, too: it reports places, and the operator turns them
// into the names of the spec.
func TestSecretsAreNamedByTheirPlaces(t *testing.T) {
	s := start(t)
	bearer := func(from v1alpha1.BearerAuth) *v1alpha1.UpstreamAuth {
		return &v1alpha1.UpstreamAuth{Type: v1alpha1.AuthBearer, Bearer: &from}
	}
	service := s.create("assistant", func(service *v1alpha1.LLMService) {
		second := service.Spec.Upstreams[0]
		second.Name = "slow"
		second.Auth = bearer(v1alpha1.BearerAuth{File: &v1alpha1.FileSource{Path: "/vault/secrets/openai"}})
		service.Spec.Upstreams[0].Auth = bearer(v1alpha1.BearerAuth{SecretKeyRef: &v1alpha1.SecretKeyReference{Name: "keys", Key: "openai"}})
		service.Spec.Upstreams = append(service.Spec.Upstreams, second)
	})
	a, _ := s.up(service)
	said := func(change func(*report.Status)) {
		a.set(func(status *report.Status) {
			file, key := config.SecretFile{File: config.FileSource{Path: "/vault/secrets/openai"}}, config.SecretFile{Secret: "keys", Key: "openai"}
			status.Secrets = []report.SecretState{{SecretFile: file, Loaded: true}, {SecretFile: key, Index: 1, Loaded: true}}
			status.RefusedKeys = nil
			change(status)
			*status = status.Unnamed()
		})
	}
	said(func(status *report.Status) { status.Secrets[1].Loaded, status.Secrets[1].Problem = false, "is empty" })
	message := s.awaitCondition(service, v1alpha1.ConditionConfigApplied, "False/SecretMissing")
	if want := `Missing: pod assistant-a: key "openai" of Secret "keys" (is empty)`; message != want {
		t.Errorf("message %q, want %q", message, want)
	}
	said(func(status *report.Status) {
		status.RefusedKeys = []report.RefusedKey{{Upstream: "slow", UpstreamIndex: 1, Since: time.Unix(36, 0)}}
	})
	message = s.awaitCondition(service, v1alpha1.ConditionConfigApplied, "False/KeyRefused")
	if want := `With 401 or 403, upstream "slow" refuses file "/vault/secrets/openai"`; message != want {
		t.Errorf("message %q, want %q", message, want)
	}
	said(func(*report.Status) {})
	s.awaitCondition(service, v1alpha1.ConditionReady, "True/Ready")
}

// A key that was rotated is with the pod in seconds once its upstream refuses the old one, and until then that is told.
func TestARefusedKey(t *testing.T) {
	s := start(t)
	service := s.create("assistant")
	a, _ := s.up(service)
	since := time.Unix(36, 0)
	key := report.RefusedKey{Upstream: "fast", SecretFile: config.SecretFile{Secret: "keys", Key: "openai"}, Since: since}
	a.set(func(status *report.Status) { status.RefusedKeys = []report.RefusedKey{key} })
	message := s.awaitCondition(service, v1alpha1.ConditionConfigApplied, "False/KeyRefused")
	if want := `With 401 or 403, upstream "fast" refuses key "openai" of Secret "keys"`; message != want {
		t.Errorf("message %q, want %q", message, want)
	}
	s.awaitEvent(service, "KeyRefused")
	s.awaitNudge("assistant-a", "refused-10.1")
	a.set(func(status *report.Status) { status.RefusedKeys = nil })
	s.awaitCondition(service, v1alpha1.ConditionReady, "True/Ready")
	s.settle()
	s.silent(t)
}

// kubectl wait reads the first status that names the new generation: it must not be Ready before the new template was
// looked at by anybody.
func TestReadyNeverPrecedesARollout(t *testing.T) {
	s := start(t)
	service := s.create("assistant")
	s.up(service)
	s.settle()

	for i, change := range []func(*v1alpha1.LLMService){
		func(l *v1alpha1.LLMService) { l.Spec.Runtime.Image = "gateway:v2" },
		func(l *v1alpha1.LLMService) { l.Spec.Runtime.Image, l.Spec.Replicas = "gateway:v3", new(int32(3)) },
	} {
		s.take()
		s.edit(service, change)
		for _, ready := range s.readyClaims(service.Generation) {
			t.Errorf("change %d: claimed before any pod was replaced: %+v", i, ready)
		}
		s.awaitCondition(service, v1alpha1.ConditionReady, "False/Progressing")
		if *service.Spec.Replicas == 3 {
			s.fleet.pod(service, "assistant-c", s.fleet.delivered(service))
		}
		s.fleet.rollOut(service)
		s.awaitCondition(service, v1alpha1.ConditionReady, "True/Ready")
	}
}

// readyClaims are the conditions that said Ready of a generation, in all that the operator wrote until it was silent.
func (s *system) readyClaims(generation int64) []metav1.Condition {
	s.t.Helper()
	var claims []metav1.Condition
	reported := false
	quiet := time.Now()
	eventually(s.t, "silence after a report", func() error {
		for _, write := range s.take() {
			quiet = time.Now()
			var written v1alpha1.LLMService
			if !strings.HasSuffix(write.path, "/status") || json.Unmarshal([]byte(write.body), &written) != nil {
				continue
			}
			ready := meta.FindStatusCondition(written.Status.Conditions, v1alpha1.ConditionReady)
			if ready == nil || ready.ObservedGeneration != generation {
				continue
			}
			reported = true
			if ready.Status == metav1.ConditionTrue {
				claims = append(claims, *ready)
			}
		}
		if since := time.Since(quiet); !reported || since < time.Second {
			return fmt.Errorf("reported: %v, silent for %v", reported, since)
		}
		return nil
	})
	return claims
}
