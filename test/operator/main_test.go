// Package operator tests the operator against a real API server. There is no kubelet and no controller-manager: the
// tests play their parts, with gateways that are HTTP servers on loopback.
package operator

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"

	"github.com/llmservice/llmservice/controllers"
)

var (
	// restConfig is the administrator's; managerConfig and kubeconfig are the operator's.
	restConfig, managerConfig *rest.Config
	kubeconfig                []byte
	// api reads and writes without a cache, and unseen by the tests' counts of the operator's requests.
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
	assets, err := assetsDirectory()
	if err != nil {
		return 0, err
	}
	certificates, err := os.MkdirTemp("", "front-proxy-")
	if err != nil {
		return 0, fmt.Errorf("make a directory for certificates: %w", err)
	}
	defer func() { _ = os.RemoveAll(certificates) }()
	server := &envtest.Environment{
		BinaryAssetsDirectory: assets,
		CRDDirectoryPaths:     []string{filepath.Join("..", "..", "config", "crd", "bases")},
		ErrorIfCRDPathMissing: true,
	}
	if err := configureAggregation(server.ControlPlane.GetAPIServer().Configure(), certificates); err != nil {
		return 0, err
	}
	if restConfig, err = server.Start(); err != nil {
		return 0, fmt.Errorf("start kube-apiserver and etcd of %s: %w", assets, err)
	}
	defer func() { err = errors.Join(err, server.Stop()) }()
	restConfig.WarningHandler = rest.NoWarnings{}
	restConfig.QPS = -1
	if err := connect(server); err != nil {
		return 0, err
	}
	return run(), nil
}

func connect(server *envtest.Environment) error {
	operator, err := server.AddUser(manager(), nil)
	if err != nil {
		return fmt.Errorf("add a user: %w", err)
	}
	managerConfig = operator.Config()
	managerConfig.QPS = -1
	if kubeconfig, err = operator.KubeConfig(); err != nil {
		return fmt.Errorf("write a kubeconfig: %w", err)
	}
	scheme, err := controllers.NewScheme()
	if err != nil {
		return err
	}
	if api, err = client.New(restConfig, client.Options{Scheme: scheme}); err != nil {
		return fmt.Errorf("build client: %w", err)
	}
	return grant(context.Background())
}

// assetsDirectory finds kube-apiserver and etcd where KUBEBUILDER_ASSETS says, or else where test/cluster builds them.
func assetsDirectory() (string, error) {
	if dir := os.Getenv("KUBEBUILDER_ASSETS"); dir != "" {
		return dir, nil
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("find the cache: %w", err)
	}
	built, err := filepath.Glob(filepath.Join(cache, "llmservice", "k8s-*", "kube-apiserver"))
	if err != nil || len(built) == 0 {
		return "", errors.New("no kube-apiserver: set KUBEBUILDER_ASSETS, or run `make assets` once")
	}
	return filepath.Dir(built[len(built)-1]), nil
}
