package operator

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	autoscalingv1 "k8s.io/api/autoscaling/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/llmservice/llmservice/api/v1alpha1"
	"github.com/llmservice/llmservice/runtime/config"
	"github.com/llmservice/llmservice/runtime/config/report"
)

func TestShrinksByTheIdlest(t *testing.T) {
	s := start(t)
	service := s.create("assistant")
	a, b := s.up(service)
	c := s.fleet.pod(service, "assistant-c", s.fleet.delivered(service))
	s.edit(service, replicas(3))
	s.fleet.rollOut(service)
	s.awaitCondition(service, v1alpha1.ConditionReady, "True/Ready")
	for gateway, inFlight := range map[*gateway]int64{a: 5, b: 0, c: 2} {
		gateway.set(func(status *report.Status) { status.InFlight = inFlight })
	}
	s.awaitReadings(service, map[string]*gateway{"assistant-a": a, "assistant-b": b, "assistant-c": c})
	s.settle()

	s.scale(service, 1)
	s.awaitReplicas(service, 1)
	requests := s.take()
	var order []string
	costs := map[string]string{}
	for _, request := range requests {
		switch {
		case slices.Contains(order, "count"): // the prices may go again
		case strings.Contains(request.path, "/pods/"):
			var patch corev1.Pod
			if err := json.Unmarshal([]byte(request.body), &patch); err != nil {
				t.Fatal(err)
			}
			order = append(order, "cost")
			costs[request.path[len("/api/v1/namespaces/"+s.namespace+"/pods/"):]] = patch.Annotations[corev1.PodDeletionCost]
		case strings.Contains(request.path, "/deployments/"):
			order = append(order, "count")
		}
	}
	// Of three, two go: those with the fewest requests, the idlest first.
	if diff := cmp.Diff(map[string]string{"assistant-b": "-2", "assistant-c": "-1"}, costs); diff != "" {
		t.Errorf("costs (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"cost", "cost", "count"}, order[:min(3, len(order))]); diff != "" {
		t.Errorf("order of requests (-want +got):\n%s\n%v", diff, requests)
	}
	s.awaitEvent(service, "ScaledDown")
}

func TestGrowsWithoutPrices(t *testing.T) {
	s := start(t)
	service := s.create("assistant")
	s.up(service)
	s.settle()
	delivered := s.fleet.delivered(service)
	s.scale(service, 4)
	s.awaitReplicas(service, 4)
	s.fleet.rollOut(service)
	s.settle()
	s.awaitEvent(service, "ScaledUp")
	var pods corev1.PodList
	if err := api.List(t.Context(), &pods, client.InNamespace(s.namespace)); err != nil {
		t.Fatal(err)
	}
	for _, pod := range pods.Items {
		if cost, ok := pod.Annotations[corev1.PodDeletionCost]; ok {
			t.Errorf("pod %s has the deletion cost %s", pod.Name, cost)
		}
	}
	if got := s.fleet.delivered(service); got != delivered {
		t.Errorf("the number of replicas made a revision: %s, was %s", got, delivered)
	}
}

// scale writes the scale subresource, as an autoscaler and kubectl do.
func (s *system) scale(service *v1alpha1.LLMService, n int32) {
	s.t.Helper()
	scale := &autoscalingv1.Scale{
		ObjectMeta: metav1.ObjectMeta{Namespace: service.Namespace, Name: service.Name}, Spec: autoscalingv1.ScaleSpec{Replicas: n},
	}
	if err := api.SubResource("scale").Update(s.t.Context(), service, client.WithSubResourceBody(scale)); err != nil {
		s.t.Fatal(err)
	}
	service.Spec.Replicas = &n
}

func (s *system) awaitReplicas(service *v1alpha1.LLMService, n int32) {
	s.t.Helper()
	eventually(s.t, fmt.Sprintf("%d replicas", n), func() error {
		var deployment appsv1.Deployment
		if err := api.Get(s.t.Context(), client.ObjectKeyFromObject(service), &deployment); err != nil {
			return err
		}
		if got := *deployment.Spec.Replicas; got != n {
			return fmt.Errorf("the Deployment has %d", got)
		}
		return nil
	})
}

// A replica that vanishes with streams open is told of.
func TestReportsCutStreams(t *testing.T) {
	s := start(t)
	service := s.create("assistant")
	a, _ := s.up(service)
	a.set(func(status *report.Status) { status.Streams = report.Streams{Opened: 5, Open: 3, Done: 2} })
	s.awaitReadings(service, map[string]*gateway{"assistant-a": a})
	s.fleet.remove("assistant-a")
	eventually(t, "status.streams.lastCut", func() error {
		if err := api.Get(t.Context(), client.ObjectKeyFromObject(service), service); err != nil {
			return err
		}
		if service.Status.Streams == nil {
			return fmt.Errorf("status.streams is empty")
		}
		return nil
	})
	got := service.Status.Streams.LastCut
	if got.Pod != "assistant-a" || got.Count != 3 || got.Reason != "Lost" {
		t.Errorf("lastCut = %+v, want 3 streams of pod assistant-a, Lost", got)
	}
	if event := s.awaitEvent(service, "StreamsCut"); event.Note != "Pod assistant-a ended with 3 open streams (Lost)" {
		t.Errorf("event %q", event.Note)
	}
}

// awaitReadings waits until the operator has read what the gateways say now. Load is no news to it; that a secret is
// missing is, and shows in the status.
func (s *system) awaitReadings(service *v1alpha1.LLMService, gateways map[string]*gateway) {
	s.t.Helper()
	for _, gateway := range gateways {
		gateway.set(func(status *report.Status) {
			status.Secrets = []report.SecretState{{SecretFile: config.SecretFile{Secret: "keys", Key: "none"}}}
		})
	}
	eventually(s.t, "readings of every gateway", func() error {
		message := s.awaitCondition(service, v1alpha1.ConditionConfigApplied, "False/SecretMissing")
		for pod := range gateways {
			if !strings.Contains(message, "pod "+pod+":") {
				return fmt.Errorf("pod %s is not read: %s", pod, message)
			}
		}
		return nil
	})
}

// A CPU metric is in percent of the request that the pods have, whether the spec or a LimitRange gave it to them.
func TestACPUMetricWithoutARequestIsTold(t *testing.T) {
	s := start(t)
	byCPU := scaling(v1alpha1.Metric{Name: "cpu", Type: v1alpha1.MetricCPU, AverageUtilization: 70})
	without := s.create("without", byCPU)
	s.fleet.pod(without, "without-a", s.fleet.awaitDelivery(without, ""))
	if message := s.awaitCondition(without, v1alpha1.ConditionScaling, "False/CPURequestMissing"); !strings.Contains(message, "spec.runtime.resources.requests.cpu") {
		t.Errorf("it says %q", message)
	}
	limits := &corev1.LimitRange{ObjectMeta: metav1.ObjectMeta{Namespace: s.namespace, Name: "defaults"}}
	limits.Spec.Limits = []corev1.LimitRangeItem{{
		Type: corev1.LimitTypeContainer, DefaultRequest: corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("100m")},
	}}
	if err := api.Create(t.Context(), limits); err != nil {
		t.Fatal(err)
	}
	with := s.create("with", byCPU)
	revision := s.fleet.awaitDelivery(with, "")
	eventually(t, "a pod with the LimitRange's request", func() error {
		s.fleet.pod(with, "with-a", revision)
		var pod corev1.Pod
		if err := api.Get(t.Context(), client.ObjectKey{Namespace: s.namespace, Name: "with-a"}, &pod); err != nil {
			return err
		}
		if pod.Spec.Containers[0].Resources.Requests.Cpu().IsZero() {
			s.fleet.remove("with-a")
			return errors.New("the LimitRange is not in force yet")
		}
		return nil
	})
	s.awaitCondition(with, v1alpha1.ConditionConfigApplied, "True/Acknowledged")
	s.awaitCondition(with, v1alpha1.ConditionScaling, "Unknown/Progressing")
}

