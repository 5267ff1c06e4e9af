package render

import (
	"fmt"

	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/llmservice/llmservice/api/v1alpha1"
)

const (
	// Fewer than two would let one heavy request hold up every other.
	minAutoWorkers = 2
	// More than the API's maximum would be refused if it were written down.
	maxAutoWorkers = 64
)

// Workers is how many requests a replica computes at the same instant. It fails on what the API would have refused.
func Workers(s *v1alpha1.LLMService) (int64, error) {
	r := runtimeOf(s)
	switch w := r.Workers; {
	case w == nil, w.Type == intstr.String && w.StrVal == v1alpha1.WorkersAuto:
		return autoWorkers(r.Resources), nil
	case w.Type == intstr.Int:
		return int64(w.IntVal), nil
	default:
		return 0, fmt.Errorf("spec.runtime.workers %q: want an integer or %s", w.StrVal, v1alpha1.WorkersAuto)
	}
}

// autoWorkers is the CPU limit rounded up, else the CPU request rounded up.
func autoWorkers(r *v1alpha1.Resources) int64 {
	resources := valueOf(r)
	for _, list := range []*v1alpha1.ResourceList{resources.Limits, resources.Requests} {
		if cpu := valueOf(list).CPU; cpu != nil {
			return max(minAutoWorkers, min(maxAutoWorkers, cpu.Value())) // Value rounds up
		}
	}
	return minAutoWorkers
}
