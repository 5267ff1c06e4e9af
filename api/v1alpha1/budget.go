package v1alpha1

// Budget bounds what one request may use, in all its steps, branches, tools and repairs together. A request that would
// use more fails.
type Budget struct {
	// maxCalls is how many calls of upstreams a request may make, retries included, from 1 to 10000. Default: 64.
	// +optional
	// +kubebuilder:default=64
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=10000
	MaxCalls int32 `json:"maxCalls,omitempty"`

	// maxTokens is how many tokens a request may use, of prompts and completions, as the upstreams report them: from 1
	// to 100000000. Without it there is no bound.
	// +optional
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=100000000
	MaxTokens int32 `json:"maxTokens,omitempty"`

	// maxBytes is how many bytes of the upstreams' answers a request may keep, from 1024 to 1073741824. Default: 16777216.
	// +optional
	// +kubebuilder:default=16777216
	// +kubebuilder:validation:Minimum=1024
	// +kubebuilder:validation:Maximum=1073741824
	MaxBytes int32 `json:"maxBytes,omitempty"`
}
