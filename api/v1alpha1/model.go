package v1alpha1

// Model is one model that the OpenAI-compatible API under /v1 serves.
type Model struct {
	// name is the name that clients send as the request's model: at most 128 letters, digits and -._:/@+, beginning
	// with a letter or digit.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=128
	// +kubebuilder:validation:Pattern=`^[A-Za-z0-9][-A-Za-z0-9._:/@+]*$`
	Name string `json:"name,omitempty"`

	// upstreams are the names of upstreams in order of preference, from 1 to 8. If one fails before its first content
	// event, the next one is asked.
	// +required
	// +listType=atomic
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=8
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=63
	Upstreams []string `json:"upstreams,omitempty"`

	// keepAlive is the silence after which a stream gets a comment, such as 15s, also before its first event: some proxies cut
	// connections that are idle. It makes the answer begin before the upstream has answered: a failure is then an error event,
	// and not a status. If it is not set, no comments are sent.
	// +optional
	KeepAlive Duration `json:"keepAlive,omitempty"`
}
