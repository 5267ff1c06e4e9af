package v1alpha1

// Function is a list of steps with a name, which steps, branches and agents call. A function does not call itself, be it
// through others.
type Function struct {
	// name is what call and tools refer to: at most 63 letters, digits and underscores, beginning with a letter.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:Pattern=`^[A-Za-z][A-Za-z0-9_]*$`
	Name string `json:"name,omitempty"`

	// description tells models that may call the function what it does. At most 1024 characters.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=1024
	Description string `json:"description,omitempty"`

	// input is the JSON Schema (draft 2020-12) of what the function takes, an object; templates read it as input. Default:
	// an object with any members.
	// +optional
	// +kubebuilder:validation:Type=object
	// +kubebuilder:pruning:PreserveUnknownFields
	Input *JSON `json:"input,omitempty"`

	// timeout bounds one call of the function, such as 10s. Without it the caller's timeouts do.
	// +optional
	Timeout Duration `json:"timeout,omitempty"`

	// steps are the function's work, in order, from 1 to 16.
	// +required
	// +listType=atomic
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=16
	Steps []FunctionStep `json:"steps,omitempty"`

	// output is what the function returns: a JSON value whose strings are templates, such as ${steps.hits.body.items}.
	// +required
	// +kubebuilder:validation:Schemaless
	// +kubebuilder:pruning:PreserveUnknownFields
	Output JSON `json:"output,omitzero"`
}
