package render

import (
	"fmt"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	acautoscalingv2 "k8s.io/client-go/applyconfigurations/autoscaling/v2"

	"github.com/llmservice/llmservice/api/v1alpha1"
)

// MetricInFlight is the name under which the operator's custom metrics API serves the requests in flight of an
// LLMService, summed over its live pods.
const MetricInFlight = "inflight"

// +kubebuilder:rbac:groups=autoscaling,resources=horizontalpodautoscalers,verbs=get;list;watch;create;patch;delete

// The autoscaler scales the LLMService, not the Deployment: the operator alone writes that one's replicas, after the
// costs of deleting its pods.
func horizontalPodAutoscaler(in Input) ([]Child, error) {
	s := in.Service
	scaling := s.Spec.Scaling
	if scaling == nil {
		return nil, nil
	}
	spec := acautoscalingv2.HorizontalPodAutoscalerSpec().
		WithScaleTargetRef(serviceReference(s)).
		WithMinReplicas(scaling.MinReplicas).
		WithMaxReplicas(scaling.MaxReplicas)
	for i := range scaling.Metrics {
		metric, err := metricSpec(s, &scaling.Metrics[i])
		if err != nil {
			return nil, fmt.Errorf("spec.scaling.metrics[%d]: %w", i, err)
		}
		spec.WithMetrics(metric)
	}
	if b := scaling.Behavior; b != nil {
		spec.WithBehavior(scalingBehavior(b))
	}
	autoscaler := acautoscalingv2.HorizontalPodAutoscaler(s.Name, s.Namespace).WithSpec(spec)
	return []Child{NewChild(autoscaler, autoscaler.ObjectMetaApplyConfiguration)}, nil
}

func serviceReference(s *v1alpha1.LLMService) *acautoscalingv2.CrossVersionObjectReferenceApplyConfiguration {
	return acautoscalingv2.CrossVersionObjectReference().
		WithAPIVersion(v1alpha1.GroupVersion.String()).
		WithKind(v1alpha1.Kind).
		WithName(s.Name)
}

func metricSpec(s *v1alpha1.LLMService, m *v1alpha1.Metric) (*acautoscalingv2.MetricSpecApplyConfiguration, error) {
	switch m.Type {
	case v1alpha1.MetricInFlight:
		return inFlightMetric(s, m), nil
	case v1alpha1.MetricCPU:
		return cpuMetric(m), nil
	default:
		return nil, fmt.Errorf("type %q: want %s or %s", m.Type, v1alpha1.MetricInFlight, v1alpha1.MetricCPU)
	}
}

// An Object metric, because a Pods metric has no value while there are no pods.
func inFlightMetric(s *v1alpha1.LLMService, m *v1alpha1.Metric) *acautoscalingv2.MetricSpecApplyConfiguration {
	return acautoscalingv2.MetricSpec().
		WithType(autoscalingv2.ObjectMetricSourceType).
		WithObject(acautoscalingv2.ObjectMetricSource().
			WithDescribedObject(serviceReference(s)).
			WithMetric(acautoscalingv2.MetricIdentifier().WithName(MetricInFlight)).
			WithTarget(acautoscalingv2.MetricTarget().
				WithType(autoscalingv2.AverageValueMetricType).
				WithAverageValue(*resource.NewQuantity(int64(m.AverageValue), resource.DecimalSI))))
}

// The container's use and not the pod's, so that an injected sidecar does not count.
func cpuMetric(m *v1alpha1.Metric) *acautoscalingv2.MetricSpecApplyConfiguration {
	return acautoscalingv2.MetricSpec().
		WithType(autoscalingv2.ContainerResourceMetricSourceType).
		WithContainerResource(acautoscalingv2.ContainerResourceMetricSource().
			WithName(corev1.ResourceCPU).
			WithContainer(ContainerName).
			WithTarget(acautoscalingv2.MetricTarget().
				WithType(autoscalingv2.UtilizationMetricType).
				WithAverageUtilization(m.AverageUtilization)))
}

func scalingBehavior(b *v1alpha1.ScalingBehavior) *acautoscalingv2.HorizontalPodAutoscalerBehaviorApplyConfiguration {
	behavior := acautoscalingv2.HorizontalPodAutoscalerBehavior()
	if b.ScaleUp != nil {
		behavior.WithScaleUp(scalingRules(b.ScaleUp))
	}
	if b.ScaleDown != nil {
		behavior.WithScaleDown(scalingRules(b.ScaleDown))
	}
	return behavior
}

func scalingRules(r *v1alpha1.ScalingRules) *acautoscalingv2.HPAScalingRulesApplyConfiguration {
	rules := acautoscalingv2.HPAScalingRules()
	rules.StabilizationWindowSeconds = r.StabilizationWindowSeconds
	rules.Tolerance = r.Tolerance
	if r.SelectPolicy != "" {
		rules.WithSelectPolicy(autoscalingv2.ScalingPolicySelect(r.SelectPolicy))
	}
	for _, p := range r.Policies {
		rules.WithPolicies(acautoscalingv2.HPAScalingPolicy().
			WithType(autoscalingv2.HPAScalingPolicyType(p.Type)).
			WithValue(p.Value).
			WithPeriodSeconds(p.PeriodSeconds))
	}
	return rules
}
