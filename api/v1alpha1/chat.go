package v1alpha1

// MessageRole is who speaks in a message.
//
// +kubebuilder:validation:Enum=system;user;assistant
type MessageRole string

// The roles that a message may have: those of OpenAI's chat completions, in their spelling.
const (
	RoleSystem    MessageRole = "system"
	RoleUser      MessageRole = "user"
	RoleAssistant MessageRole = "assistant"
)

// Chat asks an upstream's model for a completion.
type Chat struct {
	// upstream is the name of an upstream of type OpenAI, or an expression for one.
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

	// messages are the turns of the chat, from 1 to 64.
	// +required
	// +listType=atomic
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=64
	Messages []Message `json:"messages,omitempty"` //nolint:kubeapilinter // Message's rule says what each has

	// parameters are further members of the upstream's request, such as temperature; strings are templates.
	// +optional
	// +kubebuilder:validation:Type=object
	// +kubebuilder:pruning:PreserveUnknownFields
	Parameters *JSON `json:"parameters,omitempty"`

	// output turns the answer into a JSON value.
	// +optional
	Output *Output `json:"output,omitempty"`
}

// Message is one turn of a chat, or a list of turns.
//
// +kubebuilder:validation:XValidation:rule="has(self.history) ? !has(self.role) && !has(self.content) : has(self.role) && has(self.content)",message="set role and content, or only history"
type Message struct {
	// role is who speaks: system, user or assistant.
	// +optional
	Role MessageRole `json:"role,omitempty"`

	// content is a template of at most 65536 characters.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=65536
	Content string `json:"content,omitempty"`

	// history is an expression for a list of messages, such as ${request.body.messages}. At most 4096 characters.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=4096
	History string `json:"history,omitempty"`
}

// ResponseFormat is how an upstream is asked for JSON.
//
// +kubebuilder:validation:Enum=Schema;JSONObject;Nothing
type ResponseFormat string

// The ways in which an upstream may be asked for JSON.
const (
	// ResponseSchema asks for JSON that follows the schema, as OpenAI's structured outputs do.
	ResponseSchema ResponseFormat = "Schema"
	// ResponseJSONObject asks for any JSON object; OpenAI requires that the messages ask for JSON, too.
	ResponseJSONObject ResponseFormat = "JSONObject"
	// ResponseNothing sends no response_format: only the messages ask.
	ResponseNothing ResponseFormat = "Nothing"
)

// Output turns a model's answer into a JSON value.
type Output struct {
	// schema is the JSON Schema (draft 2020-12) of the value.
	// +required
	// +kubebuilder:validation:Type=object
	// +kubebuilder:pruning:PreserveUnknownFields
	Schema *JSON `json:"schema,omitempty"`

	// responseFormat is how the upstream is asked for JSON: by a response_format, Schema or JSONObject, or by Nothing but the
	// messages. The answer is always checked. Default: Schema.
	// +optional
	// +kubebuilder:default=Schema
	ResponseFormat ResponseFormat `json:"responseFormat,omitempty"`

	// repairAttempts is how often an invalid answer is sent back with its mistakes, from 0 to 5. Default: 1.
	// +optional
	// +kubebuilder:default=1
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=5
	RepairAttempts *int32 `json:"repairAttempts,omitempty"`
}
