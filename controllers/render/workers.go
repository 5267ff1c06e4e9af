package render

import (
	"fmt"
	"strconv"

	"k8s.io/apimachinery/pkg/util/intstr"
	accorev1 "k8s.io/client-go/applyconfigurations/core/v1"

	"github.com/llmservice/llmservice/api/v1alpha1"
	"github.com/llmservice/llmservice/runtime/config/delivery"
)

// Workers is how many requests a replica computes at the same instant. It fails on what the API would have refused.
func Workers(s *v1alpha1.LLMService) (int64, error) {
	r := runtimeOf(s)
	switch w := r.Workers; {
	case isAuto(&r):
		return autoWorkers(r.Resources), nil
	case w.Type == intstr.Int:
		return int64(w.IntVal), nil
	default:
		return 0, fmt.Errorf("spec.runtime.workers %q: want an integer or %s", w.StrVal, v1alpha1.WorkersAuto)
	}
}

func isAuto(r *v1alpha1.Runtime) bool {
	return r.Workers == nil || r.Workers.Type == intstr.String && r.Workers.StrVal == v1alpha1.WorkersAuto
}

// WorkersWithin is the number of workers of a replica whose container may use that many CPUs; 0 is any number.
func WorkersWithin(s *v1alpha1.LLMService, cpus int64) (int64, error) {
	if r := runtimeOf(s); cpus > 0 && isAuto(&r) {
		return delivery.AutoWorkers(cpus), nil
	}
	return Workers(s)
}

// addWorkers sets the number of workers, and whether the container's own limit, which may differ from the manifest's, takes
// precedence.
func addWorkers(c *accorev1.ContainerApplyConfiguration, s *v1alpha1.LLMService) error {
	n, err := Workers(s)
	if err != nil {
		return err
	}
	c.WithArgs("--workers=" + strconv.FormatInt(n, 10))
	if r := runtimeOf(s); isAuto(&r) {
		c.WithEnv(accorev1.EnvVar().WithName(delivery.WorkersVariable).WithValue(delivery.WorkersAuto))
	}
	return nil
}

// autoWorkers is the CPU limit rounded up, else the CPU request rounded up.
func autoWorkers(r *v1alpha1.Resources) int64 {
	resources := valueOf(r)
	for _, list := range []*v1alpha1.ResourceList{resources.Limits, resources.Requests} {
		if cpu := valueOf(list).CPU; cpu != nil {
			return delivery.AutoWorkers(cpu.Value()) // Value rounds up
		}
	}
	return delivery.AutoWorkers(0)
}
