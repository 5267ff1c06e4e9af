package v1alpha1

// Model is one name that the OpenAI-compatible endpoint under /v1 serves.
type Model struct {
	// name is what clients put into the request's member model: at most 128 letters, digits and -._:/@+, beginning
	// with a letter or digit.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=128
	// +kubebuilder:validation:Pattern=`^[A-Za-z0-9][-A-Za-z0-9._:/@+]*$`
	Name string `json:"name,omitempty"`

	// upstreams are the names of upstreams in order of preference, from 1 to 8. The next one is asked where one fails
	// before its first content event.
	// +required
	// +listType=atomic
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=8
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=63
	Upstreams []string `json:"upstreams,omitempty"`
}