// Gateways know how many requests their memory allows, and the operator does not.
func TestATargetThatNoReplicaReachesIsTold(t *testing.T) {
	s := start(t)
	service := s.create("assistant", scaling(inFlight))
	a, b := s.up(service)
	for _, gateway := range []*gateway{a, b} {
		gateway.set(func(status *report.Status) { status.MaxInFlight = int64(inFlight.AverageValue) })
	}
	if message := s.awaitCondition(service, v1alpha1.ConditionScaling, "False/TargetOutOfReach"); !strings.Contains(message, "spec.scaling.metrics[streams].averageValue") {
		t.Errorf("it says %q", message)
	}
}

// Once the Deployment has the number, nothing else tells that it changed: the event must not wait for a status.
func TestAScaleUpIsToldWhereTheStatusConflicts(t *testing.T) {
	s := start(t)
	service := s.create("assistant")
	s.up(service)
	s.settle()
	var conflicted atomic.Bool
	s.refuse(func(r request) int {
		if r.method == http.MethodPut && strings.HasSuffix(r.path, "/status") && !conflicted.Swap(true) {
			return http.StatusConflict
		}
		return 0
	})
	s.scale(service, 3)
	s.awaitReplicas(service, 3)
	s.fleet.rollOut(service)
	s.awaitEvent(service, "ScaledUp")
}
