package v1alpha1

// RouteMethod is the HTTP method of a route.
//
// +kubebuilder:validation:Enum=GET;POST;PUT;PATCH;DELETE
type RouteMethod string

// The methods that a route may have.
const (
	RouteGet    RouteMethod = "GET"
	RoutePost   RouteMethod = "POST"
	RoutePut    RouteMethod = "PUT"
	RoutePatch  RouteMethod = "PATCH"
	RouteDelete RouteMethod = "DELETE"
)

// MessageRole says who speaks in a message.
//
// +kubebuilder:validation:Enum=system;user;assistant
type MessageRole string

// The roles that a message may have: those of OpenAI's chat completions, in their spelling.
const (
	RoleSystem    MessageRole = "system"
	RoleUser      MessageRole = "user"
	RoleAssistant MessageRole = "assistant"
)

// Route is one typed endpoint of the service.
type Route struct {
	// path is matched as it stands: segments of letters, digits and -._~, of at most 256 characters in all, without a
	// slash at the end. /v1, /docs and /openapi.json, and what is below them, belong to the gateway.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=256
	// +kubebuilder:validation:Pattern=`^(/|(/\.?[-A-Za-z0-9_~][-A-Za-z0-9._~]*)+)$`
	// +kubebuilder:validation:XValidation:rule="!['/v1', '/docs', '/openapi.json'].exists(p, self == p || self.startsWith(p + '/'))",message="/v1, /docs and /openapi.json belong to the gateway"
	Path string `json:"path,omitempty"`

	// method is the HTTP method. Default: POST.
	// +optional
	// +kubebuilder:default=POST
	Method RouteMethod `json:"method,omitempty"`

	// summary describes the route in one line of the OpenAPI document. At most 256 characters.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=256
	Summary string `json:"summary,omitempty"`

	// timeout bounds a whole answer, and a streamed one until its first content event; then the upstream's idle and
	// runtime.maxStreamDuration rule. Default: 30s.
	// +optional
	// +kubebuilder:default="30s"
	Timeout Duration `json:"timeout,omitempty"`

	// request describes what the route accepts. Without it any JSON body is.
	// +optional
	Request *Request `json:"request,omitempty"`

	// steps are the route's work, in order. Exactly one.
	// +required
	// +listType=atomic
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=1
	Steps []Step `json:"steps,omitempty"`

	// response says what the route answers.
	// +required
	Response Response `json:"response,omitzero"`
}

// Request describes what a route accepts.
type Request struct {
	// schema is the JSON Schema (draft 2020-12) of the body. A body that does not match is answered 422.
	// +optional
	// +kubebuilder:validation:Type=object
	// +kubebuilder:pruning:PreserveUnknownFields
	Schema *JSON `json:"schema,omitempty"`
}

// Step is one piece of a route's work. Exactly one kind is set; chat is the only one.
//
// +kubebuilder:validation:ExactlyOneOf=chat
type Step struct {
	// name is what the response and templates call the step: at most 63 letters, digits and underscores, beginning
	// with a letter.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:Pattern=`^[A-Za-z][A-Za-z0-9_]*$`
	Name string `json:"name,omitempty"`

	// chat asks an upstream's model for a completion.
	// +optional
	Chat *Chat `json:"chat,omitempty"`
}

// Chat asks an upstream's model for a completion.
type Chat struct {
	// upstream is the name of an upstream.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	Upstream string `json:"upstream,omitempty"`

	// messages are the turns of the chat, from 1 to 64.
	// +required
	// +listType=atomic
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=64
	Messages []Message `json:"messages,omitempty"`

	// parameters are further members of the upstream's request, such as temperature and max_tokens.
	// +optional
	// +kubebuilder:validation:Type=object
	// +kubebuilder:pruning:PreserveUnknownFields
	Parameters *JSON `json:"parameters,omitempty"`
}

// Message is one turn of a chat.
type Message struct {
	// role says who speaks: system, user or assistant.
	// +required
	Role MessageRole `json:"role,omitempty"`

	// content is a template of at most 65536 characters, such as "Answer: ${request.body.question}".
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=65536
	Content string `json:"content,omitempty"`
}

// The members of a Response are counted, because CEL does not see body, which has no type.

// Response says what a route answers. Exactly one member is set.
//
// +kubebuilder:validation:MinProperties=1
// +kubebuilder:validation:MaxProperties=1
type Response struct {
	// stream is the name of the step whose events are the answer.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	Stream string `json:"stream,omitempty"`

	// body is a JSON value whose strings are templates, such as {"answer": "${steps.answer.text}"}.
	// +optional
	// +kubebuilder:validation:Schemaless
	// +kubebuilder:pruning:PreserveUnknownFields
	Body *JSON `json:"body,omitempty"`
}
