package v1alpha1

import "k8s.io/apimachinery/pkg/api/resource"

// ScalingBehavior limits how fast the number of replicas changes. It has the members of a HorizontalPodAutoscaler's
// behavior (autoscaling/v2), and is passed on to one. The types are our own, because those of Kubernetes have no bounds:
// the API server would take what the HorizontalPodAutoscaler then refuses.
type ScalingBehavior struct {
	// scaleUp limits how fast replicas are added. Default: at most 4 replicas or 100 % of them in 15 seconds, whichever is more,
	// without a stabilization window.
	// +optional
	ScaleUp *ScalingRules `json:"scaleUp,omitempty"`

	// scaleDown limits how fast replicas are removed. Default: none until 300 seconds have passed since a higher number was
	// proposed, then all that are too many.
	// +optional
	ScaleDown *ScalingRules `json:"scaleDown,omitempty"`
}

// ScalingPolicySelect says which of several policies holds.
//
// +kubebuilder:validation:Enum=Max;Min;Disabled
type ScalingPolicySelect string

// ScalingPolicyType is what the value of a policy counts.
//
// +kubebuilder:validation:Enum=Pods;Percent
type ScalingPolicyType string

// ScalingRules limit how fast the number of replicas changes in one direction.
type ScalingRules struct {
	// stabilizationWindowSeconds is for how many seconds proposals are remembered, from 0 to 3600: the number of replicas
	// rises to the least of them, and falls to the greatest. Default: 0 for scaleUp, 300 for scaleDown.
	// +optional
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=3600
	StabilizationWindowSeconds *int32 `json:"stabilizationWindowSeconds,omitempty"`

	// selectPolicy says which policy holds: Max, the one that allows the greatest change, Min, the one that allows the
	// least, or Disabled, which allows none in this direction. Default: Max.
	// +optional
	SelectPolicy ScalingPolicySelect `json:"selectPolicy,omitempty"`

	// policies each say how many replicas may be added or removed in a span of time, from 1 to 16.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=16
	Policies []ScalingPolicy `json:"policies,omitempty"`

	// tolerance is by how much of its target a metric may be off before the number of replicas changes: a quantity from
	// 0 to below 1, such as 0.05 or 50m for 5 %. Default: the cluster's, which is 10 % unless its administrator chose another.
	// +optional
	// +kubebuilder:validation:XValidation:rule="string(self).size() <= 32 && isQuantity(string(self)) && !quantity(string(self)).isLessThan(quantity('0')) && quantity(string(self)).isLessThan(quantity('1'))",message="tolerance must be a quantity from 0 to below 1, such as 0.05 for 5 %"
	Tolerance *resource.Quantity `json:"tolerance,omitempty"`
}

// A policy says how many replicas may be added or removed in a span of time.
type ScalingPolicy struct {
	// type is what value counts: Pods, or Percent of the replicas that there were when the span began.
	// +required
	Type ScalingPolicyType `json:"type,omitempty"`

	// value is how many replicas, or how many percent of them, may be added or removed, from 1 to 100000.
	// +required
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=100000
	Value int32 `json:"value,omitempty"`

	// periodSeconds is the span of time in seconds, from 1 to 1800.
	// +required
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=1800
	PeriodSeconds int32 `json:"periodSeconds,omitempty"`
}
