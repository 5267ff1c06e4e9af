package v1alpha1

// Call calls a function.
type Call struct {
	// function is the name of a function.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	Function string `json:"function,omitempty"`

	// input is a JSON value whose strings are templates. Default: an empty object.
	// +optional
	// +kubebuilder:validation:Schemaless
	// +kubebuilder:pruning:PreserveUnknownFields
	Input *JSON `json:"input,omitempty"`
}
