//go:build e2e

package e2e

import (
	"fmt"
	"testing"

	"github.com/llmservice/llmservice/test/scenario"
)

// TestScaleByHand writes the scale subresource, as kubectl scale does, if no autoscaler is.
func TestScaleByHand(t *testing.T) {
	t.Parallel()
	ctx := bounded(t)
	f := start(ctx, t, "byhand", small)
	for _, replicas := range []int32{2, 1} {
		ok(t, f.Scale(ctx, replicas))
		must(f.AwaitReplicas(ctx, scenario.ScaledDownWithin, fmt.Sprintf("%d replicas", replicas), func(n int) bool {
			return n == int(replicas)
		}))(t)
	}
	must(f.AwaitReady(ctx))(t)
}

// TestNothingIsCut is the demo's main claim: a service scales up, takes an edit, changes its image and scales down,
// all with streams open, and none is lost.
func TestNothingIsCut(t *testing.T) {
	t.Parallel()
	ctx := bounded(t)
	f := start(ctx, t, "load", asItIs)
	if live := must(f.Live(ctx))(t); len(live) != 1 {
		t.Fatalf("%d replicas without load, want 1", len(live))
	}
	load := must(f.Stream(ctx, scenario.Streams))(t)
	took := must(load.AwaitScaledUp(ctx))(t)
	t.Logf("%d replicas after %s", len(must(f.Live(ctx))(t)), took)

	edited := must(f.EditUnderWatch(ctx, "Answer in one sentence."))(t)
	t.Logf("an edit was served by %d replicas after %s", edited.Replicas, edited.Took)

	rolled := must(load.ChangeImage(ctx, cluster.Images.Next))(t)
	t.Logf("image changed: %+v", rolled)
	down := must(load.ScaleDown(ctx))(t)
	t.Logf("scaled down: %+v", down)

	tally := must(load.Finish(ctx))(t)
	t.Log(tally)
	if own := must(cluster.CutStreams(ctx, f.Service))(t); own != tally.Cut {
		t.Errorf("the gateways count %d cut streams, the clients %d", own, tally.Cut)
	}
}
