package v1alpha1

// Agent lets a model call functions until it has an answer.
type Agent struct {
	// upstream is the name of an OpenAI upstream, or an expression for one.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=1024
	Upstream string `json:"upstream,omitempty"`

	// upstreams are the names that an expression may return. At most 16.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=16
	// +kubebuilder:validation:items:MaxLength=63
	Upstreams []string `json:"upstreams,omitempty"`

	// messages are the turns that come before the agent's own, from 1 to 64.
	// +required
	// +listType=atomic
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=64
	Messages []Message `json:"messages,omitempty"` //nolint:kubeapilinter // Message's rule says what each has

	// tools are the names of the functions that the model may call, from 1 to 32.
	// +required
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=32
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=63
	Tools []string `json:"tools,omitempty"`

	// maxTurns is the maximum number of times that the model is asked, from 1 to 32. Default: 8.
	// +optional
	// +kubebuilder:default=8
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=32
	MaxTurns int32 `json:"maxTurns,omitempty"`

	// maxParallel is the number of tools that run at the same time, from 1 to 32. Default: 4.
	// +optional
	// +kubebuilder:default=4
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=32
	MaxParallel int32 `json:"maxParallel,omitempty"`

	// parameters are further members of the request, such as temperature; strings are templates.
	// +optional
	// +kubebuilder:validation:Type=object
	// +kubebuilder:pruning:PreserveUnknownFields
	Parameters *JSON `json:"parameters,omitempty"`

	// output turns the last answer into a JSON value.
	// +optional
	Output *Output `json:"output,omitempty"`
}
