package v1alpha1

// StepOnErrorType selects what happens where a step of a route fails.
//
// +kubebuilder:validation:Enum=Continue;Value;Respond
type StepOnErrorType string

// OnErrorType selects what happens where a step of a function, a branch, or the call of a forEach fails.
//
// +kubebuilder:validation:Enum=Continue;Value
type OnErrorType string

// What may happen where something fails.
const (
	// OnErrorContinue goes on, and the value is missing.
	OnErrorContinue = "Continue"
	// OnErrorValue goes on with another value.
	OnErrorValue = "Value"
	// OnErrorRespond ends the route with an answer. For the steps of routes alone.
	OnErrorRespond = "Respond"
)

// CEL does not see value, which has no type: that it goes with its type is for the config's own validation.

// StepOnError says what happens where a step of a route fails. Its templates read the failure as error.code and error.message.
//
// +kubebuilder:validation:XValidation:rule="self.type == 'Respond' ? has(self.respond) : !has(self.respond)",message="respond is required where type is Respond, and forbidden otherwise"
type StepOnError struct {
	// type is Continue, which leaves the step's value missing, Value, or Respond.
	// +unionDiscriminator
	// +required
	Type StepOnErrorType `json:"type,omitempty"`

	// value is the step's value instead: a JSON value whose strings are templates. For Value.
	// +unionMember
	// +optional
	// +kubebuilder:validation:Schemaless
	// +kubebuilder:pruning:PreserveUnknownFields
	Value *JSON `json:"value,omitempty"`

	// respond ends the route with an answer. For Respond.
	// +unionMember
	// +optional
	Respond *Respond `json:"respond,omitempty"`
}

// OnError says what happens where a step of a function, a branch, or the call of a forEach fails. Its templates read the
// failure as error.code and error.message.
type OnError struct {
	// type is Continue, which leaves the value missing, or Value.
	// +unionDiscriminator
	// +required
	Type OnErrorType `json:"type,omitempty"`

	// value is the value instead: a JSON value whose strings are templates. For Value.
	// +unionMember
	// +optional
	// +kubebuilder:validation:Schemaless
	// +kubebuilder:pruning:PreserveUnknownFields
	Value *JSON `json:"value,omitempty"`
}
