package v1alpha1

import "k8s.io/apimachinery/pkg/api/resource"

// ScalingBehavior limits how fast the number of replicas changes. It has the members of a HorizontalPodAutoscaler's
// behavior (autoscaling/v2), and is passed on to one. The types are our own, because those of Kubernetes have no limits:
// the API server would accept values that the HorizontalPodAutoscaler then refuses.
type ScalingBehavior struct {
	// scaleUp limits how fast replicas are added. Default: at most 4 replicas or 100 % of them in 15 seconds, whichever is more,
	// without a stabilization window.
	// +optional
	ScaleUp *ScalingRules `json:"scaleUp,omitempty"`

	// scaleDown limits how fast replicas are removed. Default: no replica is removed until 300 seconds have passed since a
	// higher number was proposed; then all superfluous replicas are.
	// +optional
	ScaleDown *ScalingRules `json:"scaleDown,omitempty"`
}

// ScalingPolicySelect selects which of several policies applies.
//
// +kubebuilder:validation:Enum=Max;Min;Disabled
type ScalingPolicySelect string

// ScalingPolicyType is the unit of a policy's value.
//
// +kubebuilder:validation:Enum=Pods;Percent
type ScalingPolicyType string

// ScalingRules limit how fast the number of replicas changes in one direction.
type ScalingRules struct {
	// stabilizationWindowSeconds is how long proposals are remembered, from 0 to 3600 seconds: replicas rise to the lowest of them,
	// and fall to the highest. Default: 0 for scaleUp, 300 for scaleDown.
	// +optional
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=3600
	StabilizationWindowSeconds *int32 `json:"stabilizationWindowSeconds,omitempty"`

	// selectPolicy is Max, which applies the policy with the greatest change; Min, the one with the smallest; or Disabled, which
	// allows no change in this direction. Default: Max.
	// +optional
	SelectPolicy ScalingPolicySelect `json:"selectPolicy,omitempty"`

	// policies each limit the replicas that may be added or removed in a period. From 1 to 16.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=16
	Policies []ScalingPolicy `json:"policies,omitempty"`

	// tolerance is the part of its target by which a metric may be off before replicas change: a quantity from 0 to below 1, such as
	// 0.05 for 5 %. Default: the cluster's, which is 10 % unless it was changed.
	// +optional
	// +kubebuilder:validation:XValidation:rule="string(self).size() <= 32 && isQuantity(string(self)) && !quantity(string(self)).isLessThan(quantity('0')) && quantity(string(self)).isLessThan(quantity('1'))",message="tolerance must be a quantity from 0 to below 1, such as 0.05 for 5 %"
	Tolerance *resource.Quantity `json:"tolerance,omitempty"`
}

// A policy limits the replicas that may be added or removed in a period.
type ScalingPolicy struct {
	// type is the unit of value: Pods, or Percent of the replicas at the start of the period.
	// +required
	Type ScalingPolicyType `json:"type,omitempty"`

	// value is the number of replicas, or the percentage of them, that may be added or removed, from 1 to 100000.
	// +required
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=100000
	Value int32 `json:"value,omitempty"`

	// periodSeconds is the length of the period in seconds, from 1 to 1800.
	// +required
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=1800
	PeriodSeconds int32 `json:"periodSeconds,omitempty"`
}
