package operator

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/llmservice/llmservice/api/v1alpha1"
	"github.com/llmservice/llmservice/controllers"
)

const mirrored = "mirror.test/gateway:test"

// A cluster whose admission rewrites images has the last word: the operator must not fight it.
func TestDoesNotFightAdmission(t *testing.T) {
	s := start(t)
	s.mirrorImages()
	service := s.create("assistant", everything)
	s.up(service)
	s.settle()
	var deployment appsv1.Deployment
	if !exists(t, client.ObjectKeyFromObject(service), &deployment) {
		t.Fatal("there is no Deployment")
	}
	if got := deployment.Spec.Template.Spec.Containers[0].Image; got != mirrored {
		t.Fatalf("image %s: admission did not rewrite it", got)
	}
	s.storm(service)
	s.silent(t)

	// What admission leaves alone is restored all the same.
	edit(t, &deployment, func() { deployment.Spec.Template.Spec.Containers[0].Args = nil })
	eventually(t, "restoration", func() error {
		if err := api.Get(t.Context(), client.ObjectKeyFromObject(service), &deployment); err != nil {
			return err
		}
		if len(deployment.Spec.Template.Spec.Containers[0].Args) == 0 {
			return fmt.Errorf("the arguments are gone")
		}
		return nil
	})
	s.settle()
	s.silent(t)
}

// mirrorImages has admission take every Deployment's image from a mirror, as clusters do that may not reach others.
func (s *system) mirrorImages() {
	s.t.Helper()
	s.mutate("deployments", `[JSONPatch{op: "replace", path: "/spec/template/spec/containers/0/image", value: "`+mirrored+`"}]`)
}

// probes are objects that the API server takes.
var probes = map[string]string{
	"deployments": `{apiVersion: apps/v1, kind: Deployment, spec: {selector: {matchLabels: {app: probe}}, template: {
		metadata: {labels: {app: probe}}, spec: {containers: [{name: probe, image: probe}]}}}}`,
	"horizontalpodautoscalers": `{apiVersion: autoscaling/v2, kind: HorizontalPodAutoscaler,
		spec: {maxReplicas: 2, scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: probe}}}`,
	"services":             `{apiVersion: v1, kind: Service, spec: {ports: [{port: 80}]}}`,
	"configmaps":           `{apiVersion: v1, kind: ConfigMap}`,
	"serviceaccounts":      `{apiVersion: v1, kind: ServiceAccount}`,
	"poddisruptionbudgets": `{apiVersion: policy/v1, kind: PodDisruptionBudget, spec: {maxUnavailable: 1}}`,
	"networkpolicies":      `{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, spec: {podSelector: {}}}`,
	"pods":                 `{apiVersion: v1, kind: Pod, spec: {containers: [{name: probe, image: probe}]}}`,
}

// mutate has admission change objects of a kind in the namespace, as the CEL expression says, until what it returns is called.
func (s *system) mutate(resource, patch string) (end func()) {
	s.t.Helper()
	rules := []admissionregistrationv1.NamedRuleWithOperations{{RuleWithOperations: admissionregistrationv1.RuleWithOperations{
		Operations: []admissionregistrationv1.OperationType{admissionregistrationv1.Create, admissionregistrationv1.Update},
		Rule:       admissionregistrationv1.Rule{APIGroups: []string{"*"}, APIVersions: []string{"*"}, Resources: []string{resource}},
	}}}
	name := metav1.ObjectMeta{Name: s.namespace + "-" + resource}
	policy := &admissionregistrationv1.MutatingAdmissionPolicy{ObjectMeta: name, Spec: admissionregistrationv1.MutatingAdmissionPolicySpec{
		MatchConstraints:   &admissionregistrationv1.MatchResources{ResourceRules: rules},
		ReinvocationPolicy: admissionregistrationv1.NeverReinvocationPolicy,
		Mutations: []admissionregistrationv1.Mutation{{PatchType: admissionregistrationv1.PatchTypeJSONPatch, JSONPatch: &admissionregistrationv1.JSONPatch{
			Expression: `object.metadata.name == "probe" ? [JSONPatch{op: "add", path: "/metadata/labels/mutated", value: "yes"}] : ` + patch,
		}}},
	}}
	binding := &admissionregistrationv1.MutatingAdmissionPolicyBinding{ObjectMeta: name, Spec: admissionregistrationv1.MutatingAdmissionPolicyBindingSpec{
		PolicyName: name.Name,
		MatchResources: &admissionregistrationv1.MatchResources{NamespaceSelector: &metav1.LabelSelector{
			MatchLabels: map[string]string{corev1.LabelMetadataName: s.namespace},
		}},
	}}
	for _, object := range []client.Object{policy, binding} {
		if err := api.Create(s.t.Context(), object); err != nil {
			s.t.Fatal(err)
		}
	}
	end = sync.OnceFunc(func() {
		for _, object := range []client.Object{policy, binding} {
			if err := api.Delete(context.Background(), object); err != nil {
				s.t.Error(err)
			}
		}
		s.awaitMutation(resource, false)
	})
	s.t.Cleanup(end)
	s.awaitMutation(resource, true)
	return end
}

