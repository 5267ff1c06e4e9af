package scenario

import (
	"context"
	"encoding/json"
	"fmt"

	autoscalingv1 "k8s.io/api/autoscaling/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	"k8s.io/apimachinery/pkg/api/resource"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/llmservice/llmservice/api/v1alpha1"
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

// Scale sets the service's replicas through its scale subresource, as kubectl scale and autoscalers do.
func (s *Service) Scale(ctx context.Context, replicas int32) error {
	object, err := s.Get(ctx)
	if err != nil {
		return err
	}
	scale := &autoscalingv1.Scale{Spec: autoscalingv1.ScaleSpec{Replicas: replicas}}
	err = s.cluster.SubResource("scale").Update(ctx, object, client.WithSubResourceBody(scale))
	if err != nil {
		return fmt.Errorf("scale LLMService %s: %w", s.key, err)
	}
	return nil
}

// InFlightNow is the requests in flight that the operator serves to autoscalers through custom.metrics.k8s.io.
func (s *Service) InFlightNow(ctx context.Context) (int64, error) {
	path := fmt.Sprintf("/apis/custom.metrics.k8s.io/v1beta2/namespaces/%s/llmservices.%s/%s/inflight",
		s.key.Namespace, v1alpha1.Group, s.key.Name)
	answer, err := s.cluster.core.CoreV1().RESTClient().Get().AbsPath(path).DoRaw(ctx)
	if err != nil {
		return 0, fmt.Errorf("GET %s: %w", path, err)
	}
	var list struct {
		Items []struct {
			Value resource.Quantity `json:"value"`
		} `json:"items"`
	}
	if err := json.Unmarshal(answer, &list); err != nil {
		return 0, fmt.Errorf("GET %s: %w", path, err)
	}
	if len(list.Items) != 1 {
		return 0, fmt.Errorf("GET %s: %d values, want 1", path, len(list.Items))
	}
	return list.Items[0].Value.Value(), nil
}

func hpaConditions(hpa *autoscalingv2.HorizontalPodAutoscaler) (text string) {
	for _, c := range hpa.Status.Conditions {
		text += fmt.Sprintf("%s=%s (%s: %s) ", c.Type, c.Status, c.Reason, c.Message)
	}
	return text
}
