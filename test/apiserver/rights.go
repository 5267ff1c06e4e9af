package apiserver

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
	sigsyaml "sigs.k8s.io/yaml"
)

const (
	// Namespace is that which config/ installs the operator in.
	Namespace = "llmservice-system"
	// ServiceAccount is what it runs as there.
	ServiceAccount = "llmservice-manager"
)

// manifests are below config/.
var manifests = []string{
	"rbac/role.yaml", "rbac/role_binding.yaml", "rbac/pod_policy.yaml", "metricsapi/role.yaml", "metricsapi/role_bindings.yaml",
	"webhook/role.yaml", "webhook/role_binding.yaml",
}

func account() envtest.User {
	return envtest.User{
		Name:   "system:serviceaccount:" + Namespace + ":" + ServiceAccount,
		Groups: []string{"system:serviceaccounts", "system:authenticated"},
	}
}

// grant gives the operator its rights.
func (s *Server) grant(root string) error {
	namespace := &corev1.Namespace{}
	namespace.Name = Namespace
	if err := s.Client.Create(context.Background(), namespace); err != nil {
		return fmt.Errorf("create namespace %s: %w", Namespace, err)
	}
	for _, file := range manifests {
		documents, err := os.ReadFile(filepath.Join(root, "config", file))
		if err != nil {
			return fmt.Errorf("read the operator's rights: %w", err)
		}
		if err := s.createAll(documents); err != nil {
			return fmt.Errorf("create %s: %w", file, err)
		}
	}
	return nil
}

func (s *Server) createAll(documents []byte) error {
	reader := yaml.NewYAMLReader(bufio.NewReader(bytes.NewReader(documents)))
	for {
		manifest, err := reader.Read()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read a manifest: %w", err)
		}
		var object unstructured.Unstructured
		if err := sigsyaml.Unmarshal(manifest, &object.Object); err != nil {
			return fmt.Errorf("decode a manifest: %w", err)
		}
		if len(object.Object) == 0 {
			continue
		}
		// The generated Role names a namespace that kustomize replaces.
		if object.GetNamespace() == "system" {
			object.SetNamespace(Namespace)
		}
		if err := s.Client.Create(context.Background(), &object, client.FieldOwner("test")); err != nil {
			return fmt.Errorf("create %s %s: %w", object.GetKind(), object.GetName(), err)
		}
	}
}
