package api

import (
	"bytes"
	"errors"
	"io"
	"os/exec"
	"path/filepath"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/llmservice/llmservice/test/apiserver"
)

// The API server takes every object of the installation as it stands. test/manifests shows that the chart's are the same.
func TestInstallationIsAccepted(t *testing.T) {
	createSystem(t)
	for _, object := range installation(t) {
		switch object.GetKind() {
		case "CustomResourceDefinition", "Namespace":
			continue // there already
		case "Deployment":
			managerPodIsRestricted(t, object)
		}
		if err := dryRun(t, object); err != nil {
			t.Errorf("%s %s: %v", object.GetKind(), object.GetName(), err)
		}
	}
}

// createSystem creates the operator's namespace, as the installation has it, unless another test has.
func createSystem(t *testing.T) {
	t.Helper()
	for _, object := range installation(t) {
		if object.GetKind() != "Namespace" {
			continue
		}
		err := api.Create(t.Context(), object, client.FieldValidation(metav1.FieldValidationStrict))
		if client.IgnoreAlreadyExists(err) != nil {
			t.Fatal(err)
		}
	}
}

// managerPodIsRestricted creates the pod where the installation's own Namespace enforces "restricted".
func managerPodIsRestricted(t *testing.T, object *unstructured.Unstructured) {
	t.Helper()
	var deployment appsv1.Deployment
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(object.Object, &deployment); err != nil {
		t.Fatal(err)
	}
	pod := &corev1.Pod{Spec: deployment.Spec.Template.Spec}
	pod.Name, pod.Namespace = "manager", deployment.Namespace
	account := &corev1.ServiceAccount{}
	account.Name, account.Namespace = pod.Spec.ServiceAccountName, pod.Namespace
	if err := api.Create(t.Context(), account); err != nil {
		t.Fatal(err)
	}
	if err := api.Create(t.Context(), pod, client.DryRunAll); err != nil {
		t.Error(err)
	}
	if err := api.Delete(t.Context(), account); err != nil {
		t.Fatal(err)
	}
}

// installation lists what kustomize renders, with the Namespace first.
func installation(t *testing.T) []*unstructured.Unstructured {
	t.Helper()
	assets, err := apiserver.Assets()
	if err != nil {
		t.Fatal(err)
	}
	command := exec.CommandContext(t.Context(), filepath.Join(assets, "kubectl"),
		"kustomize", filepath.Join("..", "..", "config", "default"))
	command.Stderr = t.Output()
	rendered, err := command.Output()
	if err != nil {
		t.Fatalf("kubectl kustomize: %v", err)
	}
	var objects []*unstructured.Unstructured
	documents := yaml.NewYAMLOrJSONDecoder(bytes.NewReader(rendered), 4096)
	for {
		object := &unstructured.Unstructured{}
		err := documents.Decode(&object.Object)
		if errors.Is(err, io.EOF) {
			return objects
		}
		if err != nil {
			t.Fatal(err)
		}
		objects = append(objects, object)
	}
}
