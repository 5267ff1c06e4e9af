package render

import (
	"strconv"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	accorev1 "k8s.io/client-go/applyconfigurations/core/v1"

	"github.com/llmservice/llmservice/api/v1alpha1"
)

// Go's runtime frees memory sooner as it comes near GOMEMLIMIT; the rest is for what is not its heap, such as the
// kernel's socket buffers, which count against the limit too.
const goMemoryPercent = 90

// addResources sets the container's resources, and GOMEMLIMIT where memory is limited.
func addResources(c *accorev1.ContainerApplyConfiguration, r *v1alpha1.Resources) {
	if r == nil {
		return
	}
	requests, limits := resourceList(r.Requests), resourceList(r.Limits)
	c.WithResources(accorev1.ResourceRequirements())
	if len(requests) > 0 {
		c.Resources.WithRequests(requests)
	}
	if len(limits) > 0 {
		c.Resources.WithLimits(limits)
	}
	if memory, limited := limits[corev1.ResourceMemory]; limited {
		limit := memory.Value() / 100 * goMemoryPercent
		c.WithEnv(accorev1.EnvVar().WithName("GOMEMLIMIT").WithValue(strconv.FormatInt(limit, 10)))
	}
}

func resourceList(l *v1alpha1.ResourceList) corev1.ResourceList {
	list := corev1.ResourceList{}
	if l == nil {
		return list
	}
	wanted := map[corev1.ResourceName]*resource.Quantity{corev1.ResourceCPU: l.CPU, corev1.ResourceMemory: l.Memory}
	for name, quantity := range wanted {
		if quantity == nil {
			continue
		}
		// As the API server would round it: what it changed would be taken for somebody's edit.
		rounded := quantity.DeepCopy()
		rounded.RoundUp(resource.Milli)
		list[name] = rounded
	}
	return list
}
