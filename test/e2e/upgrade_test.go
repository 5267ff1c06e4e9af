//go:build e2e

package e2e

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/llmservice/llmservice/api/v1alpha1"
	"github.com/llmservice/llmservice/test/scenario"
)

const (
	// clients stream while the operator is restarted, upgraded and removed.
	clients = 20
	// askers begin a request about ten times a second each meanwhile.
	askers = 4
)

// TestUpgrade goes from a chart whose kind has one column less, and whose pods have one annotation less, to the
// present one, and back: that replaces the managers and the kind, and touches no gateway.
func TestUpgrade(t *testing.T) {
	ctx := boundedBy(t, 2*testWithin)
	t.Cleanup(func() { must(cluster.Install(context.WithoutCancel(ctx)))(t) })
	must(cluster.InstallChart(ctx, olderChart(t)))(t)
	older := columns(ctx, t)
	f := start(ctx, t, "upgrade", small)
	withTraffic(ctx, t, f, func() {
		must(cluster.Install(ctx, "manager.podAnnotations.upgraded=yes"))(t)
	})
	managersAre(ctx, t, "yes")
	if newer := columns(ctx, t); newer != older+1 {
		t.Errorf("the kind has %d columns after the upgrade, and had %d before: its new version did not arrive", newer, older)
	}
	must(f.EditUnderWatch(ctx, "After an upgrade."))(t)

	withTraffic(ctx, t, f, func() { ok(t, cluster.Rollback(ctx)) })
	managersAre(ctx, t, "")
	if back := columns(ctx, t); back != older {
		t.Errorf("the kind has %d columns after helm rollback, and had %d before the upgrade", back, older)
	}
	must(f.EditUnderWatch(ctx, "After a rollback."))(t)
}

// managersAre fails unless every manager has this value of the annotation that tells the two releases apart.
func managersAre(ctx context.Context, t *testing.T, upgraded string) {
	t.Helper()
	for _, pod := range must(cluster.OperatorPods(ctx))(t) {
		if got := pod.Annotations["upgraded"]; pod.DeletionTimestamp == nil && got != upgraded {
			t.Errorf("pod %s is of the other release: upgraded=%q, want %q", pod.Name, got, upgraded)
		}
	}
}

// TestUpgradeFromARelease goes from the recorded release, its chart, manager and gateways, to the present one, and back: every gateway is
// replaced, without a request that fails or a stream that is cut. Those of a service that names its image keep that image, and take edits
// of either operator. Their pods are replaced, too, because this release has another template
// (docs/decisions/0017-pods-are-placed-and-identified-by-the-platform.md).
func TestUpgradeFromARelease(t *testing.T) {
	ctx := boundedBy(t, 2*testWithin)
	older := cluster.Images.Older
	if older.Lacks != "" {
		t.Fatal(older.Lacks)
	}
	t.Cleanup(func() { must(cluster.Install(context.WithoutCancel(ctx)))(t) })
	must(cluster.InstallRelease(ctx, older))(t)
	sample := filepath.Join(older.Dir, "manifests", "assistant.yaml")
	f := startFrom(ctx, t, "older", sample, small)
	pinned := startFrom(ctx, t, "pinned", sample, func(s *v1alpha1.LLMService) {
		small(s)
		if s.Spec.Runtime == nil {
			s.Spec.Runtime = &v1alpha1.Runtime{}
		}
		s.Spec.Runtime.Image = older.Gateway
	})
	load, asked := traffic(ctx, t, f)
	up := must(load.Roll(ctx, scenario.UpgradedWithin, cluster.Images.Gateway, func(ctx context.Context) error {
		_, err := cluster.Install(ctx)
		return err
	}))(t)
	t.Logf("upgraded: %+v", up)
	must(f.EditUnderWatch(ctx, "After an upgrade."))(t)
	must(pinned.EditUnderWatch(ctx, "After an upgrade."))(t)
	down := must(load.Roll(ctx, scenario.UpgradedWithin, older.Gateway, cluster.Rollback))(t)
	t.Logf("rolled back: %+v", down)
	must(f.EditUnderWatch(ctx, "After a rollback."))(t)
	must(pinned.EditUnderWatch(ctx, "After a rollback."))(t)
	t.Log(must(load.Finish(ctx))(t))
	t.Log(must(asked.Finish(ctx))(t))
	if own := must(cluster.CutStreams(ctx, f.Service))(t); own != 0 {
		t.Errorf("the gateways count %d cut streams", own)
	}
	for _, pod := range must(pinned.Live(ctx))(t) {
		if image := pod.Spec.Containers[0].Image; image != older.Gateway {
			t.Errorf("pod %s of the service that names its image runs %s, want %s", pod.Name, image, older.Gateway)
		}
		if pod.Status.ContainerStatuses[0].RestartCount > 0 {
			t.Errorf("pod %s of the service that names its image has restarted", pod.Name)
		}
	}
}

// olderChart is a copy of the chart whose kind lacks the last printer column.
func olderChart(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "llmservice")
	ok(t, os.CopyFS(dir, os.DirFS(filepath.Join(cluster.Root, scenario.Chart))))
	path := filepath.Join(dir, "files", "crd.yaml")
	var crd apiextensionsv1.CustomResourceDefinition
	ok(t, yaml.UnmarshalStrict(must(os.ReadFile(path))(t), &crd))
	last := &crd.Spec.Versions[0].AdditionalPrinterColumns
	*last = (*last)[:len(*last)-1]
	ok(t, os.WriteFile(path, must(yaml.Marshal(crd))(t), 0o600))
	return dir
}

// columns is the number of printer columns that the cluster's kind has.
func columns(ctx context.Context, t *testing.T) int {
	t.Helper()
	var crd apiextensionsv1.CustomResourceDefinition
	ok(t, cluster.Get(ctx, client.ObjectKey{Name: v1alpha1.Resource + "." + v1alpha1.Group}, &crd))
	return len(crd.Spec.Versions[0].AdditionalPrinterColumns)
}

// withTraffic does something while clients stream and ask, and checks that no stream, no request, no pod and no container noticed.
func withTraffic(ctx context.Context, t *testing.T, f *fixture, do func()) {
	t.Helper()
	lives := must(f.Lives(ctx))(t)
	load, asked := traffic(ctx, t, f)
	do()
	t.Log(must(load.Finish(ctx))(t))
	t.Log(must(asked.Finish(ctx))(t))
	ok(t, f.CheckLives(ctx, lives))
}

// traffic has clients stream, and others ask for short answers.
func traffic(ctx context.Context, t *testing.T, f *fixture) (load, asked *scenario.Load) {
	t.Helper()
	load, asked = must(f.Stream(ctx, clients))(t), must(f.Ask(ctx, askers))(t)
	ok(t, load.AwaitOpen(ctx, clients))
	ok(t, asked.AwaitOpen(ctx, 1))
	return load, asked
}
