//go:build e2e

package e2e

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/llmservice/llmservice/api/v1alpha1"
	"github.com/llmservice/llmservice/test/scenario"
	"github.com/llmservice/llmservice/test/scenario/streams"
)

// These tests want a cluster of two nodes, which `make e2e-nodes` starts. They run one after the other, and the last one costs a node.
const (
	first  = "node1" // has the control plane, and in these tests the upstream
	worker = "node2"
	// wholeWithin is the time from the loss of a node to a service that has all its replicas again: the cluster misses the node for 20 s
	// and its pods for 10 s more, and their successors have to start.
	wholeWithin = 90 * time.Second
	// idleWithin is the time that a replica which is told to stop, and has no stream any more, may take to be gone.
	idleWithin = 10 * time.Second
)

// startOnNodes is start for a service with replicas on both nodes.
func startOnNodes(ctx context.Context, t *testing.T, name string, replicas int32, maxStream v1alpha1.Duration) *fixture {
	t.Helper()
	return startOn(ctx, t, name, replicas, maxStream, nil, first, worker)
}

// onWorker has pods run on the worker while it takes any, and elsewhere after that.
const onWorker = `{"spec":{"affinity":{"nodeAffinity":{"preferredDuringSchedulingIgnoredDuringExecution":[
  {"weight":100,"preference":{"matchExpressions":[{"key":"kubernetes.io/hostname","operator":"In","values":["` + worker + `"]}]}}
]}}}}`

// startOn is start for a service with replicas on just these nodes; the template may be nil.
func startOn(
	ctx context.Context, t *testing.T, name string, replicas int32, maxStream v1alpha1.Duration, template *v1alpha1.JSON, nodes ...string,
) *fixture {
	t.Helper()
	f := &fixture{namespace: namespace(ctx, t, name)}
	f.upstream = must(cluster.StartUpstream(ctx, f.namespace, scenario.UpstreamOptions{Node: first}))(t)
	f.Service = must(cluster.ApplySample(ctx, f.namespace, func(s *v1alpha1.LLMService) {
		callOnly(s, f.upstream)
		small(s)
		s.Spec.Replicas = &replicas
		if s.Spec.Runtime == nil {
			s.Spec.Runtime = &v1alpha1.Runtime{}
		}
		s.Spec.Runtime.MaxStreamDuration, s.Spec.Runtime.PodTemplate = maxStream, template
	}))(t)
	f.url = must(f.URL(ctx))(t)
	f.awaitReplicasOn(ctx, t, scenario.ReadyWithin, replicas, nodes...)
	must(scenario.Await(ctx, scenario.RoutedWithin, "requests reach every replica", f.reachEach))(t)
	return f
}

// reachEach asks a few times, and fails while a replica has never had a stream.
func (f *fixture) reachEach(ctx context.Context) error {
	for range 20 {
		streams.Stream(ctx, streams.NewClient(), scenario.Ask(f.url)(streams.Script{Tokens: 1}), nil)
	}
	live, err := f.Live(ctx)
	if err != nil {
		return err
	}
	for i := range live {
		status, err := scenario.Status(ctx, &live[i])
		if err != nil {
			return err
		}
		if status.Streams.Opened == 0 {
			return fmt.Errorf("replica %s has had no stream", live[i].Name)
		}
	}
	return nil
}

// awaitReplicasOn waits until so many replicas are live, on just these nodes.
func (f *fixture) awaitReplicasOn(ctx context.Context, t *testing.T, limit time.Duration, replicas int32, nodes ...string) {
	t.Helper()
	took := must(scenario.Await(ctx, limit, fmt.Sprintf("%d replicas on %v", replicas, nodes), func(ctx context.Context) error {
		live, err := f.Live(ctx)
		if err != nil {
			return err
		}
		on := map[string]int{}
		for i := range live {
			on[live[i].Spec.NodeName]++
		}
		if len(live) != int(replicas) || !slices.Equal(slices.Sorted(maps.Keys(on)), nodes) {
			return fmt.Errorf("the live replicas are on %v", on)
		}
		return nil
	}))(t)
	t.Logf("%d replicas on %v after %s", replicas, nodes, took.Round(time.Millisecond))
}

