// Package operator tests the operator against a real API server. There is no kubelet and no controller-manager: the
// tests play their parts, with gateways that are HTTP servers on loopback.
package operator

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"

	"github.com/llmservice/llmservice/test/apiserver"
)

var (
	// restConfig is the administrator's; managerConfig and kubeconfig are the operator's.
	restConfig, managerConfig *rest.Config
	kubeconfig                []byte
	// api reads and writes without a cache, and unseen by the tests' counts of the operator's requests.
	api client.Client
	// server is what all tests share.
	server *apiserver.Server
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
	certificates, err := os.MkdirTemp("", "kube-apiserver-files-")
	if err != nil {
		return 0, fmt.Errorf("make a directory for files of the API server: %w", err)
	}
	defer func() { _ = os.RemoveAll(certificates) }()
	server, err = apiserver.Start(filepath.Join("..", ".."), func(arguments *envtest.Arguments) error {
		if err := configureAudit(arguments, certificates); err != nil {
			return err
		}
		return configureAggregation(arguments, certificates)
	})
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, server.Stop()) }()
	restConfig, managerConfig, kubeconfig, api = server.Admin, server.Operator, server.Kubeconfig, server.Client
	defer func() { err = errors.Join(err, os.RemoveAll(cmp.Or(buildDir, certificates))) }()
	if err := installOptionalKinds(); err != nil {
		return 0, err
	}
	code = run()
	return code, leftovers(context.Background())
}
