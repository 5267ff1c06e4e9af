//go:build e2e

package e2e

import (
	"context"
	"errors"
	"testing"

	"github.com/llmservice/llmservice/test/scenario"
)

// TestDeletedPodDrains deletes a pod, as a drained node or a careless hand does, under streams.
func TestDeletedPodDrains(t *testing.T) {
	t.Parallel()
	ctx := bounded(t)
	f := start(ctx, t, "drain", small)
	const clients = 20
	load := must(f.Stream(ctx, clients))(t)
	ok(t, load.AwaitOpen(ctx, clients))
	pods := must(f.Live(ctx))(t)
	ok(t, cluster.Delete(ctx, &pods[0]))
	drained := must(load.WatchDrain(ctx, scenario.RolledWithin, func(ctx context.Context) error {
		live, err := f.Live(ctx)
		if err == nil && len(live) != 1 {
			err = errors.New("the pod's successor is not ready")
		}
		return err
	}))(t)
	t.Logf("%+v", drained)
	t.Log(must(load.Finish(ctx))(t))
	if own := must(cluster.CutStreams(ctx, f.Service))(t); own != 0 {
		t.Errorf("the gateways count %d cut streams", own)
	}
}

// TestRolloutRestart does what `kubectl rollout restart` is for: every pod is replaced under the drain contract, and the operator neither
// undoes it nor repeats it.
func TestRolloutRestart(t *testing.T) {
	t.Parallel()
	ctx := bounded(t)
	f := start(ctx, t, "restarted", small)
	before := must(f.Live(ctx))(t)
	const clients = 20
	load := must(f.Stream(ctx, clients))(t)
	ok(t, load.AwaitOpen(ctx, clients))
	runKubectl(ctx, t, "rollout", "restart", "deployment/"+f.Name(), "-n", f.namespace)
	drained := must(load.WatchDrain(ctx, scenario.RolledWithin, func(ctx context.Context) error {
		live, err := f.Live(ctx)
		if err == nil && (len(live) != 1 || live[0].UID == before[0].UID) {
			err = errors.New("the pod is not replaced")
		}
		return err
	}))(t)
	t.Logf("%+v", drained)
	runKubectl(ctx, t, "rollout", "status", "deployment/"+f.Name(), "-n", f.namespace, "--timeout=60s")
	must(f.AwaitReady(ctx))(t)
	tally := must(load.Finish(ctx))(t)
	t.Log(tally)
	if tally.Lost() > 0 {
		t.Errorf("want every stream done: %s", tally)
	}
	if own := must(cluster.CutStreams(ctx, f.Service))(t); own != 0 {
		t.Errorf("the gateways count %d cut streams", own)
	}
	if after := must(f.Live(ctx))(t); len(after) != 1 {
		t.Errorf("%d replicas are live, want 1", len(after))
	}
}
