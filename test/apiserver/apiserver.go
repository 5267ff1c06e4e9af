// Package apiserver runs a real kube-apiserver for tests, with the CRD installed and a user who has the rights that config/
// gives the operator, and no more. There is no kubelet and no controller-manager.
package apiserver

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"

	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"

	"github.com/llmservice/llmservice/controllers"
)

// Server is an API server that runs.
type Server struct {
	// Admin may do everything, Operator what config/ allows. Neither limits how fast it asks.
	Admin, Operator *rest.Config
	// Kubeconfig is the Operator's, as a file has it, and AdminKubeconfig the Admin's.
	Kubeconfig, AdminKubeconfig []byte
	// Client is the Admin's, without a cache.
	Client client.Client

	environment *envtest.Environment
	// certificates is a directory that outlives kube-apiserver.
	certificates string
}

// Start runs an API server that reads the manifests below root, the repository's. Configure may be nil; it sets the
// server's flags.
func Start(root string, configure func(*envtest.Arguments) error) (_ *Server, err error) {
	assets, err := Assets()
	if err != nil {
		return nil, err
	}
	environment := &envtest.Environment{
		BinaryAssetsDirectory: assets,
		CRDDirectoryPaths:     []string{filepath.Join(root, "config", "crd", "bases")},
		ErrorIfCRDPathMissing: true,
	}
	process := environment.ControlPlane.GetAPIServer()
	// Each service takes an address, and keeps it, for nothing deletes what is in a namespace; the default range has 254.
	process.Configure().Set("service-cluster-ip-range", "10.0.0.0/16")
	if configure != nil {
		if err := configure(process.Configure()); err != nil {
			return nil, err
		}
	}
	if process.CertDir, err = os.MkdirTemp("", "kube-apiserver-"); err != nil {
		return nil, fmt.Errorf("make a directory for certificates: %w", err)
	}
	s := &Server{environment: environment, certificates: process.CertDir}
	if s.Admin, err = environment.Start(); err != nil {
		return nil, errors.Join(fmt.Errorf("start kube-apiserver and etcd of %s: %w", assets, err), os.RemoveAll(s.certificates))
	}
	if err := s.connect(root); err != nil {
		return nil, errors.Join(err, s.Stop())
	}
	return s, nil
}

// Stop ends the server, and etcd with it.
func (s *Server) Stop() error {
	if err := errors.Join(s.environment.Stop(), os.RemoveAll(s.certificates)); err != nil {
		return fmt.Errorf("stop kube-apiserver and etcd: %w", err)
	}
	return nil
}

// Restart kills kube-apiserver and starts it again, at the same address and before the same etcd.
func (s *Server) Restart(ctx context.Context) error {
	// Told to stop, it would wait a minute for those who watch.
	own := strconv.Itoa(os.Getpid())
	kill := exec.CommandContext(ctx, "pkill", "-KILL", "-P", own, "-x", "kube-apiserver") //nolint:gosec // the number of this process
	if output, err := kill.CombinedOutput(); err != nil {
		return fmt.Errorf("kill kube-apiserver: %w: %s", err, output)
	}
	process := s.environment.ControlPlane.GetAPIServer()
	if err := process.Stop(); err != nil {
		return fmt.Errorf("stop kube-apiserver: %w", err)
	}
	if err := process.Start(); err != nil {
		return fmt.Errorf("start kube-apiserver again: %w", err)
	}
	return nil
}

func (s *Server) connect(root string) error {
	s.AdminKubeconfig = s.environment.KubeConfig
	s.Admin.WarningHandler = rest.NoWarnings{}
	s.Admin.QPS = -1
	var err error
	if s.Operator, s.Kubeconfig, err = s.AddUser(account()); err != nil {
		return err
	}
	scheme, err := controllers.NewScheme()
	if err != nil {
		return fmt.Errorf("know the kinds: %w", err)
	}
	if s.Client, err = client.New(s.Admin, client.Options{Scheme: scheme}); err != nil {
		return fmt.Errorf("build client: %w", err)
	}
	return s.grant(root)
}

// AddUser makes a user with no rights but those of all users, and returns their config, with no limit to how fast they ask, and
// their kubeconfig as a file has it.
func (s *Server) AddUser(user envtest.User) (*rest.Config, []byte, error) {
	added, err := s.environment.AddUser(user, nil)
	if err != nil {
		return nil, nil, fmt.Errorf("add a user: %w", err)
	}
	config := added.Config()
	config.QPS = -1
	kubeconfig, err := added.KubeConfig()
	if err != nil {
		return nil, nil, fmt.Errorf("write a kubeconfig: %w", err)
	}
	return config, kubeconfig, nil
}

// Assets finds kube-apiserver and etcd where KUBEBUILDER_ASSETS says, or else where test/cluster builds them.
func Assets() (string, error) {
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
