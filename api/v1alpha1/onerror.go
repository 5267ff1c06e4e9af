package v1alpha1

// StepOnErrorType selects what happens if a step fails.
//
// +kubebuilder:validation:Enum=Continue;Value;Respond
type StepOnErrorType string

// OnErrorType selects what happens if a branch, or the call of a forEach fails.
//
// +kubebuilder:validation:Enum=Continue;Value
type OnErrorType string

// The reactions to a failure.
const (
	// OnErrorContinue goes on, and the value is missing.
	OnErrorContinue = "Continue"
	// OnErrorValue goes on with another value.
	OnErrorValue = "Value"
	// OnErrorRespond ends the route with an answer. Only for steps.
	OnErrorRespond = "Respond"
)

// CEL cannot see value, which has no type, so the config's own validation checks that it goes with its type.

// StepOnError is what happens if a step of a route fails. Its templates read the failure as error.code and error.message.
//
// +kubebuilder:validation:XValidation:rule="self.type == 'Respond' ? has(self.respond) : !has(self.respond)",message="respond is required when type is Respond, and forbidden otherwise"
type StepOnError struct {
	// type is Continue, which leaves the step's value missing, Value, or Respond.
	// +unionDiscriminator
	// +required
	Type StepOnErrorType `json:"type,omitempty"`

	// value replaces the step's value: a JSON value whose strings are templates. Only for Value.
	// +unionMember
	// +optional
	// +kubebuilder:validation:Schemaless
	// +kubebuilder:pruning:PreserveUnknownFields
	Value *JSON `json:"value,omitempty"`

	// respond ends the route with an answer. Only for Respond.
	// +unionMember
	// +optional
	Respond *Respond `json:"respond,omitempty"`
}

// FunctionStepOnError is what happens if a step of a function fails. Its templates read error.code and error.message.
//
// +kubebuilder:validation:XValidation:rule="self.type == 'Respond' ? has(self.respond) : !has(self.respond)",message="respond is required when type is Respond, and forbidden otherwise"
type FunctionStepOnError struct {
	// type is Continue, which leaves the value missing, Value, or Respond.
	// +unionDiscriminator
	// +required
	Type StepOnErrorType `json:"type,omitempty"`

	// value replaces the missing value: a JSON value whose strings are templates. Only for Value.
	// +unionMember
	// +optional
	// +kubebuilder:validation:Schemaless
	// +kubebuilder:pruning:PreserveUnknownFields
	Value *JSON `json:"value,omitempty"`

	// respond refuses the request, if the function is a dependency. Only for Respond.
	// +unionMember
	// +optional
	Respond *Refusal `json:"respond,omitempty"`
}

// OnError is what happens if a branch, or the call of a forEach fails. Its templates read the
// failure as error.code and error.message.
type OnError struct {
	// type is Continue, which leaves the value missing, or Value.
	// +unionDiscriminator
	// +required
	Type OnErrorType `json:"type,omitempty"`

	// value replaces the missing value: a JSON value whose strings are templates. Only for Value.
	// +unionMember
	// +optional
	// +kubebuilder:validation:Schemaless
	// +kubebuilder:pruning:PreserveUnknownFields
	Value *JSON `json:"value,omitempty"`
}
