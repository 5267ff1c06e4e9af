package scenario

import (
	"context"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/llmservice/llmservice/api/v1alpha1"
)

// gatewayContainer is the container that a gateway runs in.
const gatewayContainer = "gateway"

// ChangeImage makes the service's gateways run another image, which replaces every pod.
func (s *Service) ChangeImage(ctx context.Context, image string) error {
	_, err := s.Edit(ctx, func(spec *v1alpha1.LLMServiceSpec) {
		if spec.Runtime == nil {
			spec.Runtime = &v1alpha1.Runtime{}
		}
		spec.Runtime.Image = image
	})
	return err
}

// AwaitImage waits until every live pod runs the image, and of those that do not, each is on its way out.
func (s *Service) AwaitImage(ctx context.Context, image string) (time.Duration, error) {
	what := fmt.Sprintf("LLMService %s runs image %s", s.key, image)
	return Await(ctx, RolledWithin, what, func(ctx context.Context) error { return s.runs(ctx, image) })
}

func (s *Service) runs(ctx context.Context, image string) error {
	pods, err := s.Pods(ctx)
	if err != nil {
		return err
	}
	live := 0
	for i := range pods {
		if pods[i].DeletionTimestamp != nil {
			continue
		}
		if runs := imageOf(&pods[i]); runs != image {
			return fmt.Errorf("pod %s still runs %s", pods[i].Name, runs)
		}
		if ready(&pods[i]) {
			live++
		}
	}
	if live == 0 {
		return fmt.Errorf("none of %d pods is ready", len(pods))
	}
	return nil
}

func imageOf(p *corev1.Pod) string {
	for i := range p.Spec.Containers {
		if p.Spec.Containers[i].Name == gatewayContainer {
			return p.Spec.Containers[i].Image
		}
	}
	return ""
}
