package render

import (
	policyv1 "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	acmetav1 "k8s.io/client-go/applyconfigurations/meta/v1"
	acpolicyv1 "k8s.io/client-go/applyconfigurations/policy/v1"

	"github.com/llmservice/llmservice/api/v1alpha1"
)

// One replica drains at a time. Replicas that are not healthy may always be evicted: they serve nobody, and would
// else keep a node from being drained.
func podDisruptionBudget(s *v1alpha1.LLMService) Child {
	budget := acpolicyv1.PodDisruptionBudget(s.Name, s.Namespace).WithSpec(acpolicyv1.PodDisruptionBudgetSpec().
		WithMaxUnavailable(intstr.FromInt32(1)).
		WithUnhealthyPodEvictionPolicy(policyv1.AlwaysAllow).
		WithSelector(acmetav1.LabelSelector().WithMatchLabels(SelectorLabels(s))))
	child := newChild(policyv1.SchemeGroupVersion, "PodDisruptionBudget", s, s.Name)
	child.Apply, child.meta = budget, budget.ObjectMetaApplyConfiguration
	return child
}
