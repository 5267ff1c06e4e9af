//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/llmservice/llmservice/api/v1alpha1"
	"github.com/llmservice/llmservice/test/scenario"
)

// TestManyEdits makes 50 edits in 10 s, as somebody does who saves all the time: they end in the last one, after few writes of the
// ConfigMap, and no replica restarts. It is not run next to other tests, since it is about seconds, and
// after TestSettledOperatorWritesNothing, by the name of this file.
func TestManyEdits(t *testing.T) {
	ctx := bounded(t)
	f := start(ctx, t, "edits", func(s *v1alpha1.LLMService) {
		small(s)
		s.Spec.Replicas = new(int32(2))
	})
	must(f.AwaitReplicas(ctx, scenario.ReadyWithin, "two replicas", func(n int) bool { return n == 2 }))(t)
	must(f.AwaitReady(ctx))(t)
	lives := must(f.Lives(ctx))(t)
	count := must(f.ConfigWrites(ctx))(t)

	begun := time.Now()
	ticker := time.NewTicker(scenario.EditsWithin / scenario.Edits)
	defer ticker.Stop()
	words := ""
	for i := range scenario.Edits {
		<-ticker.C
		words = fmt.Sprintf("Edit %d of %d.", i+1, scenario.Edits)
		ok(t, f.EditPrompt(ctx, words))
	}
	edited := time.Since(begun)
	took := must(scenario.Await(ctx, scenario.AcknowledgedWithin, "the last edit is served", func(ctx context.Context) error {
		return f.Serves(ctx, words)
	}))(t)
	must(f.AwaitReady(ctx))(t)
	writes := count()
	t.Logf("%d edits in %s: %d writes of the ConfigMap; the last edit was live after %s", scenario.Edits,
		edited.Round(time.Millisecond), writes, took.Round(time.Millisecond))
	if took > scenario.LiveWithin {
		t.Errorf("the last edit was live after %s, want %s", took, scenario.LiveWithin)
	}
	if writes > scenario.MaxConfigWrites {
		t.Errorf("%d writes of the ConfigMap, want at most %d", writes, scenario.MaxConfigWrites)
	}
	ok(t, f.CheckLives(ctx, lives))
}
