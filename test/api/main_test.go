// Package api tests the LLMService API as a real API server enforces it.
package api

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"k8s.io/apimachinery/pkg/runtime"
	kubernetes "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"

	"github.com/llmservice/llmservice/api/v1alpha1"
	"github.com/llmservice/llmservice/test/apiserver"
)

var (
	restConfig *rest.Config
	// kubeConfig is for kubectl, as an administrator.
	kubeConfig []byte
	// api decodes into Go types, as every typed client does.
	api client.Client
)

func TestMain(m *testing.M) {
	code, err := withAPIServer(m.Run)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

func withAPIServer(run func() int) (code int, err error) {
	assets, err := apiserver.Assets()
	if err != nil {
		return 0, err
	}
	server := &envtest.Environment{
		BinaryAssetsDirectory: assets,
		// Those of other projects are for children of kinds that a cluster may lack.
		CRDDirectoryPaths: []string{
			filepath.Join("..", "..", "config", "crd", "bases"), filepath.Join("..", "operator", "testdata", "crds"),
		},
		ErrorIfCRDPathMissing: true,
	}
	if restConfig, err = server.Start(); err != nil {
		return 0, fmt.Errorf("start kube-apiserver and etcd of %s: %w", assets, err)
	}
	defer func() {
		if stopErr := server.Stop(); err == nil && stopErr != nil {
			err = fmt.Errorf("stop kube-apiserver: %w", stopErr)
		}
	}()
	kubeConfig = server.KubeConfig
	// The API server warns of every field that a test has it drop.
	restConfig.WarningHandler = rest.NoWarnings{}
	scheme := runtime.NewScheme()
	if err := errors.Join(v1alpha1.AddToScheme(scheme), kubernetes.AddToScheme(scheme)); err != nil {
		return 0, fmt.Errorf("register types: %w", err)
	}
	if api, err = client.New(restConfig, client.Options{Scheme: scheme}); err != nil {
		return 0, fmt.Errorf("build client: %w", err)
	}
	return run(), nil
}
