package v1alpha1

// StreamFormat selects the format of a streamed answer's events.
//
// +kubebuilder:validation:Enum=OpenAI;Text;JSON
type StreamFormat string

// The formats of a streamed answer.
const (
	// FormatOpenAI has OpenAI's chat completion chunks.
	FormatOpenAI StreamFormat = "OpenAI"
	// FormatText has a token's text as an event's data.
	FormatText StreamFormat = "Text"
	// FormatJSON has an event delta with the member text for each token.
	FormatJSON StreamFormat = "JSON"
)

// StreamCommit selects when a streamed answer begins.
//
// +kubebuilder:validation:Enum=Immediately;AfterValidation
type StreamCommit string

// When a streamed answer begins.
const (
	// CommitImmediately begins at the first token.
	CommitImmediately StreamCommit = "Immediately"
	// CommitAfterValidation begins once the whole answer has been checked.
	CommitAfterValidation StreamCommit = "AfterValidation"
)

// UnknownMembers selects what happens to members of an answer that its schema does not name.
//
// +kubebuilder:validation:Enum=Drop;Keep
type UnknownMembers string

// What happens to members that a schema does not name.
const (
	// UnknownMembersDrop leaves them out.
	UnknownMembersDrop UnknownMembers = "Drop"
	// UnknownMembersKeep sends them.
	UnknownMembersKeep UnknownMembers = "Keep"
)

// The members of a Response are counted, because CEL cannot see body, which has no type. The config's own validation checks
// that stream and body are not combined.

// Response describes the answer of a route: stream, or body, or events with or without body, or location.
//
// +kubebuilder:validation:MinProperties=1
// +kubebuilder:validation:XValidation:rule="!has(self.stream) || !has(self.events)",message="stream and events exclude each other"
// +kubebuilder:validation:XValidation:rule="has(self.stream) || !has(self.format)",message="format is forbidden without stream"
// +kubebuilder:validation:XValidation:rule="!has(self.commit) || has(self.stream) && (self.commit == 'Immediately' || has(self.schema))",message="commit is forbidden without stream, and AfterValidation without schema"
// +kubebuilder:validation:XValidation:rule="has(self.stream) || has(self.events) || !has(self.keepAlive)",message="keepAlive is forbidden without stream or events"
// +kubebuilder:validation:XValidation:rule="!has(self.unknownMembers) || has(self.schema) && !has(self.stream)",message="unknownMembers is forbidden without schema, and with stream"
type Response struct {
	// stream is the name of the last step, whose tokens are the answer: a chat, an agent, or a gather of them with the
	// strategy First or Fallback.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	Stream string `json:"stream,omitempty"`

	// format is the format of stream's events: OpenAI, with chat completion chunks; Text, with a token's text as an event's
	// data; or JSON, with {"text": TOKEN}. Default: OpenAI.
	// +optional
	Format StreamFormat `json:"format,omitempty"`

	// body is a JSON value whose strings are templates, such as {"answer": "${steps.answer.text}"}. With events, it is the
	// data of the event result.
	// +optional
	// +kubebuilder:validation:Schemaless
	// +kubebuilder:pruning:PreserveUnknownFields
	Body *JSON `json:"body,omitempty"`

	// events turns the answer into a stream of named events.
	// +optional
	Events *Events `json:"events,omitempty"`

	// status is the status of a whole answer: from 200 to 299, or with location 301, 302, 303, 307 or 308. 204 has no body.
	// Default: 200, or 307 with location.
	// +optional
	// +kubebuilder:validation:Minimum=200
	// +kubebuilder:validation:Maximum=308
	Status int32 `json:"status,omitempty"`

	AnswerHead `json:",inline"`

	// schema is the JSON Schema (draft 2020-12) of body, or of stream's text, which is read as JSON unless the schema's type
	// is string. An answer that does not match is a 502, or ends its stream with an error event.
	// +optional
	// +kubebuilder:validation:Type=object
	// +kubebuilder:pruning:PreserveUnknownFields
	Schema *JSON `json:"schema,omitempty"`

	// unknownMembers selects what happens to members of body, at every level, that schema does not name: Drop leaves them out, as
	// FastAPI does with a response_model, and Keep sends them. Default: Drop.
	// +optional
	UnknownMembers UnknownMembers `json:"unknownMembers,omitempty"`

	// commit says when stream begins: Immediately, or AfterValidation, which sends nothing before the whole answer has been
	// checked against schema. Default: Immediately.
	// +optional
	Commit StreamCommit `json:"commit,omitempty"`

	// keepAlive is the silence after which a stream gets a comment, such as 15s. The answer then begins before the steps are done, so
	// it cannot be used with AfterValidation. At least 1s. Default: no comments.
	// +optional
	// +kubebuilder:validation:XValidation:rule="duration(self) >= duration('1s')",message="must be at least 1s"
	KeepAlive Duration `json:"keepAlive,omitempty"`
}

// Events describes the events of a stream, in addition to body at its end.
type Events struct {
	// steps are the names of the chats and agents whose tokens are sent as they arrive, and of the steps set and call whose values are
	// sent; a branch of a gather is named GATHER.BRANCH. A gather of First or Fallback stands for its winner, another for each of
	// its branches that has tokens. From 1 to 16.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=16
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=127
	Steps []string `json:"steps,omitempty"`

	// progress adds an event for the start and the end of each step, and of each call of an agent's tool. Default: false.
	// +optional
	Progress *bool `json:"progress,omitempty"`

	// ids gives each event an id, which counts from 1 in each stream. Default: false.
	// +optional
	IDs *bool `json:"ids,omitempty"`

	// retry is how long browsers wait before they connect again, such as 5s, from 100ms to 1h; the first event has it, in
	// milliseconds. Default: the client's own.
	// +optional
	// +kubebuilder:validation:XValidation:rule="duration(self) >= duration('100ms') && duration(self) <= duration('1h')",message="must be from 100ms to 1h"
	Retry Duration `json:"retry,omitempty"`
}