// awaitMutation waits until the policy of the kind is at work, or has ceased to be.
func (s *system) awaitMutation(resource string, at bool) {
	s.t.Helper()
	eventually(s.t, "admission of "+resource, func() error {
		probe := &unstructured.Unstructured{}
		if err := yaml.Unmarshal([]byte(probes[resource]), &probe.Object); err != nil {
			return err
		}
		probe.SetNamespace(s.namespace)
		probe.SetName("probe")
		probe.SetLabels(map[string]string{"app": "probe"})
		if err := api.Create(context.Background(), probe, client.DryRunAll); err != nil {
			return err
		}
		if mutated := probe.GetLabels()["mutated"] != ""; mutated != at {
			return fmt.Errorf("mutated: %t", mutated)
		}
		return nil
	})
}

// overriding is what an admission does that harms a service, and what Stalled says of it.
var overriding = []struct{ resource, patch, want string }{
	{
		"deployments", `[
			JSONPatch{op: "replace", path: "/spec/replicas", value: 1},
			JSONPatch{op: "replace", path: "/spec/template/spec/terminationGracePeriodSeconds", value: 30},
			JSONPatch{op: "replace", path: "/spec/template/spec/containers/0/ports/0/containerPort", value: 8888}] +
			(has(object.spec.template.spec.containers[0].livenessProbe) ?
				[JSONPatch{op: "remove", path: "/spec/template/spec/containers/0/livenessProbe"}] : [])`,
		"Deployment assistant: spec.replicas is 1, wanted 2; " +
			"Deployment assistant: spec.template.spec.containers[gateway].livenessProbe is missing, wanted {",
	},
	{"deployments", "", "Deployment assistant: spec.template.spec.containers[gateway].ports[http].containerPort is 8888, wanted 8080"},
	{"deployments", "", "Deployment assistant: spec.template.spec.terminationGracePeriodSeconds is 30, wanted 320"},
	{
		"horizontalpodautoscalers", `[JSONPatch{op: "replace", path: "/spec/maxReplicas", value: 3}]`,
		"HorizontalPodAutoscaler assistant: spec.maxReplicas is 3, wanted 5",
	},
	{
		"services", `[JSONPatch{op: "replace", path: "/spec/ports/0/port", value: 81}]`,
		"Service assistant: spec.ports[http].port is 81, wanted 80",
	},
	{
		"configmaps", `has(object.metadata.annotations) && "serving.llmservice.dev/accepted" in object.metadata.annotations ?
			[JSONPatch{op: "remove", path: "/metadata/annotations/serving.llmservice.dev~1accepted"}] : []`,
		"ConfigMap assistant-config-v1: metadata.annotations[serving.llmservice.dev/accepted] is missing",
	},
	{
		"poddisruptionbudgets", `[JSONPatch{op: "replace", path: "/spec/maxUnavailable", value: 5}]`,
		`PodDisruptionBudget assistant: spec.maxUnavailable is 5, wanted "25%"`,
	},
	{
		"networkpolicies", `[JSONPatch{op: "replace", path: "/spec/egress/0/ports/0/port", value: 54}]`,
		"NetworkPolicy assistant: spec.egress[0].ports[0].port is 54, wanted 53",
	},
	{
		"serviceaccounts", `[JSONPatch{op: "replace", path: "/automountServiceAccountToken", value: true}]`,
		"ServiceAccount assistant: automountServiceAccountToken is true, wanted false",
	},
}

