package v1alpha1

// HTTPMethod is the HTTP method of a route or of a call.
//
// +kubebuilder:validation:Enum=GET;POST;PUT;PATCH;DELETE
type HTTPMethod string

// The methods that a route and a call may have.
const (
	MethodGet    HTTPMethod = "GET"
	MethodPost   HTTPMethod = "POST"
	MethodPut    HTTPMethod = "PUT"
	MethodPatch  HTTPMethod = "PATCH"
	MethodDelete HTTPMethod = "DELETE"
)

// Route is one typed endpoint of the service.
//
// +kubebuilder:validation:XValidation:rule="!has(self.maxStreamDuration) || has(self.response.stream) || has(self.response.events)",message="maxStreamDuration is forbidden without response.stream or response.events"
type Route struct {
	// path has segments of letters, digits and -._~, or {name} for a parameter whose name is letters, digits and
	// underscores and begins with a letter. At most 256 characters in all, without a slash at the end. /v1, /docs, /redoc
	// and /openapi.json, and what is below them, belong to the gateway.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=256
	// +kubebuilder:validation:Pattern=`^(/|(/(\.?[-A-Za-z0-9_~][-A-Za-z0-9._~]*|\{[A-Za-z][A-Za-z0-9_]{0,62}\}))+)$`
	// +kubebuilder:validation:XValidation:rule="!['/v1', '/docs', '/redoc', '/openapi.json'].exists(p, self == p || self.startsWith(p + '/'))",message="/v1, /docs, /redoc and /openapi.json belong to the gateway"
	Path string `json:"path,omitempty"`

	// method is the HTTP method: GET, POST, PUT, PATCH or DELETE. Default: POST.
	// +optional
	// +kubebuilder:default=POST
	Method HTTPMethod `json:"method,omitempty"`

	// summary describes the route in one line of the OpenAPI document. At most 256 characters.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=256
	Summary string `json:"summary,omitempty"`

	// description describes the route in the OpenAPI document, in Markdown. At most 4096 characters.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=4096
	Description string `json:"description,omitempty"`

	// tags group the route in the OpenAPI document. At most 16, of 64 characters.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=16
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=64
	Tags []string `json:"tags,omitempty"`

	// operationID is the operationId in the OpenAPI document, from which clients get a function's name: a letter, then letters,
	// digits and -_, at most 128 characters. Default: the method and the path, such as get_items_id.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=128
	// +kubebuilder:validation:Pattern=`^[A-Za-z][-A-Za-z0-9_]*$`
	OperationID string `json:"operationID,omitempty"`

	// deprecated says in the OpenAPI document that clients should stop using the route. Default: false.
	// +optional
	Deprecated *bool `json:"deprecated,omitempty"`

	// timeout limits a whole answer, and a streamed one until its first content event; after that, the upstream's idle and
	// maxStreamDuration apply. Default: 30s.
	// +optional
	// +kubebuilder:default="30s"
	Timeout Duration `json:"timeout,omitempty"`

	// maxStreamDuration limits a streamed answer as a whole, from the request to the last event, such as 30s. It must not exceed
	// runtime.maxStreamDuration, which is the default.
	// +optional
	MaxStreamDuration Duration `json:"maxStreamDuration,omitempty"`

	// budget limits the resources that one request may use.
	// +optional
	// +kubebuilder:default={}
	Budget *Budget `json:"budget,omitempty"`

	// request describes the requests that the route accepts. Default: any JSON body.
	// +optional
	Request *Request `json:"request,omitempty"`

	// dependencies are functions that run in order before the steps, after those of the service, and may refuse the request.
	// Templates read their results as dependencies.NAME. At most 8.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=8
	Dependencies []Dependency `json:"dependencies,omitempty"`

	// steps are the steps of the route, in order. At most 16; it may be empty only if the answer is response.body.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=16
	Steps []Step `json:"steps,omitempty"`

	// response describes the answer of the route.
	// +required
	Response Response `json:"response,omitzero"` //nolint:kubeapilinter // it takes the embedded AnswerHead for a member
}
