package operator

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/metrics"

	"github.com/llmservice/llmservice/api/v1alpha1"
	"github.com/llmservice/llmservice/controllers"
	"github.com/llmservice/llmservice/controllers/rollout"
	"github.com/llmservice/llmservice/runtime/config/report"
)

// upgraded starts an operator with another image for its gateways, which replaces the pods of so many services at a time. It has only
// this namespace: a service that another test left would have turns, too, and no pods that are ever replaced.
func (s *system) upgraded(image string, limit int) {
	s.t.Helper()
	s.options = func(o *controllers.Options) {
		o.Gateway.Image, o.MaxConcurrentRollouts, o.Namespaces = image, limit, []string{s.namespace}
	}
	s.run(nil)
}

// running are the names of the services by the gateways' image in their Deployments' templates.
func (s *system) running(image string) []string {
	s.t.Helper()
	var deployments appsv1.DeploymentList
	if err := api.List(s.t.Context(), &deployments, client.InNamespace(s.namespace)); err != nil {
		s.t.Fatal(err)
	}
	var names []string
	for i := range deployments.Items {
		if deployments.Items[i].Spec.Template.Spec.Containers[0].Image == image {
			names = append(names, deployments.Items[i].Name)
		}
	}
	slices.Sort(names)
	return names
}

// awaitRunning waits until exactly these services run an image, and the operator writes nothing more.
func (s *system) awaitRunning(image string, names ...string) {
	s.t.Helper()
	slices.Sort(names)
	eventually(s.t, image, func() error {
		if diff := cmp.Diff(names, s.running(image)); diff != "" {
			return fmt.Errorf("services with %s (-want +got):\n%s", image, diff)
		}
		return nil
	})
	s.settle()
	if diff := cmp.Diff(names, s.running(image)); diff != "" {
		s.t.Fatalf("services with %s, after a while (-want +got):\n%s", image, diff)
	}
}

// getStuck has the Deployment's status say that its pods cannot be replaced.
func (f *fleet) getStuck(service *v1alpha1.LLMService) {
	f.t.Helper()
	eventually(f.t, "get stuck", func() error {
		var deployment appsv1.Deployment
		if err := api.Get(f.t.Context(), client.ObjectKeyFromObject(service), &deployment); err != nil {
			return err
		}
		n := *deployment.Spec.Replicas
		deployment.Status = appsv1.DeploymentStatus{
			ObservedGeneration: deployment.Generation, Replicas: n + 1, UpdatedReplicas: 1, ReadyReplicas: n, AvailableReplicas: n,
			UnavailableReplicas: 1,
			Conditions: []appsv1.DeploymentCondition{{
				Type: appsv1.DeploymentProgressing, Status: corev1.ConditionFalse, Reason: "ProgressDeadlineExceeded", Message: "timed out",
			}},
		}
		return api.Status().Update(f.t.Context(), &deployment)
	})
}

// complete has all replicas of a service serve its latest template, and waits until its turn has ended: an API server counts a change of
// a Deployment's annotations as a generation.
func (s *system) complete(service *v1alpha1.LLMService) {
	s.t.Helper()
	s.fleet.rollOut(service)
	eventually(s.t, "the end of the turn of "+service.Name, func() error {
		if slices.Contains(s.turnsOf(), service.Name) {
			return errors.New("it has a turn")
		}
		return nil
	})
	s.fleet.rollOut(service)
}

// turnsOf are the services with a turn, by what their Deployments record.
func (s *system) turnsOf() []string {
	s.t.Helper()
	var deployments appsv1.DeploymentList
	if err := api.List(s.t.Context(), &deployments, client.InNamespace(s.namespace)); err != nil {
		s.t.Fatal(err)
	}
	var names []string
	for i := range deployments.Items {
		if rollout.ReadOrigin(deployments.Items[i].Annotations[rollout.Annotation]).Turn != "" {
			names = append(names, deployments.Items[i].Name)
		}
	}
	return names
}

// manyUp brings so many services to Ready: s0 with the most requests in flight, and the last one with none.
func (s *system) manyUp(n int) map[string]*v1alpha1.LLMService {
	s.t.Helper()
	services := map[string]*v1alpha1.LLMService{}
	for i := range n {
		name := fmt.Sprintf("s%d", i)
		services[name] = s.create(name)
		a, b := s.up(services[name])
		for _, gateway := range []*gateway{a, b} {
			gateway.set(func(r *report.Status) { r.InFlight = int64(n - 1 - i) })
		}
	}
	return services
}

// left are so many services that an operator with this limit has made, and which no operator serves now.
func (s *system) left(n, limit int) map[string]*v1alpha1.LLMService {
	s.t.Helper()
	s.upgraded("gateway:test", limit)
	services := s.manyUp(n)
	s.settle()
	s.stop()
	return services
}