// openOn counts the streams that are open on a node's gateways, as these report them.
func (f *fixture) openOn(ctx context.Context, t *testing.T, node string) int {
	t.Helper()
	open := 0
	for _, pod := range must(f.Live(ctx))(t) {
		if pod.Spec.NodeName == node {
			open += int(must(scenario.Status(ctx, &pod))(t).Streams.Open)
		}
	}
	return open
}

// crowdOf gathers clients whose streams last from and to so many half seconds.
func (f *fixture) crowdOf(ctx context.Context, clients, from, to int) *streams.Crowd {
	ask := scenario.Ask(f.url)
	return streams.Gather(ctx, streams.NewClient(), clients, func(client, round int) streams.Call {
		return ask(streams.Script{Tokens: from + (7*client+11*round)%(to-from+1), Pace: 500 * time.Millisecond})
	})
}

// runKubectl runs kubectl, which the cluster's environment has.
func runKubectl(ctx context.Context, t *testing.T, args ...string) {
	t.Helper()
	out, err := exec.CommandContext(ctx, "kubectl", args...).CombinedOutput()
	t.Logf("kubectl %v: %s", args, out)
	ok(t, err)
}

// TestNodeIsDrained drains a node that has 500 open streams. Those that may end do, those that are too long get their error event, and the
// drain waits for them and no longer.
func TestNodeIsDrained(t *testing.T) {
	ctx := bounded(t)
	f := startOn(ctx, t, "drained", 4, "40s", &v1alpha1.JSON{Raw: []byte(onWorker)}, worker)
	brief, long := f.crowdOf(ctx, 480, 20, 60), f.crowdOf(ctx, 20, 200, 200)
	ok(t, errors.Join(brief.AwaitOpen(ctx, 480), long.AwaitOpen(ctx, 20)))
	// Some end, and others begin, while each replica is asked.
	if open := f.openOn(ctx, t, worker); open < 450 {
		t.Fatalf("%d of 500 streams are open on the node", open)
	} else {
		t.Logf("%d streams are open on the node", open)
	}
	begun := time.Now()
	t.Cleanup(func() { runKubectl(context.WithoutCancel(ctx), t, "uncordon", worker) })
	runKubectl(ctx, t, "drain", worker, "--ignore-daemonsets", "--delete-emptydir-data", "--timeout=150s")
	t.Logf("drained after %s", time.Since(begun).Round(time.Second))
	f.awaitReplicasOn(ctx, t, scenario.ReadyWithin, 4, first)
	ended, stopped := must(brief.Finish(ctx))(t), must(long.Finish(ctx))(t)
	t.Logf("brief: %s; too long: %s", ended, stopped)
	if ended.Lost() > 0 || ended.Done == 0 {
		t.Errorf("want every brief stream done: %s", ended)
	}
	if stopped.Cut > 0 || stopped.Refused > 0 || stopped.Failed == 0 || stopped.Done > 0 {
		t.Errorf("want an error event at the end of every stream that is too long: %s", stopped)
	}
	if own := must(cluster.CutStreams(ctx, f.Service))(t); own != 0 {
		t.Errorf("the gateways count %d cut streams", own)
	}
}

