package scenario

import (
	"context"
	"fmt"

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

// runs fails unless every pod that is not on its way out runs the image, and one of them is ready.
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
