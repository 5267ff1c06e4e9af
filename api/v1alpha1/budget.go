package v1alpha1

// Budget limits the resources that one request may use, in all its steps, branches, tools and repairs together. A request
// that would use more fails.
type Budget struct {
	// maxCalls is the number of calls to upstreams that a request may make, including retries, from 1 to 10000. Default: 64.
	// +optional
	// +kubebuilder:default=64
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=10000
	MaxCalls int32 `json:"maxCalls,omitempty"`

	// maxTokens is the number of tokens that a request may use, in prompts and completions of all calls, as reported by the
	// upstreams or estimated: from 1 to 100000000. Default: no limit.
	// +optional
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=100000000
	MaxTokens int32 `json:"maxTokens,omitempty"`

	// maxBytes is the number of bytes of the upstreams' answers that a request may keep, from 1024 to 1073741824. Default:
	// 16777216.
	// +optional
	// +kubebuilder:default=16777216
	// +kubebuilder:validation:Minimum=1024
	// +kubebuilder:validation:Maximum=1073741824
	MaxBytes int32 `json:"maxBytes,omitempty"`
}
