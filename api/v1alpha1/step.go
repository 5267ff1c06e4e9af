package v1alpha1

// Descriptions from here on are short: the kinds of a step are in the schema six times, because it cannot recurse.

// Step is one piece of a route's work. Exactly one kind is set.
//
// +kubebuilder:validation:ExactlyOneOf=chat;embeddings;http;call;agent;gather;forEach;set;respond
type Step struct {
	StepBase `json:",inline"`

	// onError is what happens if the step fails. Default: the route fails.
	// +optional
	OnError *StepOnError `json:"onError,omitempty"`

	// respond ends the route with an answer. It must come before the step that streams.
	// +optional
	Respond *Respond `json:"respond,omitempty"`
}

// A step of a function is one piece of its work. Exactly one kind is set.
//
// +kubebuilder:validation:ExactlyOneOf=chat;embeddings;http;call;agent;gather;forEach;set;respond
type FunctionStep struct {
	StepBase `json:",inline"`

	// onError is what happens if the step fails. Default: the function fails.
	// +optional
	OnError *FunctionStepOnError `json:"onError,omitempty"`

	// respond refuses the request, if the function is a dependency.
	// +optional
	Respond *Refusal `json:"respond,omitempty"`
}

// StepBase has the members that steps of routes and functions share.
type StepBase struct {
	// name is the name of the step in the response and in templates: at most 63 letters, digits and underscores, beginning
	// with a letter.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:Pattern=`^[A-Za-z][A-Za-z0-9_]*$`
	Name string `json:"name,omitempty"`

	// when is an expression such as ${request.body.deep} of at most 4096 characters. If it is false, the step is skipped
	// and its value is missing.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=4096
	When string `json:"when,omitempty"`

	// timeout limits the step, such as 5s, within the timeouts around it.
	// +optional
	Timeout Duration `json:"timeout,omitempty"`

	Action `json:",inline"`

	// gather makes several calls, in parallel or one after the other.
	// +optional
	Gather *Gather `json:"gather,omitempty"`

	// forEach makes one call for each item of a list.
	// +optional
	ForEach *ForEach `json:"forEach,omitempty"`

	// set names a value.
	// +optional
	Set *Set `json:"set,omitempty"`
}

// Action is a call: the kinds that steps, branches and forEach share.
type Action struct {
	// chat asks a model for a completion.
	// +optional
	Chat *Chat `json:"chat,omitempty"`

	// embeddings asks a model for vectors.
	// +optional
	Embeddings *Embeddings `json:"embeddings,omitempty"`

	// http makes one HTTP request.
	// +optional
	HTTP *HTTPCall `json:"http,omitempty"`

	// call calls a function.
	// +optional
	Call *Call `json:"call,omitempty"`

	// agent lets a model call functions until it has an answer.
	// +optional
	Agent *Agent `json:"agent,omitempty"`
}

// Set names a value.
type Set struct {
	// value is a JSON value whose strings are templates.
	// +required
	// +kubebuilder:validation:Schemaless
	// +kubebuilder:pruning:PreserveUnknownFields
	Value JSON `json:"value,omitzero"`
}

// Respond ends a route with an answer.
type Respond struct {
	// status is the HTTP status, from 200 to 599.
	// +required
	// +kubebuilder:validation:Minimum=200
	// +kubebuilder:validation:Maximum=599
	Status int32 `json:"status,omitempty"`

	// body is a JSON value whose strings are templates.
	// +optional
	// +kubebuilder:validation:Schemaless
	// +kubebuilder:pruning:PreserveUnknownFields
	Body *JSON `json:"body,omitempty"`

	AnswerHead `json:",inline"`
}
