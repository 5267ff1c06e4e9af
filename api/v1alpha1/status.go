package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// LLMServiceStatus is what the operator observed.
type LLMServiceStatus struct {
	// conditions say how the service is: Ready, ConfigValid, ConfigApplied, Available and Scaling, and Reconciling or Stalled
	// while they are true. At most 16.
	// +optional
	// +listType=map
	// +listMapKey=type
	// +kubebuilder:validation:MaxItems=16
	// +kubebuilder:validation:XValidation:rule="self.all(c, c.lastTransitionTime >= timestamp(0))",message="lastTransitionTime must be a time since 1970"
	Conditions []metav1.Condition `json:"conditions,omitempty"`

	// observedGeneration is the generation that this status describes, and -1 before the first one, so that nothing
	// takes a new object for a ready one.
	// +optional
	// +kubebuilder:default=-1
	// +kubebuilder:validation:Minimum=-1
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`

	// replicas is how many gateways there are, those that end not counted. The scale subresource reads it.
	// +optional
	// +kubebuilder:validation:Minimum=0
	Replicas int32 `json:"replicas,omitempty"`

	// selector selects the service's pods, in the notation of a label selector. The scale subresource reads it.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=512
	Selector string `json:"selector,omitempty"`

	// config says which configuration is meant to be served, and by how many replicas it is.
	// +optional
	Config *ConfigStatus `json:"config,omitempty"`

	// compiling marks a spec that takes long to compile before it is compiled: one during which the operator ends is not
	// tried over and over. It is absent otherwise.
	// +optional
	Compiling *Compiling `json:"compiling,omitempty"`

	// streams tells of streams that were cut.
	// +optional
	Streams *StreamsStatus `json:"streams,omitempty"`

	// url is where the service can be reached within the cluster.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=512
	URL string `json:"url,omitempty"`
}

// ConfigStatus says how far a configuration has come.
type ConfigStatus struct {
	// revision names the last valid configuration.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=64
	Revision string `json:"revision,omitempty"`

	// acknowledged is how many replicas serve the revision.
	// +optional
	// +kubebuilder:validation:Minimum=0
	Acknowledged int32 `json:"acknowledged,omitempty"`

	// served is whether any replica has served the revision; replicas may have been replaced since. Only such a revision
	// stays available as the last good one while the next is rolled out.
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

	// attempts is how often it was begun without an end.
	// +required
	// +kubebuilder:validation:Minimum=1
	Attempts int32 `json:"attempts,omitempty"`
}

// StreamsStatus tells of streams. It is coarse, and written at most once a minute; live figures are metrics.
type StreamsStatus struct {
	// lastCut is the last time that a replica vanished with streams open.
	// +optional
	LastCut *StreamCut `json:"lastCut,omitempty"`
}

// StreamCut is one replica that vanished with streams open.
type StreamCut struct {
	// time is when the operator noticed.
	// +required
	// +kubebuilder:validation:XValidation:rule="self >= timestamp(0)",message="must be a time since 1970"
	Time metav1.Time `json:"time,omitzero"`

	// pod is the replica's pod.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Pod string `json:"pod,omitempty"`

	// count is how many streams were cut.
	// +required
	// +kubebuilder:validation:Minimum=1
	Count int32 `json:"count,omitempty"`

	// reason says how the replica ended, in CamelCase, such as OOMKilled or Lost.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=64
	Reason string `json:"reason,omitempty"`
}
