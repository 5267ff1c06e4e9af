package render

import (
	policyv1 "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	acmetav1 "k8s.io/client-go/applyconfigurations/meta/v1"
	acpolicyv1 "k8s.io/client-go/applyconfigurations/policy/v1"
)

// +kubebuilder:rbac:groups=policy,resources=poddisruptionbudgets,verbs=get;list;watch;create;patch

// defaultMaxUnavailable is one replica of up to four. Of many, several drain at a time, because each may take maxStreamDuration.
const defaultMaxUnavailable = "25%"

// Replicas that are not healthy may always be evicted: they serve no clients, and would otherwise keep a node from being drained.
func podDisruptionBudget(in Input) ([]Child, error) {
	s, most := in.Service, intstr.FromString(defaultMaxUnavailable)
	r := runtimeOf(s)
	if wanted := valueOf(r.PodDisruptionBudget).MaxUnavailable; wanted != nil {
		most = *wanted
	}
	budget := acpolicyv1.PodDisruptionBudget(s.Name, s.Namespace).WithSpec(acpolicyv1.PodDisruptionBudgetSpec().
		WithMaxUnavailable(most).
		WithUnhealthyPodEvictionPolicy(policyv1.AlwaysAllow).
		WithSelector(acmetav1.LabelSelector().WithMatchLabels(SelectorLabels(s))))
	return []Child{NewChild(budget, budget.ObjectMetaApplyConfiguration)}, nil
}
