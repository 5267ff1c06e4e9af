package v1alpha1

// Function is a named list of steps, which steps, branches and agents can call. A function must not call itself, directly
// or through others.
type Function struct {
	// name is the name by which call and tools refer to the function: at most 63 letters, digits and underscores, beginning
	// with a letter.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:Pattern=`^[A-Za-z][A-Za-z0-9_]*$`
	Name string `json:"name,omitempty"`

	// description describes the function to the models that may call it. At most 1024 characters.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=1024
	Description string `json:"description,omitempty"`

	// input is the JSON Schema (draft 2020-12) of the function's input, an object; templates read it as input. Default: any
	// object.
	// +optional
	// +kubebuilder:validation:Type=object
	// +kubebuilder:pruning:PreserveUnknownFields
	Input *JSON `json:"input,omitempty"`

	// timeout limits one call of the function, such as 10s. Default: only the caller's timeouts apply.
	// +optional
	Timeout Duration `json:"timeout,omitempty"`

	// steps are the steps of the function, in order, from 1 to 16.
	// +required
	// +listType=atomic
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=16
	Steps []FunctionStep `json:"steps,omitempty"`

	// output is the result of the function: a JSON value whose strings are templates, such as ${steps.hits.body.items}.
	// +optional
	// +kubebuilder:validation:Schemaless
	// +kubebuilder:pruning:PreserveUnknownFields
	Output *JSON `json:"output,omitempty"`

	// stream is the name of the last step, whose tokens and value are the function's, in place of output. At most 63 characters.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	Stream string `json:"stream,omitempty"`
}
