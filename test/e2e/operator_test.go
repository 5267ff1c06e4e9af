//go:build e2e

package e2e

import (
	"context"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/llmservice/llmservice/test/scenario"
)

// TestOperatorRestart ends all managers at once while streams run: none notices, and the next edit is served.
func TestOperatorRestart(t *testing.T) {
	ctx := bounded(t)
	f := start(ctx, t, "restart", small)
	withTraffic(ctx, t, f, func() {
		took := must(cluster.RestartOperator(ctx))(t)
		t.Logf("the operator was back after %s", took)
	})
	must(f.AwaitReady(ctx))(t)
	must(f.EditUnderWatch(ctx, "After a restart."))(t)
}

// TestUninstall removes the chart while streams run. LLMServices and their gateways stay, and can be deleted, since
// no finalizer waits for an operator; a new installation takes over those that are left.
func TestUninstall(t *testing.T) {
	ctx := bounded(t)
	kept, dropped := start(ctx, t, "kept", small), start(ctx, t, "dropped", small)
	// Tests after this one need the operator.
	t.Cleanup(func() { must(cluster.Install(context.WithoutCancel(ctx)))(t) })
	withTraffic(ctx, t, kept, func() {
		ok(t, cluster.Uninstall(ctx))
		ok(t, dropped.Delete(ctx))
		deployment := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: dropped.namespace, Name: dropped.Name()}}
		ok(t, cluster.AwaitGone(ctx, "the deleted service's Deployment", deployment))
		must(cluster.Install(ctx))(t)
	})
	must(kept.AwaitReady(ctx))(t)
	must(kept.EditUnderWatch(ctx, "After an installation."))(t)
}

// TestReinstallUnderAnotherName removes the chart and installs it under another name while streams run, and goes back: the kind, the
// LLMServices and their gateways stay, and the new installation takes them over.
func TestReinstallUnderAnotherName(t *testing.T) {
	const another = "another"
	ctx := boundedBy(t, 3*testWithin)
	f := start(ctx, t, "renamed", small)
	t.Cleanup(func() { // tests after this one need the operator
		ctx := context.WithoutCancel(ctx)
		if t.Failed() {
			_ = cluster.UninstallOf(ctx, another)
			_, _ = cluster.InstallAs(ctx, scenario.Release)
		}
		must(cluster.Install(ctx))(t)
	})
	withTraffic(ctx, t, f, func() {
		ok(t, cluster.Uninstall(ctx))
		took := must(cluster.InstallAs(ctx, another))(t)
		t.Logf("the other installation was ready after %s", took.Round(time.Millisecond))
	})
	must(f.AwaitReady(ctx))(t)
	must(f.EditUnderWatch(ctx, "After another installation."))(t)

	// If somebody deletes the Lease, the next one does not wait for it.
	withTraffic(ctx, t, f, func() {
		ok(t, cluster.UninstallOf(ctx, another))
		lease := &coordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{Namespace: metav1.NamespaceSystem, Name: "llmservice-operator"}}
		ok(t, client.IgnoreNotFound(cluster.Delete(ctx, lease)))
		must(cluster.InstallAs(ctx, scenario.Release))(t)
	})
	must(f.AwaitReady(ctx))(t)
	must(f.EditUnderWatch(ctx, "After the first installation again."))(t)
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