// A new default image replaces the pods of a few services at a time, idle ones first. One that gets stuck holds the others, a restart of
// the operator changes nothing, and what people change in a spec waits for nobody. A better image repairs what is stuck, and then all
// follow.
func TestRolloutsTakeTurns(t *testing.T) {
	s := alone(t)
	services := s.left(10, 2)

	s.upgraded("gateway:next", 2)
	s.awaitRunning("gateway:next", "s8", "s9")
	for name, service := range services {
		if name != "s8" && name != "s9" {
			s.awaitCondition(service, v1alpha1.ConditionRolloutHeld, "True/WaitingForTurn")
			s.awaitCondition(service, v1alpha1.ConditionReady, "True/Ready")
		}
	}
	if status := scrapeRollouts(t); !maps.Equal(status, map[string]float64{"waiting": 8, "underway": 2, "failed": 0, "lost": 0}) {
		t.Errorf("the metric is %v", status)
	}

	s.heldServicesFollowTheirSpecs(services)

	s.complete(services["s9"])
	s.awaitRunning("gateway:next", "s0", "s7", "s8", "s9")
	s.awaitEvent(services["s7"], controllers.EventRolloutReleased)
	if held := meta.FindStatusCondition(s.latest(services["s7"]).Status.Conditions, v1alpha1.ConditionRolloutHeld); held != nil {
		t.Errorf("after its turn has come, s7 says %s", held.Message)
	}

	s.fleet.getStuck(services["s8"])
	s.awaitCondition(services["s1"], v1alpha1.ConditionRolloutHeld, "True/RolloutFailed")
	s.awaitCondition(services["s1"], v1alpha1.ConditionReady, "True/Ready")
	s.complete(services["s7"])
	s.awaitRunning("gateway:next", "s0", "s7", "s8", "s9")
	s.stop()
	s.upgraded("gateway:next", 2)
	s.awaitRunning("gateway:next", "s0", "s7", "s8", "s9")
	s.stop()

	s.upgraded("gateway:better", 2)
	s.awaitRunning("gateway:better", "s8", "s9") // s8 is repaired, and s9 is the idlest of all others
	s.completeAll(services, "gateway:better", 2)
}

// heldServicesFollowTheirSpecs changes services that wait: what replaces pods, what does not, and the number of replicas.
func (s *system) heldServicesFollowTheirSpecs(services map[string]*v1alpha1.LLMService) {
	s.t.Helper()
	s.edit(services["s0"], podTemplate(s.t, `{"metadata": {"annotations": {"example.com/team": "a"}}}`))
	s.awaitRunning("gateway:next", "s0", "s8", "s9")
	s.fleet.rollOut(services["s0"])
	revision := s.fleet.delivered(services["s1"])
	s.edit(services["s1"], func(l *v1alpha1.LLMService) { model("m2")(l); replicas(3)(l) })
	s.fleet.awaitDelivery(services["s1"], revision)
	s.awaitReplicas(services["s1"], 3)
	s.awaitRunning("gateway:next", "s0", "s8", "s9")
	s.edit(services["s1"], replicas(2))
	s.awaitReplicas(services["s1"], 2)
	served := s.fleet.delivered(services["s1"])
	for _, pod := range []string{"s1-a", "s1-b"} {
		s.fleet.gateways[pod].serves(served)
	}
	s.fleet.rollOut(services["s1"])
	s.awaitCondition(services["s1"], v1alpha1.ConditionReady, "True/Ready")
	for _, entry := range s.deployment(services["s1"]).ManagedFields {
		if entry.Manager == controllers.FieldOwner && entry.Operation != "Apply" && entry.Subresource == "" {
			s.t.Errorf("%s holds fields by %s: nothing removes them when they are no longer wanted", entry.Manager, entry.Operation)
		}
	}
}

// completeAll lets one roll-out after another end, until all services run the image, and fails if more are under way than may be.
func (s *system) completeAll(services map[string]*v1alpha1.LLMService, image string, limit int) {
	s.t.Helper()
	done := map[string]bool{}
	eventually(s.t, "all run "+image, func() error {
		under := slices.DeleteFunc(s.running(image), func(name string) bool { return done[name] })
		if len(under) > limit {
			s.t.Fatalf("%v are under way", under)
		}
		if len(under) > 0 {
			s.complete(s.latest(services[under[0]]))
			done[under[0]] = true
		}
		if len(done) < len(services) {
			return fmt.Errorf("done are %v", slices.Sorted(maps.Keys(done)))
		}
		return nil
	})
	s.settle()
	if turns := s.turnsOf(); len(turns) > 0 {
		s.t.Errorf("at last, %v have a turn", turns)
	}
	for _, service := range services {
		s.awaitCondition(service, v1alpha1.ConditionReady, "True/Ready")
		if meta.FindStatusCondition(service.Status.Conditions, v1alpha1.ConditionRolloutHeld) != nil {
			s.t.Errorf("at last, %s is held", service.Name)
		}
	}
}

func (s *system) latest(service *v1alpha1.LLMService) *v1alpha1.LLMService {
	s.t.Helper()
	if err := api.Get(s.t.Context(), client.ObjectKeyFromObject(service), service); err != nil {
		s.t.Fatal(err)
	}
	return service
}

