package v1alpha1

// Embeddings asks an upstream's model for vectors.
type Embeddings struct {
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

	// input is a template for a text, or an expression for a list of texts. At most 65536 characters.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=65536
	Input string `json:"input,omitempty"`

	// parameters are further members of the request, such as dimensions; strings are templates.
	// +optional
	// +kubebuilder:validation:Type=object
	// +kubebuilder:pruning:PreserveUnknownFields
	Parameters *JSON `json:"parameters,omitempty"`
}
