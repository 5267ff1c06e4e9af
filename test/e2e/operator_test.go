//go:build e2e

package e2e

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/llmservice/llmservice/api/v1alpha1"
	"github.com/llmservice/llmservice/test/scenario"
)

// clients stream while the operator is restarted, upgraded and removed.
const clients = 20

// TestOperatorRestart ends all managers at once while streams run: none notices, and the next edit is served.
func TestOperatorRestart(t *testing.T) {
	ctx := bounded(t)
	f := start(ctx, t, "restart", small)
	withStreams(ctx, t, f, func() {
		took := must(cluster.RestartOperator(ctx))(t)
		t.Logf("the operator was back after %s", took)
	})
	must(f.AwaitReady(ctx))(t)
	must(f.EditUnderWatch(ctx, "After a restart."))(t)
}

// TestUpgrade goes from a chart whose kind has one column less, and whose pods have one annotation less, to the
// present one: it replaces the managers, brings the new kind, and touches no gateway.
func TestUpgrade(t *testing.T) {
	ctx := bounded(t)
	t.Cleanup(func() { must(cluster.Install(context.WithoutCancel(ctx)))(t) })
	must(cluster.InstallChart(ctx, olderChart(t)))(t)
	older := columns(ctx, t)
	f := start(ctx, t, "upgrade", small)
	withStreams(ctx, t, f, func() {
		must(cluster.Install(ctx, "manager.podAnnotations.upgraded=yes"))(t)
	})
	for _, pod := range must(cluster.OperatorPods(ctx))(t) {
		if pod.DeletionTimestamp == nil && pod.Annotations["upgraded"] != "yes" {
			t.Errorf("pod %s is not of the upgrade", pod.Name)
		}
	}
	if newer := columns(ctx, t); newer != older+1 {
		t.Errorf("the kind has %d columns after the upgrade, and had %d before: its new version did not arrive", newer, older)
	}
	must(f.EditUnderWatch(ctx, "After an upgrade."))(t)
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

// TestUninstall removes the chart while streams run. LLMServices and their gateways stay, and can be deleted, since
// no finalizer waits for an operator; a new installation takes over those that are left.
func TestUninstall(t *testing.T) {
	ctx := bounded(t)
	kept, dropped := start(ctx, t, "kept", small), start(ctx, t, "dropped", small)
	// Tests after this one need the operator.
	t.Cleanup(func() { must(cluster.Install(context.WithoutCancel(ctx)))(t) })
	withStreams(ctx, t, kept, func() {
		ok(t, cluster.Uninstall(ctx))
		ok(t, dropped.Delete(ctx))
		deployment := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: dropped.namespace, Name: dropped.Name()}}
		ok(t, cluster.AwaitGone(ctx, "the deleted service's Deployment", deployment))
		must(cluster.Install(ctx))(t)
	})
	must(kept.AwaitReady(ctx))(t)
	must(kept.EditUnderWatch(ctx, "After an installation."))(t)
}

// withStreams does something while clients stream, and checks that no stream, no pod and no container noticed.
func withStreams(ctx context.Context, t *testing.T, f *fixture, do func()) {
	t.Helper()
	lives := must(f.Lives(ctx))(t)
	load := must(f.Stream(ctx, clients))(t)
	ok(t, load.AwaitOpen(ctx, clients))
	do()
	t.Log(must(load.Finish(ctx))(t))
	ok(t, f.CheckLives(ctx, lives))
}

// TestPodSecurity has the API server itself judge the pods: it admits them to a namespace that enforces the strictest
// level, as all of this suite's gateways are already.
func TestPodSecurity(t *testing.T) {
	ctx := bounded(t)
	pods := must(cluster.OperatorPods(ctx))(t)
	if len(pods) == 0 {
		t.Fatal("the operator has no pods")
	}
	ns := namespace(ctx, t, "restricted")
	for i := range pods {
		copied := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: pods[i].Name}, Spec: *pods[i].Spec.DeepCopy()}
		copied.Spec.NodeName, copied.Spec.ServiceAccountName, copied.Spec.DeprecatedServiceAccount = "", "default", "default"
		if err := cluster.Create(ctx, copied, client.DryRunAll); err != nil {
			t.Errorf("pod %s: %v", pods[i].Name, err)
		}
	}
	gateway := start(ctx, t, "restricted-gateway", small)
	if live := must(gateway.Live(ctx))(t); len(live) == 0 {
		t.Error("no gateway was admitted")
	}
}