// TestNodesScaleDown goes from 10 replicas to 2 while 500 streams of 10 to 60 s are open.
func TestNodesScaleDown(t *testing.T) {
	ctx := bounded(t)
	f := startOnNodes(ctx, t, "ten", 10, "90s")
	crowd := f.crowdOf(ctx, 500, 20, 120)
	ok(t, crowd.AwaitOpen(ctx, 500))
	crowd.Shrink(0)
	ok(t, f.Scale(ctx, 2))
	idle := map[string]time.Time{}
	var streamsThen int64
	took := must(scenario.Await(ctx, 2*time.Minute, "two replicas are left", func(ctx context.Context) error {
		pods, err := f.Pods(ctx)
		if err != nil {
			return err
		}
		for _, pod := range pods {
			if pod.DeletionTimestamp != nil {
				streamsThen += noteIdle(ctx, t, &pod, idle)
			}
		}
		if len(pods) != 2 {
			return fmt.Errorf("%d pods are there", len(pods))
		}
		return nil
	}))(t)
	if streamsThen == 0 {
		t.Error("no stream was open on a replica that was told to stop: nothing was shown")
	}
	tally := must(crowd.Finish(ctx))(t)
	t.Logf("2 replicas after %s; %s", took.Round(time.Millisecond), tally)
	if tally.Lost() > 0 || tally.Done < 500 {
		t.Errorf("want every stream done: %s", tally)
	}
}

// noteIdle returns the streams that are open on a replica which was told to stop, and fails the test if it has had none for too long.
func noteIdle(ctx context.Context, t *testing.T, pod *corev1.Pod, idle map[string]time.Time) int64 {
	t.Helper()
	status, err := scenario.Status(ctx, pod)
	if err != nil {
		return 0 // its container has ended, or is slow to answer
	}
	if status.Streams.Open > 0 {
		delete(idle, pod.Name)
		return status.Streams.Open
	}
	if _, known := idle[pod.Name]; !known {
		idle[pod.Name] = time.Now()
	}
	if since := time.Since(idle[pod.Name]); since > idleWithin {
		t.Errorf("replica %s has had no stream for %s, and is still there", pod.Name, since.Round(time.Second))
		idle[pod.Name] = time.Now()
	}
	return 0
}

// TestNodeVanishes ends a node as a power cut does. The streams on it are lost, as their clients and the operator count them; all others
// go on, and the service has all its replicas again as soon as the cluster gives the node up.
func TestNodeVanishes(t *testing.T) {
	ctx := bounded(t)
	f := startOnNodes(ctx, t, "vanishes", 4, "90s")
	const clients = 200
	crowd := f.crowdOf(ctx, clients, 100, 100)
	ok(t, crowd.AwaitOpen(ctx, clients))
	f.awaitKnown(ctx, t, clients)
	crowd.Shrink(0)
	lost := f.openOn(ctx, t, worker)
	if lost == 0 || lost == clients {
		t.Fatalf("%d of %d streams are open on the node, want some on both", lost, clients)
	}
	out, err := exec.CommandContext(ctx, filepath.Join(cluster.Root, "build", "bin", "cluster"), "stop-node", worker).CombinedOutput()
	t.Logf("%s", out)
	ok(t, err)
	f.awaitReplicasOn(ctx, t, wholeWithin, 4, first)
	tally := must(crowd.Finish(ctx))(t)
	t.Logf("%d streams were on the node: %s", lost, tally)
	if tally.Cut != lost || tally.Done != clients-lost {
		t.Errorf("want %d cut and %d done: %s", lost, clients-lost, tally)
	}
	must(f.AwaitReady(ctx))(t)
	after := f.crowdOf(ctx, clients, 4, 8)
	ok(t, after.AwaitOpen(ctx, clients))
	if tally := must(after.Finish(ctx))(t); tally.Lost() > 0 {
		t.Errorf("want every later stream done: %s", tally)
	}
	// Pods of a node that is gone are in the API until somebody says that it will not come back.
	runKubectl(ctx, t, "taint", "node", worker, corev1.TaintNodeOutOfService+"=nodeshutdown:"+string(corev1.TaintEffectNoExecute))
	must(scenario.Await(ctx, scenario.GoneWithin, "the operator counts the lost streams", func(ctx context.Context) error {
		own, err := cluster.CutStreams(ctx, f.Service)
		if err == nil && own != lost {
			err = fmt.Errorf("it counts %d, want %d", own, lost)
		}
		return err
	}))(t)
}
