package v1alpha1

// NetworkPolicyExposure restricts the connections of the gateways' pods. The admin port admits the namespaces of the operator and
// of monitoring, and no others. The cluster's network plugin enforces it, if it is one that does.
type NetworkPolicyExposure struct {
	// ingress restricts who may connect to the public port. Default: everyone.
	// +optional
	Ingress *NetworkPolicyIngress `json:"ingress,omitempty"`

	// egress restricts whom the gateways may connect to: DNS, the upstreams, and the peers in to. Default: everyone.
	// +optional
	Egress *NetworkPolicyEgress `json:"egress,omitempty"`
}

// NetworkPolicyIngress restricts who may connect to the public port.
type NetworkPolicyIngress struct {
	// from are the clients, such as the namespace of a Gateway. At most 16.
	// +required
	// +listType=atomic
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=16
	From []NetworkPolicyPeer `json:"from,omitempty"` //nolint:kubeapilinter // either of two members is required
}

// NetworkPolicyEgress restricts whom the gateways may connect to.
type NetworkPolicyEgress struct {
	// to are peers in addition to DNS and the upstreams, at any port. At most 16.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=16
	To []NetworkPolicyPeer `json:"to,omitempty"` //nolint:kubeapilinter // either of two members is required
}

// A peer is either pods, by labels of theirs and of their namespaces, or a network.
//
// +kubebuilder:validation:XValidation:rule="has(self.ipBlock) ? !has(self.podSelector) && !has(self.namespaceSelector) : has(self.podSelector) || has(self.namespaceSelector)",message="either ipBlock, or podSelector, namespaceSelector or both"
type NetworkPolicyPeer struct {
	// podSelector selects pods: those of the service's namespace, or of the namespaces that namespaceSelector selects.
	// +optional
	PodSelector *PeerSelector `json:"podSelector,omitempty"`

	// namespaceSelector selects namespaces. {} selects all.
	// +optional
	NamespaceSelector *PeerSelector `json:"namespaceSelector,omitempty"`

	// ipBlock is a network outside the cluster.
	// +optional
	IPBlock *IPBlock `json:"ipBlock,omitempty"`
}

// PeerSelector selects by labels. {} selects all.
type PeerSelector struct {
	// matchLabels are the labels that it must have, such as {kubernetes.io/metadata.name: infra} of a namespace. At most 16.
	// +optional
	// +kubebuilder:validation:MaxProperties=16
	// +kubebuilder:validation:XValidation:rule="self.all(key, key.size() <= 317 && !format.qualifiedName().validate(key).hasValue())",message="keys must be names of labels"
	MatchLabels map[string]LabelValue `json:"matchLabels,omitempty"`
}

// A label's value has at most 63 characters.
//
// +kubebuilder:validation:MaxLength=63
// +kubebuilder:validation:Pattern=`^(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?$`
type LabelValue string

// IPBlock is a network.
//
// +kubebuilder:validation:XValidation:rule="!has(self.except) || self.except.all(e, isCIDR(e) && isCIDR(self.cidr) && cidr(self.cidr).containsCIDR(e) && cidr(e).prefixLength() > cidr(self.cidr).prefixLength())",message="each of except must be a part of cidr"
type IPBlock struct {
	// cidr is the network in CIDR notation, at most 43 characters, such as 10.0.0.0/8 or fd00::/8.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=43
	// +kubebuilder:validation:XValidation:rule="isCIDR(self)",message="must be a network in CIDR notation"
	CIDR string `json:"cidr,omitempty"`

	// except are networks in it that do not belong to it. At most 16.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=16
	// +kubebuilder:validation:items:MaxLength=43
	Except []string `json:"except,omitempty"`
}
