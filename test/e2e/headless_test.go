//go:build e2e

package e2e

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/llmservice/llmservice/api/v1alpha1"
	"github.com/llmservice/llmservice/test/mockllm"
	"github.com/llmservice/llmservice/test/scenario"
	"github.com/llmservice/llmservice/test/scenario/streams"
)

// namesWithin is the time from a pod that answers to an address that gateways use: the Service's endpoints follow the pod, and the name
// may be kept for its TTL by the cluster's DNS server and once more by the gateway, 5 s each.
const namesWithin = 20 * time.Second

// TestAHeadlessServiceScales: if each pod of an upstream is an endpoint, a new pod gets calls within the TTL of the name, one that goes
// gets no further call, and no caller notices either.
func TestAHeadlessServiceScales(t *testing.T) {
	t.Parallel()
	ctx := bounded(t)
	ns := namespace(ctx, t, "headless")
	up := must(cluster.StartUpstream(ctx, ns, scenario.UpstreamOptions{}))(t)
	var mock corev1.Service
	ok(t, cluster.Get(ctx, client.ObjectKey{Namespace: ns, Name: "mockllm"}, &mock))
	headless := &corev1.Service{ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: mock.Name + "-pods"}, Spec: corev1.ServiceSpec{
		ClusterIP: corev1.ClusterIPNone, Selector: mock.Spec.Selector, Ports: mock.Spec.Ports,
	}}
	ok(t, cluster.Create(ctx, headless))
	service := must(cluster.ApplySample(ctx, ns, func(s *v1alpha1.LLMService) {
		small(s)
		for i := range s.Spec.Upstreams {
			s.Spec.Upstreams[i].Endpoints = []v1alpha1.Endpoint{{
				URL:        fmt.Sprintf("http://%s.%s.svc:%d/v1", headless.Name, ns, mock.Spec.Ports[0].Port),
				Resolution: v1alpha1.ResolutionEachAddress,
			}}
		}
	}))(t)
	url := must(service.URL(ctx))(t)
	crowd := streams.Gather(ctx, streams.NewClient(), 8, func(int, int) streams.Call {
		return streams.Script{Tokens: 10, Pace: 20 * time.Millisecond}.Field(url+scenario.SampleRoute, scenario.SampleField)
	})
	for _, pods := range []int{3, 2} {
		ok(t, cluster.ScaleUpstream(ctx, up, pods))
		before := must(cluster.PodStats(ctx, up))(t)
		took := must(scenario.Await(ctx, namesWithin, fmt.Sprintf("each of %d pods is asked", pods), func(ctx context.Context) error {
			return eachIsAsked(ctx, up, before)
		}))(t)
		t.Logf("each of %d pods was asked after %s", pods, took)
	}
	tally := must(crowd.Finish(ctx))(t)
	t.Log(tally)
	if tally.Lost() > 0 || tally.Done == 0 {
		t.Errorf("want every stream done: %s", tally)
	}
}

// eachIsAsked fails until each pod of an upstream has had calls since before.
func eachIsAsked(ctx context.Context, up *scenario.Upstream, before map[string]mockllm.Stats) error {
	now, err := cluster.PodStats(ctx, up)
	if err != nil {
		return err
	}
	if len(now) != len(before) {
		return errors.New("the number of pods has changed")
	}
	for address, stats := range now {
		if stats.Opened == before[address].Opened {
			return fmt.Errorf("the pod at %s has had %d calls, and no other since", address, stats.Opened)
		}
	}
	return nil
}