// scrapeRollouts is the metric of roll-outs, by state.
func scrapeRollouts(t *testing.T) map[string]float64 {
	t.Helper()
	states := map[string]float64{}
	families, err := metrics.Registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, family := range families {
		if family.GetName() == "llmservice_operator_rollouts" {
			for _, metric := range family.GetMetric() {
				states[metric.GetLabel()[0].GetValue()] = metric.GetGauge().GetValue()
			}
		}
	}
	return states
}

// Deployments of a release that recorded nothing take turns, too, and while they wait, a change of the spec is known for one.
func TestRolloutsOfAReleaseThatRecordedNothing(t *testing.T) {
	s := alone(t)
	services := s.left(3, 1)
	for _, service := range services {
		deployment := s.deployment(service)
		patch := client.RawPatch("application/json-patch+json", []byte(
			`[{"op":"remove","path":"/metadata/annotations/`+strings.ReplaceAll(rollout.Annotation, "/", "~1")+`"}]`))
		if err := api.Patch(t.Context(), deployment, patch); err != nil {
			t.Fatal(err)
		}
	}
	s.upgraded("gateway:next", 1)
	s.awaitRunning("gateway:next", "s2")
	s.edit(services["s0"], func(l *v1alpha1.LLMService) { l.Spec.Runtime.MaxStreamDuration = "7m" })
	s.awaitRunning("gateway:next", "s0", "s2")
	s.fleet.rollOut(services["s0"])
	s.fleet.rollOut(services["s2"])
	s.awaitRunning("gateway:next", "s0", "s1", "s2")
}

// A service that cannot be written, one that is paused and one that is deleted hold up no other. Without a limit, nobody waits.
func TestTurnsPassOn(t *testing.T) {
	s := alone(t)
	services := s.left(5, 1)
	s.interrupt = func(sent *http.Request) *http.Response {
		if sent.Method == http.MethodPatch && strings.HasSuffix(sent.URL.Path, "/deployments/s4") {
			return refused(sent, http.StatusForbidden)
		}
		return nil
	}
	s.upgraded("gateway:next", 1)
	s.awaitTemplates("s3")
	s.edit(services["s3"], paused(true))
	s.awaitTemplates("s2", "s3")
	if err := api.Delete(t.Context(), services["s2"], client.GracePeriodSeconds(0)); err != nil {
		t.Fatal(err)
	}
	s.awaitTemplates("s1", "s2", "s3")
	s.stop()
	s.interrupt = nil
	s.upgraded("gateway:next", 0)
	s.awaitTemplates("s0", "s1", "s2", "s3", "s4")
}

// A service that can never be looked at, because the API server does not return it, holds up the others for a while only, and an event and
// a metric say so.
func TestALostServiceHoldsUpNobody(t *testing.T) {
	s := alone(t)
	s.left(2, 1)
	lost := s.create("lost", described(48<<10)) // too large for the cache: it is read from the API server
	s.interrupt = func(sent *http.Request) *http.Response {
		if sent.Method == http.MethodGet && strings.HasSuffix(sent.URL.Path, "/llmservices/lost") {
			return refused(sent, http.StatusInternalServerError)
		}
		return nil
	}
	var ahead atomic.Int64
	s.options = func(o *controllers.Options) {
		o.Gateway.Image, o.MaxConcurrentRollouts, o.Namespaces = "gateway:next", 1, []string{s.namespace}
		o.Now = func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) }
	}
	before := reconciles(t)
	s.run(nil)
	eventually(t, "attempts", func() error {
		if n := reconciles(t) - before; n < 6 {
			return fmt.Errorf("%v reconciles", n)
		}
		return nil
	})
	s.settle()
	s.awaitTemplates()
	ahead.Store(int64(rollout.LookWithin))
	s.awaitTemplates("s1")
	event := s.awaitEvent(lost, controllers.EventNotObserved)
	if event.Type != corev1.EventTypeWarning || !strings.Contains(event.Note, "has not been able to look at it for 10m0s") {
		t.Errorf("the event is %s %q", event.Type, event.Note)
	}
	if status := scrapeRollouts(t); !maps.Equal(status, map[string]float64{"waiting": 1, "underway": 1, "failed": 0, "lost": 1}) {
		t.Errorf("the metric is %v", status)
	}
}

// awaitTemplates waits until exactly these services run the next image. The operator may go on to write other things.
func (s *system) awaitTemplates(names ...string) {
	s.t.Helper()
	eventually(s.t, "the next image", func() error {
		if diff := cmp.Diff(names, s.running("gateway:next"), cmpopts.EquateEmpty()); diff != "" {
			return fmt.Errorf("services with it (-want +got):\n%s", diff)
		}
		return nil
	})
}

// What is recorded is small, and says nothing of the spec.
func TestOriginIsRecorded(t *testing.T) {
	s := start(t)
	service := s.create("assistant")
	s.up(service)
	var recorded map[string]any
	if err := json.Unmarshal([]byte(s.deployment(service).Annotations[rollout.Annotation]), &recorded); err != nil {
		t.Fatal(err)
	}
	if got := slices.Sorted(maps.Keys(recorded)); !slices.Equal(got, []string{"format", "spec", "template"}) {
		t.Errorf("recorded are %v", recorded)
	}
}
