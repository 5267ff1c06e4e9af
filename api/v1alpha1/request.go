package v1alpha1

// Request describes what a route accepts.
type Request struct {
	// parameters are what is read from the path, the query and the headers. At most 32.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=32
	Parameters []Parameter `json:"parameters,omitempty"`

	// schema is the JSON Schema (draft 2020-12) of the body. A body that does not match is answered 422; defaults are
	// filled in.
	// +optional
	// +kubebuilder:validation:Type=object
	// +kubebuilder:pruning:PreserveUnknownFields
	Schema *JSON `json:"schema,omitempty"`

	// assertFormats makes the keyword format a rule. Default: false, which makes it an annotation.
	// +optional
	AssertFormats *bool `json:"assertFormats,omitempty"`

	// echoInput repeats in a 422 the values that were refused. Default: false.
	// +optional
	EchoInput *bool `json:"echoInput,omitempty"`

	// allowAnyContentType takes a body for JSON whatever its Content-Type says, and without one. Default: false, which answers
	// 415: a web page may post such bodies to every address that its reader's browser can reach.
	// +optional
	AllowAnyContentType *bool `json:"allowAnyContentType,omitempty"`
}
