package operator

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

// installation is the namespace and the account of config/.
const installation, account = "llmservice-system", "llmservice-manager"

// manager is the operator as it is installed: it has the rights that config/ gives it, and no more.
func manager() envtest.User {
	return envtest.User{
		Name:   "system:serviceaccount:" + installation + ":" + account,
		Groups: []string{"system:serviceaccounts", "system:authenticated"},
	}
}

// grant gives the operator its rights.
func grant(ctx context.Context) error {
	namespace := &corev1.Namespace{}
	namespace.Name = installation
	if err := api.Create(ctx, namespace); err != nil {
		return fmt.Errorf("create namespace %s: %w", installation, err)
	}
	for _, file := range []string{"rbac/role.yaml", "rbac/role_binding.yaml", "metricsapi/role.yaml", "metricsapi/role_bindings.yaml"} {
		manifests, err := os.ReadFile(filepath.Join("..", "..", "config", file))
		if err != nil {
			return fmt.Errorf("read the operator's rights: %w", err)
		}
		if err := createAll(ctx, manifests); err != nil {
			return fmt.Errorf("create %s: %w", file, err)
		}
	}
	return nil
}

func createAll(ctx context.Context, manifests []byte) error {
	reader := yaml.NewYAMLReader(bufio.NewReader(bytes.NewReader(manifests)))
	for {
		manifest, err := reader.Read()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		var object unstructured.Unstructured
		if err := sigsyaml.Unmarshal(manifest, &object.Object); err != nil {
			return err
		}
		// The generated Role names a namespace that kustomize replaces.
		if object.GetNamespace() == "system" {
			object.SetNamespace(installation)
		}
		if len(object.Object) == 0 {
			continue
		}
		if err := api.Create(ctx, &object, client.FieldOwner("test")); err != nil {
			return err
		}
	}
}
