//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"testing"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/llmservice/llmservice/test/scenario"
	"github.com/llmservice/llmservice/test/scenario/streams"
)

// TestKilledGatewayIsCounted kills a gateway with streams open, which no drain can save. Both counts see it: if either
// were blind, every other test's "none was cut" would be worth nothing.
func TestKilledGatewayIsCounted(t *testing.T) {
	t.Parallel()
	ctx := bounded(t)
	f := start(ctx, t, "killed", small)
	ask := scenario.Ask(f.url)
	crowd := streams.Gather(ctx, streams.NewClient(), clients, func(int, int) streams.Call {
		return ask(streams.Script{Tokens: 300, Pace: 200 * time.Millisecond}) // longer than the test
	})
	ok(t, crowd.AwaitOpen(ctx, clients))
	f.awaitKnown(ctx, t, clients)

	crowd.Shrink(0)
	pods := must(f.Live(ctx))(t)
	ok(t, cluster.Delete(ctx, &pods[0], client.GracePeriodSeconds(1)))
	tally := must(crowd.Finish(ctx))(t)
	if tally.Cut != clients {
		t.Errorf("the clients count %s, want %d cut", tally, clients)
	}
	must(scenario.Await(ctx, scenario.ReadyWithin, "the operator counts the cut streams", func(ctx context.Context) error {
		n, err := cluster.CutStreams(ctx, f.Service)
		if err == nil && n != clients {
			err = fmt.Errorf("it counts %d, want %d", n, clients)
		}
		return err
	}))(t)
	// The counter comes first, the status with the next reconcile.
	must(scenario.Await(ctx, scenario.ReadyWithin, "the status tells of the cut streams", func(ctx context.Context) error {
		service, err := f.Get(ctx)
		if err != nil {
			return err
		}
		told := service.Status.Streams
		if told == nil || told.LastCut == nil || told.LastCut.Pod != pods[0].Name || told.LastCut.Count != clients {
			return fmt.Errorf("status.streams is %+v, want %d of pod %s", told, clients, pods[0].Name)
		}
		return nil
	}))(t)
}

// awaitKnown waits until the operator knows of so many requests.
func (f *fixture) awaitKnown(ctx context.Context, t *testing.T, requests int64) {
	t.Helper()
	must(scenario.Await(ctx, scenario.ReadyWithin, "the operator knows of the requests", func(ctx context.Context) error {
		n, err := f.InFlightNow(ctx)
		if err == nil && n != requests {
			err = fmt.Errorf("it reads %d requests in flight", n)
		}
		return err
	}))(t)
}
