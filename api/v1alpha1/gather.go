package v1alpha1

// GatherStrategy selects how a gather combines its branches.
//
// +kubebuilder:validation:Enum=All;AllSettled;First;Fallback;Vote
type GatherStrategy string

// The strategies of a gather. docs/steps.md has these texts.
const (
	// GatherAll returns when all branches have ended. If a required branch fails, the others are cancelled, and the step fails
	// with its error. The value has a member for each branch: `BRANCH`.
	GatherAll GatherStrategy = "All"
	// GatherAllSettled returns when all branches have ended, and cancels none. If required branches have failed, the step fails.
	// The value has a member `BRANCH` for each branch, and `errors.BRANCH`, with `code` and `message`, for those that failed.
	GatherAllSettled GatherStrategy = "AllSettled"
	// GatherFirst returns with the first success, and cancels the other branches. If all have failed, the step fails. The value is
	// `branch`, `value` and `text`.
	GatherFirst GatherStrategy = "First"
	// GatherFallback tries the branches in order, and returns with the first success. A branch that is too slow is cancelled when
	// the next one starts. If all have failed, the step fails. The value is `branch`, `value` and `text`.
	GatherFallback GatherStrategy = "Fallback"
	// GatherVote returns the value on which most branches agree, as soon as no missing vote could change it, and cancels the
	// branches that have not voted. Without a winner, the step fails with `vote_undecided` or a branch's error. The value is `key`,
	// `branch`, `value` and `votes`.
	GatherVote GatherStrategy = "Vote"
)

// TiesPolicy selects the result of a vote without a quorum.
//
// +kubebuilder:validation:Enum=Fail;MostVotes
type TiesPolicy string

// The results of a vote without a quorum.
const (
	// TiesFail fails the step.
	TiesFail TiesPolicy = "Fail"
	// TiesMostVotes takes the key with the most votes; of several, the one with the earliest branch.
	TiesMostVotes TiesPolicy = "MostVotes"
)

// Gather makes several calls, in parallel or one after the other.
//
// +kubebuilder:validation:XValidation:rule="self.strategy == 'First' || !has(self.first)",message="first is forbidden unless strategy is First"
// +kubebuilder:validation:XValidation:rule="self.strategy == 'Fallback' || !has(self.fallback)",message="fallback is forbidden unless strategy is Fallback"
// +kubebuilder:validation:XValidation:rule="self.strategy == 'Vote' ? has(self.vote) : !has(self.vote)",message="vote is required when strategy is Vote, and forbidden otherwise"
// +kubebuilder:validation:XValidation:rule="!(self.strategy in ['First', 'Fallback']) || self.branches.size() <= 8",message="branches must have at most 8 items when strategy is First or Fallback"
type Gather struct {
	// strategy is All, which fails when a required branch does; AllSettled, which waits for all; First, which takes the first
	// success; Fallback, which tries them in order; or Vote, which takes the most frequent value.
	// +unionDiscriminator
	// +required
	Strategy GatherStrategy `json:"strategy,omitempty"`

	// branches are the calls, from 2 to 16; at most 8 with First and Fallback.
	// +required
	// +listType=atomic
	// +kubebuilder:validation:MinItems=2
	// +kubebuilder:validation:MaxItems=16
	Branches []Branch `json:"branches,omitempty"`

	// first configures the strategy First.
	// +unionMember
	// +optional
	First *First `json:"first,omitempty"`

	// fallback configures the strategy Fallback.
	// +unionMember
	// +optional
	Fallback *Fallback `json:"fallback,omitempty"`

	// vote configures the strategy Vote.
	// +unionMember
	// +optional
	Vote *Vote `json:"vote,omitempty"`
}

// Branch is one of a gather's calls. Exactly one kind is set.
//
// +kubebuilder:validation:ExactlyOneOf=chat;embeddings;http;call;agent
type Branch struct {
	// name is the name of the branch in templates: at most 63 letters, digits and underscores, beginning with a letter.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:Pattern=`^[A-Za-z][A-Za-z0-9_]*$`
	Name string `json:"name,omitempty"`

	// required makes the gather fail if the branch fails. Only for All (default: true) and AllSettled (default: false).
	// +optional
	Required *bool `json:"required,omitempty"`

	// when is an expression of at most 4096 characters. If it is false, the branch is left out.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=4096
	When string `json:"when,omitempty"`

	// timeout limits the branch, such as 5s, within the timeouts around it.
	// +optional
	Timeout Duration `json:"timeout,omitempty"`

	// onError is what happens if the branch fails.
	// +optional
	OnError *OnError `json:"onError,omitempty"`

	Action `json:",inline"`
}

// First configures the strategy of that name.
type First struct {
	// hedgeDelay is the time that a branch runs before the next one starts, too, such as 300ms. Default: all start at the
	// same time.
	// +optional
	HedgeDelay Duration `json:"hedgeDelay,omitempty"`
}

// Fallback configures the strategy of that name.
type Fallback struct {
	// firstToken limits the wait for a branch's first content event, or whole answer, such as 2s; then the next is tried. The last
	// that may run is not limited. Default: only the branch's own timeouts.
	// +optional
	FirstToken Duration `json:"firstToken,omitempty"`
}

// Vote configures the strategy of that name.
type Vote struct {
	// key is an expression over result, a branch's value, such as ${result.text}; branches with equal keys vote for the
	// same value. At most 4096 characters.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=4096
	Key string `json:"key,omitempty"`

	// quorum is the number of votes that decide, from 1 to 16. Default: more than half of the branches.
	// +optional
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=16
	Quorum int32 `json:"quorum,omitempty"`

	// ties is the result of a vote without a quorum: Fail, or MostVotes. Default: Fail.
	// +optional
	// +kubebuilder:default=Fail
	Ties TiesPolicy `json:"ties,omitempty"`
}
