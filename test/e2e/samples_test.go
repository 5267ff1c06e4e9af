//go:build e2e

package e2e

import (
	"context"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/llmservice/llmservice/api/v1alpha1"
	"github.com/llmservice/llmservice/test/scenario"
	"github.com/llmservice/llmservice/test/scenario/samples"
)

// TestSamplesOnTheCluster applies every case, and checks what it is there to show through its Service. The samples share
// the model that plays their upstreams, so they are asked one after the other.
func TestSamplesOnTheCluster(t *testing.T) {
	t.Parallel()
	ctx := bounded(t)
	ns := namespace(ctx, t, "samples")
	upstream := must(cluster.StartUpstream(ctx, ns, scenario.UpstreamOptions{}))(t)
	ok(t, cluster.Create(ctx, &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Name: samples.SecretName, Namespace: ns},
		StringData: map[string]string{samples.SecretKey: "sk-any"},
	}))
	services := map[string]*scenario.Service{}
	for _, s := range samples.Cases() {
		services[s.Name] = applySample(ctx, t, ns, s, upstream)
	}
	for _, s := range samples.Cases() {
		t.Run(s.Name, func(t *testing.T) {
			_ = must(services[s.Name].AwaitReady(ctx))(t)
			url := must(services[s.Name].URL(ctx))(t)
			ok(t, s.Check(ctx, &samples.Place{URL: url, Stats: upstream.Stats}))
		})
	}
}

func applySample(ctx context.Context, t *testing.T, ns string, s samples.Sample, upstream *scenario.Upstream) *scenario.Service {
	t.Helper()
	manifest := must(cluster.Sample(s.File()))(t)
	small(manifest)
	if manifest.Spec.Runtime == nil {
		manifest.Spec.Runtime = &v1alpha1.Runtime{}
	}
	// A namespace that is deleted with pods in it waits for half of their grace period, which this makes.
	manifest.Spec.Runtime.MaxStreamDuration = "30s"
	ok(t, s.CallMock(manifest, upstream.Base()))
	return must(cluster.Apply(ctx, ns, manifest))(t)
}
