package v1alpha1

// Model is one model that the OpenAI-compatible API under /v1 serves. Either upstreams or route is set.
//
// +kubebuilder:validation:ExactlyOneOf=upstreams;route
// +kubebuilder:validation:XValidation:rule="!has(self.weights) || has(self.upstreams) && self.weights.all(w, w.upstream in self.upstreams)",message="weights may name the model's own upstreams only"
// +kubebuilder:validation:XValidation:rule="!has(self.weights) || self.weights.exists(w, w.weight > 0)",message="weights must have one above 0"
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
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=8
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=63
	Upstreams []string `json:"upstreams,omitempty"`

	// weights split the requests between upstreams: the first to be asked is drawn by weight, and so is the one after a failure.
	// Upstreams without a weight, or with 0, come after the others, in order. From 1 to 8. Default: all are asked in order.
	// +optional
	// +listType=map
	// +listMapKey=upstream
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=8
	Weights []Share `json:"weights,omitempty"`

	// route answers the model's chat completions and responses with a route of this service.
	// +optional
	Route *ModelRoute `json:"route,omitempty"`

	// keepAlive is the silence after which a stream gets a comment, such as 15s, also before its first event: some proxies cut idle
	// connections. The answer then begins before the upstream has answered, and a failure is an error event and not a status. At
	// least 1s. Default: no comments.
	// +optional
	// +kubebuilder:validation:XValidation:rule="duration(self) >= duration('1s')",message="must be at least 1s"
	KeepAlive Duration `json:"keepAlive,omitempty"`
}

// ModelRoute is how a conversation becomes a request of a route.
type ModelRoute struct {
	// path is the path of the route, whose method is POST. At most 256 characters.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=256
	Path string `json:"path,omitempty"`

	// body is the request's body: a JSON value whose strings are templates over conversation, such as
	// {"question": "${conversation.lastMessage}"}.
	// +required
	// +kubebuilder:validation:Schemaless
	// +kubebuilder:pruning:PreserveUnknownFields
	Body *JSON `json:"body,omitempty"`
}

// Share is an upstream's share of a model's requests.
type Share struct {
	// upstream is the name of one of the model's upstreams.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	Upstream string `json:"upstream,omitempty"`

	// weight is the share, in proportion to the sum of all weights: from 0 to 1000.
	// +required
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=1000
	Weight *int32 `json:"weight,omitempty"`
}
