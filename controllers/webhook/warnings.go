package webhook

import (
	"fmt"
	"time"

	"github.com/llmservice/llmservice/api/v1alpha1"
)

// longDrain is the longest stream for which cluster-autoscaler waits, with the rest of the drain: it gives up after 10 minutes.
const longDrain = 9 * time.Minute

// Warnings are findings that a spec shows on its own, and that do not keep it from being served.
func Warnings(service, before *v1alpha1.LLMService) []string {
	return append(droppedNulls(service, before), slowDrain(service, before)...)
}

// slowDrain warns once, when the value is set.
func slowDrain(service, before *v1alpha1.LLMService) []string {
	longest := longestStream(service)
	if longest <= longDrain || before != nil && longestStream(before) == longest {
		return nil
	}
	return []string{fmt.Sprintf(
		"spec.runtime.maxStreamDuration: is %v, but cluster-autoscaler waits 10m for a node's pods; want 9m or less with it", longest)}
}

// longestStream is zero if the service does not say.
func longestStream(service *v1alpha1.LLMService) time.Duration {
	if service.Spec.Runtime == nil {
		return 0
	}
	longest, err := service.Spec.Runtime.MaxStreamDuration.Parse()
	if err != nil {
		return 0
	}
	return longest
}
