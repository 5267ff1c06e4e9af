//go:build e2e

package e2e

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"regexp"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/llmservice/llmservice/test/scenario"
)

// TestNamespacesWaitForTheMetricsAPI: while no manager is there, a namespace cannot be deleted, which is why there are two.
func TestNamespacesWaitForTheMetricsAPI(t *testing.T) {
	ctx := bounded(t)
	name := namespace(ctx, t, "waits")
	t.Cleanup(func() { scaleManagers(context.WithoutCancel(ctx), t, 2) })
	scaleManagers(ctx, t, 0)
	// The API server forgets a backend that went some moments later; a namespace that is deleted before that waits for nothing.
	must(scenario.Await(ctx, scenario.GoneWithin, "the API server misses the metrics API", func(context.Context) error {
		if cluster.Discover() == nil {
			return errors.New("it still lists every API")
		}
		return nil
	}))(t)
	ok(t, cluster.DropNamespace(ctx, name))
	must(scenario.Await(ctx, scenario.GoneWithin, "the namespace says what it waits for", func(ctx context.Context) error {
		var ns corev1.Namespace
		if err := cluster.Get(ctx, client.ObjectKey{Name: name}, &ns); err != nil {
			return err
		}
		for _, c := range ns.Status.Conditions {
			if c.Type == corev1.NamespaceDeletionDiscoveryFailure && c.Status == corev1.ConditionTrue {
				return nil
			}
		}
		return fmt.Errorf("its conditions are %v", ns.Status.Conditions)
	}))(t)
	scaleManagers(ctx, t, 2)
	ok(t, cluster.AwaitGone(ctx, "the namespace", &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}}))
}

// scaleManagers waits until so many managers are ready, and no other is there.
func scaleManagers(ctx context.Context, t *testing.T, n int32) {
	t.Helper()
	deployment := &appsv1.Deployment{}
	deployment.Namespace, deployment.Name = scenario.OperatorNamespace, scenario.Release+"-manager"
	patch := client.RawPatch("application/merge-patch+json", fmt.Appendf(nil, `{"spec":{"replicas":%d}}`, n))
	ok(t, cluster.Patch(ctx, deployment, patch))
	must(scenario.Await(ctx, scenario.InstalledWithin, fmt.Sprintf("%d managers", n), func(ctx context.Context) error {
		if err := cluster.Get(ctx, client.ObjectKeyFromObject(deployment), deployment); err != nil {
			return err
		}
		pods, err := cluster.OperatorPods(ctx)
		if err == nil && (len(pods) != int(n) || deployment.Status.ReadyReplicas != n) {
			err = fmt.Errorf("%d pods, %d of them ready", len(pods), deployment.Status.ReadyReplicas)
		}
		return err
	}))(t)
}

// TestDefaultsOfTheAutoscaler: what docs/scaling.md says of the HorizontalPodAutoscaler's controller are its defaults.
func TestDefaultsOfTheAutoscaler(t *testing.T) {
	help := must(exec.CommandContext(t.Context(), "kube-controller-manager", "--help").Output())(t)
	for flag, want := range map[string]string{
		"horizontal-pod-autoscaler-sync-period": "15s", "horizontal-pod-autoscaler-downscale-stabilization": "5m0s",
		"horizontal-pod-autoscaler-tolerance": "0.1",
	} {
		found := regexp.MustCompile(`--` + flag + ` [^\n]*\(default ([^)]+)\)`).FindSubmatch(help)
		if found == nil || string(found[1]) != want {
			t.Errorf("--%s is %q by default, want %s", flag, found, want)
		}
	}
}
