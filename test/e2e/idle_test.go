//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/llmservice/llmservice/test/scenario"
)

// TestSettledOperatorWritesNothing comes first, by the name of this file: what other tests leave behind is still on its
// way out after them, and others than the operator write for it.
//
// It leaves a service alone: whatever the operator would write then, it would write for
// ever. The API server's own count is the truth, and has requests that change nothing, too.
func TestSettledOperatorWritesNothing(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), testWithin+scenario.SettledFor)
	defer cancel()
	f := start(ctx, t, "settled", asItIs)
	must(f.AwaitReady(ctx))(t)
	settle(ctx, t)

	before := must(cluster.Writes(ctx))(t)
	if before["llmservices/status"] == 0 || before["deployments"] == 0 {
		t.Fatalf("the API server counts no writes at all: %v", before)
	}
	begun := time.Now()
	<-time.After(scenario.SettledFor)
	after := must(cluster.Writes(ctx))(t)
	if diff := cmp.Diff(before, after); diff != "" {
		t.Errorf("writes in %s (-before +after):\n%s", time.Since(begun).Round(time.Second), diff)
	}
	must(f.AwaitReady(ctx))(t)
}

// settle waits until there was no write for a while: pods become ready, and the operator takes note, one by one.
func settle(ctx context.Context, t *testing.T) {
	t.Helper()
	const quiet = 10 * time.Second
	var last map[string]int
	since := time.Now()
	must(scenario.Await(ctx, time.Minute, "writes cease", func(ctx context.Context) error {
		now, err := cluster.Writes(ctx)
		if err != nil {
			return err
		}
		if diff := cmp.Diff(last, now); diff != "" {
			last, since = now, time.Now()
		}
		if time.Since(since) < quiet {
			return fmt.Errorf("the last was %s ago", time.Since(since).Round(time.Second))
		}
		return nil
	}))(t)
}
