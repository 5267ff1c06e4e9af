package controllers

import (
	"fmt"
	"math"

	corev1 "k8s.io/api/core/v1"

	"github.com/llmservice/llmservice/api/v1alpha1"
	"github.com/llmservice/llmservice/controllers/render"
)

// defaultTolerance is by how much a metric may exceed its target before a HorizontalPodAutoscaler adds replicas, where
// neither its behavior nor the flag of kube-controller-manager says otherwise.
const defaultTolerance = 0.1

// futile says which metric can never make the autoscaler add a replica, and why; nil if all can, as far as the replicas
// show it. The API refuses what the spec alone shows.
func (v *view) futile(s *v1alpha1.LLMService) *problem {
	if s.Spec.Scaling == nil {
		return nil
	}
	exceeding := 1 + tolerance(s.Spec.Scaling)
	for i := range s.Spec.Scaling.Metrics {
		m := &s.Spec.Scaling.Metrics[i]
		var found *problem
		switch m.Type {
		case v1alpha1.MetricInFlight:
			found = v.futileInFlight(m, exceeding)
		case v1alpha1.MetricCPU:
			found = v.futileCPU(s, m, exceeding)
		}
		if found != nil {
			return found
		}
	}
	return nil
}

func tolerance(s *v1alpha1.Scaling) float64 {
	if s.Behavior == nil || s.Behavior.ScaleUp == nil || s.Behavior.ScaleUp.Tolerance == nil {
		return defaultTolerance
	}
	return s.Behavior.ScaleUp.Tolerance.AsApproximateFloat64()
}

// futileInFlight compares the target with what the gateways say that they serve at once: they know their memory.
func (v *view) futileInFlight(m *v1alpha1.Metric, exceeding float64) *problem {
	var most int64
	for i := range v.load.Pods {
		if pod := &v.load.Pods[i]; !pod.Terminating {
			most = max(most, pod.Status.MaxInFlight)
		}
	}
	if most == 0 || float64(m.AverageValue)*exceeding < float64(most) {
		return nil
	}
	return &problem{v1alpha1.ReasonTargetOutOfReach, fmt.Sprintf(
		"spec.scaling.metrics[%s].averageValue is %d, but a replica serves at most %d requests at the same time, so that it is never "+
			"exceeded by %.3g %%: lower it, or raise spec.runtime.maxInFlight or spec.runtime.resources.limits.memory",
		m.Name, m.AverageValue, most, exceeding*100-100)}
}

// futileCPU looks at the pods and not at the spec: a LimitRange may have given them what the spec leaves out.
func (v *view) futileCPU(s *v1alpha1.LLMService, m *v1alpha1.Metric, exceeding float64) *problem {
	pods, reachable := v.livePods(), false
	for _, pod := range pods {
		request, most := cpuOf(pod, s)
		if request == 0 {
			return &problem{v1alpha1.ReasonCPURequestMissing, fmt.Sprintf(
				"spec.scaling.metrics[%s].averageUtilization is in percent of the CPU request, but pod %s has none: "+
					"set spec.runtime.resources.requests.cpu", m.Name, pod.Name)}
		}
		reachable = reachable || request*float64(m.AverageUtilization)/100*exceeding < most
	}
	if reachable || len(pods) == 0 {
		return nil
	}
	return &problem{v1alpha1.ReasonTargetOutOfReach, fmt.Sprintf(
		"spec.scaling.metrics[%s].averageUtilization is %d, but the CPU limit and the workers of a replica do not allow that "+
			"much, or not %.3g %% more: lower it, or spec.runtime.resources.requests.cpu, or raise the limit or spec.runtime.workers",
		m.Name, m.AverageUtilization, exceeding*100-100)}
}

// cpuOf is how many cores a pod's gateway asks for, and how many it can use: as many as it has workers, within its limit.
func cpuOf(pod *corev1.Pod, s *v1alpha1.LLMService) (request, most float64) {
	var limit float64
	for i := range pod.Spec.Containers {
		if container := &pod.Spec.Containers[i]; container.Name == render.ContainerName {
			request, limit = cores(container.Resources.Requests), cores(container.Resources.Limits)
		}
	}
	workers, err := render.WorkersWithin(s, int64(math.Ceil(limit)))
	if err != nil {
		return 0, 0 // the API refuses such a spec
	}
	if most = float64(workers); limit > 0 {
		most = min(most, limit)
	}
	return request, most
}

func cores(list corev1.ResourceList) float64 {
	quantity := list[corev1.ResourceCPU]
	return quantity.AsApproximateFloat64()
}
