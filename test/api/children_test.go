package api

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/llmservice/llmservice/api/v1alpha1"
	"github.com/llmservice/llmservice/controllers/render"
	"github.com/llmservice/llmservice/runtime/config"
	"github.com/llmservice/llmservice/runtime/config/program"
)

func TestSamples(t *testing.T) {
	for _, name := range samples(t) {
		t.Run(name, func(t *testing.T) {
			object := sample(t, name)
			if got := object.GetAnnotations()["kustomize.toolkit.fluxcd.io/substitute"]; got != "disabled" {
				t.Errorf("Flux's substitution is %q, want disabled", got)
			}
			if err := create(t, object); err != nil {
				t.Fatal(err)
			}
		})
	}
}

// The children of every service must be what an API server takes, and applying them again must change nothing.
func TestChildrenApply(t *testing.T) {
	objects := map[string]*unstructured.Unstructured{"every-field": everyField(t)}
	for _, name := range samples(t) {
		objects[name] = sample(t, name)
	}
	for name, object := range objects {
		t.Run(name, func(t *testing.T) {
			service := stored(t, object)
			for _, child := range children(t, service) {
				apply(t, child)
				first := live(t, child).GetResourceVersion()
				apply(t, child)
				if again := live(t, child).GetResourceVersion(); again != first {
					t.Errorf("applying %s a second time changed it", child.Kind)
				}
			}
		})
	}
}

// Gateways run where the Pod Security Standard "restricted" is enforced.
func TestGatewayPodsAreRestricted(t *testing.T) {
	const namespace = "restricted"
	createNamespace(t, namespace, map[string]string{"pod-security.kubernetes.io/enforce": "restricted"})
	for _, child := range children(t, stored(t, everyField(t))) {
		if child.Kind != "Deployment" {
			continue
		}
		var deployment appsv1.Deployment
		encoded, err := json.Marshal(child.Apply)
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(encoded, &deployment); err != nil {
			t.Fatal(err)
		}
		account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Name: child.Name, Namespace: namespace}}
		if err := api.Create(t.Context(), account); err != nil {
			t.Fatal(err)
		}
		pod := &corev1.Pod{
			ObjectMeta: metav1.ObjectMeta{Name: "gateway", Namespace: namespace},
			Spec:       deployment.Spec.Template.Spec,
		}
		if err := api.Create(t.Context(), pod, client.DryRunAll); err != nil {
			t.Error(err)
		}
		pod.Spec.SecurityContext.RunAsNonRoot = nil
		if err := api.Create(t.Context(), pod, client.DryRunAll); err == nil {
			t.Error("the namespace takes any pod: the test tests nothing")
		}
	}
}

func samples(t *testing.T) []string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", "config", "samples", "kustomization.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var kustomization struct{ Resources []string }
	if err := yaml.Unmarshal(text, &kustomization); err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join("..", "..", "config", "samples", "*.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	if len(kustomization.Resources) != len(files)-1 {
		t.Errorf("kustomization.yaml lists %v, there are %v", kustomization.Resources, files)
	}
	return kustomization.Resources
}

func sample(t *testing.T, name string) *unstructured.Unstructured {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", "config", "samples", name))
	if err != nil {
		t.Fatal(err)
	}
	return fromYAML(t, text)
}

// stored creates the service and returns it as a controller would read it.
func stored(t *testing.T, object *unstructured.Unstructured) *v1alpha1.LLMService {
	t.Helper()
	if err := create(t, object); err != nil {
		t.Fatal(err)
	}
	service := &v1alpha1.LLMService{}
	if err := api.Get(t.Context(), client.ObjectKeyFromObject(object), service); err != nil {
		t.Fatal(err)
	}
	return service
}

// children are those that the service wants.
func children(t *testing.T, service *v1alpha1.LLMService) []render.Child {
	t.Helper()
	contract, err := render.Contract(service)
	if err != nil {
		t.Fatal(err)
	}
	if errs := program.Validate(contract); len(errs) > 0 {
		t.Fatal(errs)
	}
	encoded, err := config.Encode(contract)
	if err != nil {
		t.Fatal(err)
	}
	all, err := render.Kinds().Children(render.Input{
		Service:  service,
		Current:  render.NewDocument(encoded, contract),
		Replicas: *service.Spec.Replicas,
		Gateway:  render.GatewaySettings{Image: "registry.example.com/gateway:v1"},
	})
	if err != nil {
		t.Fatal(err)
	}
	return slices.DeleteFunc(all, func(c render.Child) bool { return c.Apply == nil })
}

func apply(t *testing.T, child render.Child) {
	t.Helper()
	object, err := child.Unstructured()
	if err != nil {
		t.Fatal(err)
	}
	// The client puts the API server's answer into what it is given.
	configuration := client.ApplyConfigurationFromUnstructured(object.DeepCopy())
	if err := api.Apply(t.Context(), configuration, client.FieldOwner("test"), client.ForceOwnership); err != nil {
		t.Fatalf("apply %s: %v", child.Kind, err)
	}
}

func live(t *testing.T, child render.Child) *unstructured.Unstructured {
	t.Helper()
	object := &unstructured.Unstructured{}
	object.SetGroupVersionKind(child.GroupVersionKind)
	if err := api.Get(t.Context(), child.NamespacedName, object); err != nil {
		t.Fatal(err)
	}
	return object
}
