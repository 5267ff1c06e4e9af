package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"

	"github.com/llmservice/llmservice/api/v1alpha1"
	"github.com/llmservice/llmservice/controllers"
)

const (
	// patience bounds each wait of a run.
	patience = 15 * time.Minute
	// parallel is how many objects are written at once.
	parallel  = 16
	namespace = "bench"
)

// bed is an API server, and what a manager needs to reach it.
type bed struct {
	server  *envtest.Environment
	dir     string
	api     client.Client
	manager string
	worse   int
}

func newBed(ctx context.Context) (*bed, error) {
	dir, err := os.MkdirTemp("", "bench-operator-")
	if err != nil {
		return nil, fmt.Errorf("make a directory: %w", err)
	}
	b := &bed{dir: dir, manager: filepath.Join(dir, "manager"), server: &envtest.Environment{
		CRDDirectoryPaths: []string{filepath.Join("config", "crd", "bases")}, ErrorIfCRDPathMissing: true,
	}}
	build := exec.CommandContext(ctx, "go", "build", "-o", b.manager, "./cmd/manager") //nolint:gosec // a program of this tree
	build.Stderr = os.Stderr
	if err := build.Run(); err != nil {
		return nil, errors.Join(fmt.Errorf("build the manager: %w", err), os.RemoveAll(dir))
	}
	if err := b.start(ctx); err != nil {
		b.close()
		return nil, err
	}
	return b, nil
}

func (b *bed) start(ctx context.Context) error {
	// Each service takes an address, and the default range has 254.
	b.server.ControlPlane.GetAPIServer().Configure().Set("service-cluster-ip-range", "10.0.0.0/16")
	config, err := b.server.Start()
	if err != nil {
		return fmt.Errorf("start kube-apiserver and etcd: %w", err)
	}
	config = rest.CopyConfig(config)
	config.QPS = -1
	scheme, err := controllers.NewScheme()
	if err != nil {
		return err
	}
	if b.api, err = client.New(config, client.Options{Scheme: scheme}); err != nil {
		return fmt.Errorf("build a client: %w", err)
	}
	if err := os.WriteFile(b.kubeconfig(), b.server.KubeConfig, 0o600); err != nil {
		return fmt.Errorf("write a kubeconfig: %w", err)
	}
	return b.api.Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}})
}

func (b *bed) kubeconfig() string { return filepath.Join(b.dir, "kubeconfig") }

func (b *bed) close() {
	if err := errors.Join(b.server.Stop(), os.RemoveAll(b.dir)); err != nil {
		fmt.Fprintln(os.Stderr, "operator:", err)
	}
}

// figure prints what was measured, and counts it where it is more than it may be.
func (b *bed) figure(name string, got, most float64, unit string) {
	verdict := ""
	if !math.IsInf(most, 1) {
		verdict = fmt.Sprintf(" (at most %.4g)", most)
	}
	if got > most {
		verdict += " WORSE"
		b.worse++
	}
	fmt.Printf("%-60s %8.4g %s%s\n", name, got, unit, verdict)
}

// free is the bound of a figure that has none.
var free = math.Inf(1)

// each does something for each of so many, several at once.
func each(ctx context.Context, count int, do func(context.Context, int) error) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(parallel)
	for i := range count {
		group.Go(func() error { return do(ctx, i) })
	}
	return group.Wait()
}

// until asks again and again until the answer is yes.
func until(ctx context.Context, what string, pause time.Duration, done func(context.Context) (bool, error)) error {
	ctx, cancel := context.WithTimeoutCause(ctx, patience, fmt.Errorf("%s: not within %v", what, patience))
	defer cancel()
	ticker := time.NewTicker(pause)
	defer ticker.Stop()
	for {
		if yes, err := done(ctx); yes || err != nil && ctx.Err() == nil {
			return err
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-ticker.C:
		}
	}
}

// service is one that the operator accepts.
func service(name string, replicas int32) *v1alpha1.LLMService {
	return &v1alpha1.LLMService{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name},
		Spec: v1alpha1.LLMServiceSpec{
			Replicas: &replicas,
			Upstreams: []v1alpha1.Upstream{{
				Name: "fast", Type: "OpenAI", OpenAI: &v1alpha1.OpenAIUpstream{Model: "m1"},
				Endpoints: []v1alpha1.Endpoint{{URL: "http://model.test.svc/v1"}},
			}},
			Models: []v1alpha1.Model{{Name: "assistant", Upstreams: []string{"fast"}}},
		},
	}
}
