package operator

import (
	"context"
	"fmt"
	"testing"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

const mirrored = "mirror.test/gateway:test"

// A cluster whose admission rewrites images has the last word: the operator must not fight it.
func TestDoesNotFightAdmission(t *testing.T) {
	s := start(t)
	s.mirrorImages()
	service := s.create("assistant", scaling(inFlight))
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
	rules := []admissionregistrationv1.NamedRuleWithOperations{{RuleWithOperations: admissionregistrationv1.RuleWithOperations{
		Operations: []admissionregistrationv1.OperationType{admissionregistrationv1.Create, admissionregistrationv1.Update},
		Rule:       admissionregistrationv1.Rule{APIGroups: []string{"apps"}, APIVersions: []string{"v1"}, Resources: []string{"deployments"}},
	}}}
	name := metav1.ObjectMeta{Name: s.namespace}
	policy := &admissionregistrationv1.MutatingAdmissionPolicy{ObjectMeta: name, Spec: admissionregistrationv1.MutatingAdmissionPolicySpec{
		MatchConstraints:   &admissionregistrationv1.MatchResources{ResourceRules: rules},
		ReinvocationPolicy: admissionregistrationv1.NeverReinvocationPolicy,
		Mutations: []admissionregistrationv1.Mutation{{PatchType: admissionregistrationv1.PatchTypeJSONPatch, JSONPatch: &admissionregistrationv1.JSONPatch{
			Expression: `[JSONPatch{op: "replace", path: "/spec/template/spec/containers/0/image", value: "` + mirrored + `"}]`,
		}}},
	}}
	binding := &admissionregistrationv1.MutatingAdmissionPolicyBinding{ObjectMeta: name, Spec: admissionregistrationv1.MutatingAdmissionPolicyBindingSpec{
		PolicyName: s.namespace,
		MatchResources: &admissionregistrationv1.MatchResources{NamespaceSelector: &metav1.LabelSelector{
			MatchLabels: map[string]string{corev1.LabelMetadataName: s.namespace},
		}},
	}}
	for _, object := range []client.Object{policy, binding} {
		if err := api.Create(s.t.Context(), object); err != nil {
			s.t.Fatal(err)
		}
		s.t.Cleanup(func() {
			if err := api.Delete(context.Background(), object); err != nil {
				s.t.Error(err)
			}
		})
	}
	eventually(s.t, "the policy", func() error {
		labels := map[string]string{"app": "probe"}
		probe := &appsv1.Deployment{
			ObjectMeta: metav1.ObjectMeta{Namespace: s.namespace, Name: "probe"},
			Spec: appsv1.DeploymentSpec{
				Selector: &metav1.LabelSelector{MatchLabels: labels},
				Template: corev1.PodTemplateSpec{
					ObjectMeta: metav1.ObjectMeta{Labels: labels},
					Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "probe", Image: "probe"}}},
				},
			},
		}
		if err := api.Create(s.t.Context(), probe, client.DryRunAll); err != nil {
			return err
		}
		if got := probe.Spec.Template.Spec.Containers[0].Image; got != mirrored {
			return fmt.Errorf("image %s: not at work yet", got)
		}
		return nil
	})
}
