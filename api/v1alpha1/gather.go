package v1alpha1

// GatherStrategy selects what a gather makes of its branches.
//
// +kubebuilder:validation:Enum=All;AllSettled;First;Fallback;Vote
type GatherStrategy string

// The strategies of a gather.
const (
	// GatherAll wants every required branch; the first that fails cancels the rest.
	GatherAll GatherStrategy = "All"
	// GatherAllSettled waits for every branch, and has its value or its error.
	GatherAllSettled GatherStrategy = "AllSettled"
	// GatherFirst takes the first branch that succeeds, and cancels the rest.
	GatherFirst GatherStrategy = "First"
	// GatherFallback tries the branches in order until one succeeds.
	GatherFallback GatherStrategy = "Fallback"
	// GatherVote takes the value on which most branches agree.
	GatherVote GatherStrategy = "Vote"
)

// TiesPolicy selects what a vote without a quorum comes to.
//
// +kubebuilder:validation:Enum=Fail;MostVotes
type TiesPolicy string

// What a vote without a quorum comes to.
const (
	// TiesFail fails the step.
	TiesFail TiesPolicy = "Fail"
	// TiesMostVotes takes the key with most votes, and of several the one whose first branch stands first.
	TiesMostVotes TiesPolicy = "MostVotes"
)

// Gather makes several calls at once.
//
// +kubebuilder:validation:XValidation:rule="self.strategy == 'First' || !has(self.first)",message="first is forbidden where strategy is not First"
// +kubebuilder:validation:XValidation:rule="self.strategy == 'Fallback' || !has(self.fallback)",message="fallback is forbidden where strategy is not Fallback"
// +kubebuilder:validation:XValidation:rule="self.strategy == 'Vote' ? has(self.vote) : !has(self.vote)",message="vote is required where strategy is Vote, and forbidden otherwise"
// +kubebuilder:validation:XValidation:rule="!(self.strategy in ['First', 'Fallback']) || self.branches.size() <= 8",message="First and Fallback have at most 8 branches"
type Gather struct {
	// strategy is All, which fails with the first required branch that does; AllSettled, which waits for all; First, which
	// takes the first success and cancels the rest; Fallback, which tries one branch after the other; or Vote, which takes
	// the value on which most branches agree.
	// +unionDiscriminator
	// +required
	Strategy GatherStrategy `json:"strategy,omitempty"`

	// branches are the calls, from 2 to 16, with First and Fallback at most 8.
	// +required
	// +listType=atomic
	// +kubebuilder:validation:MinItems=2
	// +kubebuilder:validation:MaxItems=16
	Branches []Branch `json:"branches,omitempty"`

	// first sets the strategy First.
	// +unionMember
	// +optional
	First *First `json:"first,omitempty"`

	// fallback sets the strategy Fallback.
	// +unionMember
	// +optional
	Fallback *Fallback `json:"fallback,omitempty"`

	// vote sets the strategy Vote.
	// +unionMember
	// +optional
	Vote *Vote `json:"vote,omitempty"`
}

// Branch is one of a gather's calls. Exactly one kind is set.
//
// +kubebuilder:validation:ExactlyOneOf=chat;embeddings;http;call;agent
type Branch struct {
	// name is what templates call the branch: at most 63 letters, digits and underscores, beginning with a letter.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:Pattern=`^[A-Za-z][A-Za-z0-9_]*$`
	Name string `json:"name,omitempty"`

	// required fails the gather where the branch fails. For All, where it defaults to true, and AllSettled, where it
	// defaults to false.
	// +optional
	Required *bool `json:"required,omitempty"`

	// when is an expression of at most 4096 characters. Where it is false the branch is left out.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=4096
	When string `json:"when,omitempty"`

	// timeout bounds the branch, such as 5s, within the timeouts of what is around it.
	// +optional
	Timeout Duration `json:"timeout,omitempty"`

	// onError says what happens where the branch fails.
	// +optional
	OnError *OnError `json:"onError,omitempty"`

	Action `json:",inline"`
}

// First sets the strategy of that name.
type First struct {
	// hedgeDelay is how long a branch runs before the next one starts beside it, such as 300ms. Without it all start
	// at once.
	// +optional
	HedgeDelay Duration `json:"hedgeDelay,omitempty"`
}

// Fallback sets the strategy of that name.
type Fallback struct {
	// firstToken bounds the wait for a branch's first content event, or whole answer, such as 2s. Then the next branch is
	// tried. Without it the branch's own timeouts do.
	// +optional
	FirstToken Duration `json:"firstToken,omitempty"`
}

// Vote sets the strategy of that name.
type Vote struct {
	// key is an expression over result, a branch's value, such as ${result.text}; equal keys are votes for the same. At
	// most 4096 characters.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=4096
	Key string `json:"key,omitempty"`

	// quorum is how many votes decide, from 1 to 16. Default: more than half of the branches.
	// +optional
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=16
	Quorum int32 `json:"quorum,omitempty"`

	// ties says what a vote without a quorum comes to: Fail, or MostVotes. Default: Fail.
	// +optional
	// +kubebuilder:default=Fail
	Ties TiesPolicy `json:"ties,omitempty"`
}
