package scenario

import (
	"context"
	"fmt"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
)

// Autoscaler reads the service's HorizontalPodAutoscaler.
func (s *Service) Autoscaler(ctx context.Context) (*autoscalingv2.HorizontalPodAutoscaler, error) {
	var hpa autoscalingv2.HorizontalPodAutoscaler
	if err := s.cluster.Get(ctx, s.key, &hpa); err != nil {
		return nil, fmt.Errorf("get HorizontalPodAutoscaler %s: %w", s.key, err)
	}
	return &hpa, nil
}

// InFlight is the requests in flight per replica that the autoscaler last read, and those that it aims at. It fails
// while it has read nothing.
func (s *Service) InFlight(ctx context.Context) (read, aim int64, err error) {
	hpa, err := s.Autoscaler(ctx)
	if err != nil {
		return 0, 0, err
	}
	for _, m := range hpa.Spec.Metrics {
		if m.Type == autoscalingv2.ObjectMetricSourceType && m.Object.Target.AverageValue != nil {
			aim = m.Object.Target.AverageValue.Value()
		}
	}
	for _, m := range hpa.Status.CurrentMetrics {
		if m.Type == autoscalingv2.ObjectMetricSourceType && m.Object.Current.AverageValue != nil {
			return m.Object.Current.AverageValue.Value(), aim, nil
		}
	}
	return 0, aim, fmt.Errorf("HorizontalPodAutoscaler %s has read no requests in flight: %s", s.key, hpaConditions(hpa))
}

func hpaConditions(hpa *autoscalingv2.HorizontalPodAutoscaler) (text string) {
	for _, c := range hpa.Status.Conditions {
		text += fmt.Sprintf("%s=%s (%s: %s) ", c.Type, c.Status, c.Reason, c.Message)
	}
	return text
}
