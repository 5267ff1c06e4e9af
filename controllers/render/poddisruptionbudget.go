package render

import (
	policyv1 "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	metav1apply "k8s.io/client-go/applyconfigurations/meta/v1"
	policyv1apply "k8s.io/client-go/applyconfigurations/policy/v1"

	"github.com/llmservice/llmservice/api/v1alpha1"
)

// One replica drains at a time. Replicas that are not healthy may always be evicted: they serve nobody, and would
// else keep a node from being drained.
func podDisruptionBudget(s *v1alpha1.LLMService) Child {
	budget := policyv1apply.PodDisruptionBudget(s.Name, s.Namespace).WithSpec(policyv1apply.PodDisruptionBudgetSpec().
		WithMaxUnavailable(intstr.FromInt32(1)).
		WithUnhealthyPodEvictionPolicy(policyv1.AlwaysAllow).
		WithSelector(metav1apply.LabelSelector().WithMatchLabels(SelectorLabels(s))))
	child := newChild(policyv1.SchemeGroupVersion, "PodDisruptionBudget", s, s.Name)
	child.Apply, child.meta = budget, budget.ObjectMetaApplyConfiguration
	return child
}
