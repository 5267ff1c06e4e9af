package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// LLMServiceStatus is the state that the operator observed.
type LLMServiceStatus struct {
	// conditions describe the state of the service: Ready, ConfigValid, ConfigApplied, Available and Scaling,
	// RouteAccepted if a route is wanted, and Paused, RolloutHeld, Reconciling or Stalled while they are true. At most 16.
	// +optional
	// +listType=map
	// +listMapKey=type
	// +kubebuilder:validation:MaxItems=16
	// +kubebuilder:validation:XValidation:rule="self.all(c, c.lastTransitionTime >= timestamp(0))",message="lastTransitionTime must be a time since 1970"
	Conditions []metav1.Condition `json:"conditions,omitempty"`

	// observedGeneration is the generation that this status describes. It is -1 before the first one, so that a new object
	// does not look ready.
	// +optional
	// +kubebuilder:default=-1
	// +kubebuilder:validation:Minimum=-1
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`

	// replicas is the number of gateways, without those that are terminating. The scale subresource reads it.
	// +optional
	// +kubebuilder:validation:Minimum=0
	Replicas int32 `json:"replicas,omitempty"`

	// selector selects the service's pods, in the notation of a label selector. The scale subresource reads it.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=512
	Selector string `json:"selector,omitempty"`

	// config is the configuration to be served, and how many replicas serve it.
	// +optional
	Config *ConfigStatus `json:"config,omitempty"`

	// gatewayVersion is the version of the gateways that run, as they report it. While they are replaced, it is a list.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=256
	GatewayVersion string `json:"gatewayVersion,omitempty"`

	// compiling marks a spec that takes long to compile, so that a spec during whose compilation the operator ends is not
	// tried again and again. It is absent otherwise.
	// +optional
	Compiling *Compiling `json:"compiling,omitempty"`

	// streams reports streams that were cut.
	// +optional
	Streams *StreamsStatus `json:"streams,omitempty"`

	// url is the address of the service: that of its HTTPRoute's hostname or of its Ingress if it has one, otherwise that
	// within the cluster.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=512
	URL string `json:"url,omitempty"`
}

// ConfigStatus reports how many replicas serve a configuration.
type ConfigStatus struct {
	// revision names the last valid configuration.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=64
	Revision string `json:"revision,omitempty"`

	// acknowledged is the number of replicas that serve the revision.
	// +optional
	// +kubebuilder:validation:Minimum=0
	Acknowledged int32 `json:"acknowledged,omitempty"`

	// served reports whether any replica has served the revision; that replica may have been replaced since. Only such a
	// revision is kept as the last good one while the next is rolled out.
	// +optional
	Served bool `json:"served,omitempty"`
}

// Compiling marks a spec that is being compiled, or during whose compilation the operator ended.
type Compiling struct {
	// revision names the configuration.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=64
	Revision string `json:"revision,omitempty"`

	// attempts is the number of compilations that began and did not end.
	// +required
	// +kubebuilder:validation:Minimum=1
	Attempts int32 `json:"attempts,omitempty"`
}

// StreamsStatus reports on streams. It is coarse, and written at most once a minute; live figures are metrics.
type StreamsStatus struct {
	// lastCut is the last time that a replica vanished with streams open.
	// +optional
	LastCut *StreamCut `json:"lastCut,omitempty"`
}

// StreamCut is one replica that vanished with streams open.
type StreamCut struct {
	// time is the time at which the operator noticed.
	// +required
	// +kubebuilder:validation:XValidation:rule="self >= timestamp(0)",message="must be a time since 1970"
	Time metav1.Time `json:"time,omitzero"`

	// pod is the replica's pod.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Pod string `json:"pod,omitempty"`

	// count is the number of streams that were cut.
	// +required
	// +kubebuilder:validation:Minimum=1
	Count int32 `json:"count,omitempty"`

	// reason is how the replica ended, in CamelCase, such as OOMKilled or Lost.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=64
	Reason string `json:"reason,omitempty"`
}