// What admission makes of a child and the service needs otherwise is a condition with field, wanted and given value. It costs
// no writes, and goes when admission has changed.
func TestWhatAdmissionChangesIsTold(t *testing.T) {
	s := start(t)
	s.stop()
	var ahead atomic.Int64
	s.options = func(o *controllers.Options) {
		o.Now = func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) }
	}
	s.run(nil)
	var ends []func()
	for _, o := range overriding {
		if o.patch != "" {
			ends = append(ends, s.mutate(o.resource, o.patch))
		}
	}
	service := s.create("assistant", everything)
	revision := s.fleet.awaitDelivery(service, "")
	s.fleet.pod(service, "assistant-a", revision)
	s.fleet.pod(service, "assistant-b", revision)
	s.awaitReadyWithReplicas(service, "False/Overridden")
	message := s.awaitCondition(service, v1alpha1.ConditionStalled, "True/Overridden")
	for _, o := range overriding {
		if !strings.Contains(message, o.want) {
			t.Errorf("Stalled says %q, and not %q", message, o.want)
		}
	}
	s.awaitEvent(service, "Overridden")
	s.settle()
	s.storm(service)
	s.silent(t)

	// Looking whether it is over yet changes nothing either.
	before := s.versions(service)
	ahead.Store(int64(time.Hour))
	s.edit(service, func(l *v1alpha1.LLMService) { l.Annotations = map[string]string{"look": "again"} })
	eventually(t, "a look", func() error {
		if writes := s.take(); len(writes) == 0 {
			return errors.New("it does not look")
		}
		return nil
	})
	s.settle()
	if diff := cmp.Diff(before, s.versions(service)); diff != "" {
		t.Errorf("children were changed for a look (-before +after):\n%s", diff)
	}

	for _, end := range ends {
		end()
	}
	ahead.Store(int64(2 * time.Hour))
	s.edit(service, func(l *v1alpha1.LLMService) { l.Annotations = map[string]string{"look": "once more"} })
	eventually(t, "restoration", func() error {
		var deployment appsv1.Deployment
		if !exists(t, client.ObjectKeyFromObject(service), &deployment) || *deployment.Spec.Template.Spec.TerminationGracePeriodSeconds != 320 {
			return errors.New("pods would still be changed")
		}
		return nil
	})
	s.fleet.remove("assistant-a")
	s.fleet.remove("assistant-b")
	s.fleet.pod(service, "assistant-c", revision)
	s.fleet.pod(service, "assistant-d", revision)
	s.accept(service, "Accepted", "True", "Accepted")
	s.awaitReadyWithReplicas(service, "True/Ready")
}

// Admission of pods changes what their Deployment never shows.
func TestPodsThatAdmissionChangesAreTold(t *testing.T) {
	s := start(t)
	end := s.mutate("pods", `[
		JSONPatch{op: "replace", path: "/spec/terminationGracePeriodSeconds", value: 30},
		JSONPatch{op: "replace", path: "/spec/containers/0/readinessProbe/periodSeconds", value: 60},
		JSONPatch{op: "add", path: "/spec/containers/0/lifecycle", value: {"preStop": {"sleep": {"seconds": 5}}}}]`)
	service := s.create("assistant", everything)
	revision := s.fleet.awaitDelivery(service, "")
	s.fleet.pod(service, "assistant-a", revision)
	s.fleet.pod(service, "assistant-b", revision)
	s.awaitReadyWithReplicas(service, "False/Overridden")
	message := s.awaitCondition(service, v1alpha1.ConditionStalled, "True/Overridden")
	for _, want := range []string{
		"terminationGracePeriodSeconds is 30, wanted 320", "containers[gateway].readinessProbe.periodSeconds is 60, wanted 1",
		"containers[gateway].lifecycle.preStop takes some of the time to drain, wanted none",
	} {
		if !strings.Contains(message, "Pods of Deployment assistant: spec."+want) {
			t.Errorf("Stalled says %q, and not %q", message, want)
		}
	}
	s.settle()
	s.storm(service)
	s.silent(t)
	end()
	s.fleet.remove("assistant-a")
	s.fleet.remove("assistant-b")
	s.fleet.pod(service, "assistant-c", revision)
	s.fleet.pod(service, "assistant-d", revision)
	s.accept(service, "Accepted", "True", "Accepted")
	s.awaitReadyWithReplicas(service, "True/Ready")
}

// awaitReadyWithReplicas waits until Ready is STATUS/REASON, while the Deployment's status says that two replicas serve its latest
// template.
func (s *system) awaitReadyWithReplicas(service *v1alpha1.LLMService, want string) {
	s.t.Helper()
	eventually(s.t, "Ready="+want, func() error {
		var deployment appsv1.Deployment
		if err := api.Get(s.t.Context(), client.ObjectKeyFromObject(service), &deployment); err != nil {
			return err
		}
		status := appsv1.DeploymentStatus{
			ObservedGeneration: deployment.Generation, Replicas: 2, UpdatedReplicas: 2, ReadyReplicas: 2, AvailableReplicas: 2,
		}
		if !equality.Semantic.DeepEqual(status, deployment.Status) {
			deployment.Status = status
			if err := api.Status().Update(s.t.Context(), &deployment); err != nil {
				return err
			}
		}
		if err := api.Get(s.t.Context(), client.ObjectKeyFromObject(service), service); err != nil {
			return err
		}
		c := meta.FindStatusCondition(service.Status.Conditions, v1alpha1.ConditionReady)
		if c == nil || string(c.Status)+"/"+c.Reason != want {
			return fmt.Errorf("%+v", service.Status.Conditions)
		}
		return nil
	})
}

// versions are those of the children.
func (s *system) versions(service *v1alpha1.LLMService) map[string]string {
	s.t.Helper()
	versions := map[string]string{}
	for kind, child := range children(service) {
		if exists(s.t, client.ObjectKeyFromObject(child), child) {
			versions[kind] = child.GetResourceVersion()
		}
	}
	return versions
}
