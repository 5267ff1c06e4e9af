package v1alpha1

// Request describes the requests that a route accepts.
type Request struct {
	// parameters are the values in the path, the query and the headers. At most 32.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=32
	Parameters []Parameter `json:"parameters,omitempty"`

	// schema is the JSON Schema (draft 2020-12) of the body. A body that does not match gets a 422; defaults are filled in.
	// +optional
	// +kubebuilder:validation:Type=object
	// +kubebuilder:pruning:PreserveUnknownFields
	Schema *JSON `json:"schema,omitempty"`

	// assertFormats enforces the keyword format. Default: false, which makes it an annotation.
	// +optional
	AssertFormats *bool `json:"assertFormats,omitempty"`

	// echoInput repeats the refused values in a 422. Default: false.
	// +optional
	EchoInput *bool `json:"echoInput,omitempty"`

	// allowAnyContentType reads a body as JSON regardless of its Content-Type, and without one. Default: false, which answers 415,
	// because a web page may post such bodies to any address that its reader's browser reaches.
	// +optional
	AllowAnyContentType *bool `json:"allowAnyContentType,omitempty"`
}
