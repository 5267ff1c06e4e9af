//go:build e2e

package e2e

import (
	"context"
	"testing"
	"time"

	"github.com/llmservice/llmservice/api/v1alpha1"
	"github.com/llmservice/llmservice/test/scenario"
)

// fixture is a namespace with an upstream and a service.
type fixture struct {
	*scenario.Service

	namespace string
	upstream  *scenario.Upstream
	url       string
}

// testWithin bounds a single test. The package's own timeout would end all of them, and explain none.
const testWithin = 4 * time.Minute

func bounded(t *testing.T) context.Context {
	t.Helper()
	return boundedBy(t, testWithin)
}

func boundedBy(t *testing.T, limit time.Duration) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	t.Cleanup(cancel)
	return ctx
}

// namespace makes a namespace that lasts as long as the test; where the test fails, it is explained and stays.
func namespace(ctx context.Context, t *testing.T, name string) string {
	t.Helper()
	name = "e2e-" + name
	ok(t, cluster.CreateNamespace(ctx, name))
	t.Cleanup(func() {
		if t.Failed() {
			cluster.Explain(ctx, t.Output(), name)
			return
		}
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), scenario.GoneWithin)
		defer cancel()
		ok(t, cluster.DropNamespace(ctx, name))
	})
	return name
}

// callOnly makes an upstream the only one that a service calls.
func callOnly(s *v1alpha1.LLMService, up *scenario.Upstream) {
	for i := range s.Spec.Upstreams {
		s.Spec.Upstreams[i].Endpoints = []v1alpha1.Endpoint{{URL: up.URL()}}
	}
}

// small keeps a service to one replica that nobody scales: what most tests need.
func small(s *v1alpha1.LLMService) { s.Spec.Scaling = nil }

// asItIs leaves the sample as it is.
func asItIs(*v1alpha1.LLMService) {}

// start applies the sample, as edit changes it, in a namespace of its own, and waits until it is Ready.
func start(ctx context.Context, t *testing.T, name string, edit func(*v1alpha1.LLMService)) *fixture {
	t.Helper()
	return startFrom(ctx, t, name, scenario.SampleFile, edit)
}

// startFrom is start for a manifest of the sample in another file.
func startFrom(ctx context.Context, t *testing.T, name, file string, edit func(*v1alpha1.LLMService)) *fixture {
	t.Helper()
	f := &fixture{namespace: namespace(ctx, t, name)}
	f.upstream = must(cluster.StartUpstream(ctx, f.namespace, scenario.UpstreamOptions{}))(t)
	f.Service = must(cluster.ApplyFile(ctx, f.namespace, file, func(s *v1alpha1.LLMService) {
		callOnly(s, f.upstream)
		edit(s)
	}))(t)
	f.url = must(f.URL(ctx))(t)
	return f
}

func ok(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// must returns a function that ends the test on an error, and else gives the value.
func must[T any](value T, err error) func(*testing.T) T {
	return func(t *testing.T) T {
		t.Helper()
		ok(t, err)
		return value
	}
}
