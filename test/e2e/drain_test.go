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
