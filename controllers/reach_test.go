package controllers

import (
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/llmservice/llmservice/api/v1alpha1"
	"github.com/llmservice/llmservice/controllers/load"
	"github.com/llmservice/llmservice/controllers/render"
	"github.com/llmservice/llmservice/runtime/config/report"
)

// gatewayPod asks for so much CPU, and may use so much; empty for nothing.
func gatewayPod(name, request, limit string) corev1.Pod {
	list := func(quantity string) corev1.ResourceList {
		if quantity == "" {
			return nil
		}
		return corev1.ResourceList{corev1.ResourceCPU: resource.MustParse(quantity)}
	}
	return corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec: corev1.PodSpec{Containers: []corev1.Container{
			{Name: "sidecar"},
			{Name: render.ContainerName, Resources: corev1.ResourceRequirements{Requests: list(request), Limits: list(limit)}},
		}},
	}
}

// A metric that can never ask for another replica is told of, with its field and with what is in its way.
func TestMetricsThatNeverScale(t *testing.T) {
	inFlight := func(target int32) v1alpha1.Metric {
		return v1alpha1.Metric{Name: "streams", Type: v1alpha1.MetricInFlight, AverageValue: target}
	}
	cpu := func(target int32) v1alpha1.Metric {
		return v1alpha1.Metric{Name: "cpu", Type: v1alpha1.MetricCPU, AverageUtilization: target}
	}
	serving := func(most int64) load.PodLoad { return load.PodLoad{Status: report.Status{MaxInFlight: most}} }
	going := serving(1000)
	going.Terminating = true
	deleted := gatewayPod("deleted", "", "")
	deleted.DeletionTimestamp = &metav1.Time{}
	tests := map[string]struct {
		metric    v1alpha1.Metric
		tolerance string
		load      []load.PodLoad
		pods      []corev1.Pod
		// want is the reason and a part of the message.
		want [2]string
	}{
		"within reach":                      {metric: inFlight(90), load: []load.PodLoad{serving(100)}},
		"at most its target":                {metric: inFlight(100), load: []load.PodLoad{serving(100)}, want: [2]string{"TargetOutOfReach", "spec.scaling.metrics[streams].averageValue is 100, but a replica serves at most 100 requests"}},
		"within the tolerance":              {metric: inFlight(95), load: []load.PodLoad{serving(100)}, want: [2]string{"TargetOutOfReach", "exceeded by 10 %"}},
		"within another tolerance":          {metric: inFlight(95), tolerance: "0.02", load: []load.PodLoad{serving(100)}},
		"out of another tolerance":          {metric: inFlight(60), tolerance: "0.9", load: []load.PodLoad{serving(100)}, want: [2]string{"TargetOutOfReach", "exceeded by 90 %"}},
		"one of two replicas can":           {metric: inFlight(100), load: []load.PodLoad{serving(100), serving(200)}},
		"a replica that goes does not help": {metric: inFlight(100), load: []load.PodLoad{serving(100), going}, want: [2]string{"TargetOutOfReach", ""}},
		"nothing was read":                  {metric: inFlight(100), load: []load.PodLoad{{}}},

		"no replicas":               {metric: cpu(70)},
		"a request":                 {metric: cpu(70), pods: []corev1.Pod{gatewayPod("a", "250m", "")}},
		"no request":                {metric: cpu(70), pods: []corev1.Pod{gatewayPod("a", "250m", ""), gatewayPod("b", "", "1")}, want: [2]string{"CPURequestMissing", "pod b has none: set spec.runtime.resources.requests.cpu"}},
		"a deleted pod without one": {metric: cpu(70), pods: []corev1.Pod{gatewayPod("a", "250m", ""), deleted}},
		"as much as the limit":      {metric: cpu(100), pods: []corev1.Pod{gatewayPod("a", "1", "1")}, want: [2]string{"TargetOutOfReach", "spec.scaling.metrics[cpu].averageUtilization is 100"}},
		"nearly the limit":          {metric: cpu(95), pods: []corev1.Pod{gatewayPod("a", "1", "1")}, want: [2]string{"TargetOutOfReach", ""}},
		"below the limit":           {metric: cpu(90), pods: []corev1.Pod{gatewayPod("a", "1", "1")}},
		"more than the workers use": {metric: cpu(150), pods: []corev1.Pod{gatewayPod("a", "2", "")}, want: [2]string{"TargetOutOfReach", "workers"}},
		"what the workers use":      {metric: cpu(150), pods: []corev1.Pod{gatewayPod("a", "1", "")}},
		"workers of its own limit":  {metric: cpu(150), pods: []corev1.Pod{gatewayPod("a", "2", "4")}},
		"one of two pods can":       {metric: cpu(95), pods: []corev1.Pod{gatewayPod("a", "1", "1"), gatewayPod("b", "1", "2")}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			service := &v1alpha1.LLMService{}
			service.Spec.Scaling = &v1alpha1.Scaling{MinReplicas: 1, MaxReplicas: 3, Metrics: []v1alpha1.Metric{tt.metric}}
			if tt.tolerance != "" {
				quantity := resource.MustParse(tt.tolerance)
				service.Spec.Scaling.Behavior = &v1alpha1.ScalingBehavior{ScaleUp: &v1alpha1.ScalingRules{Tolerance: &quantity}}
			}
			seen := &view{service: service, load: load.ServiceLoad{Pods: tt.load}, pods: tt.pods}
			var got problem
			if found := seen.futile(service); found != nil {
				got = *found
			}
			if got.reason != tt.want[0] || !strings.Contains(got.message, tt.want[1]) {
				t.Errorf("got %v, want %v", got, tt.want)
			}
		})
	}
}

func TestScalingSaysWhichMetricIsFutile(t *testing.T) {
	f := steady()
	scaled(v1alpha1.MetricInFlight)(&f)
	f.futile = &problem{v1alpha1.ReasonTargetOutOfReach, "spec.scaling.metrics[streams].averageValue is 100"}
	if got := f.scalable(); got.Reason != v1alpha1.ReasonTargetOutOfReach || got.Status != metav1.ConditionFalse || got.Message != f.futile.message {
		t.Errorf("got %v", got)
	}
}
