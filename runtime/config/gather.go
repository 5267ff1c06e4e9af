package config

import (
	"regexp"
	"slices"
	"strings"
)

// The strategies of a gather.
const (
	GatherAll        = "All"
	GatherAllSettled = "AllSettled"
	GatherFirst      = "First"
	GatherFallback   = "Fallback"
	GatherVote       = "Vote"
)

// Gather makes several calls at once.
type Gather struct {
	Strategy string    `json:"strategy"`
	Branches []Branch  `json:"branches"`
	First    *First    `json:"first,omitzero"`
	Fallback *Fallback `json:"fallback,omitzero"`
	Vote     *Vote     `json:"vote,omitzero"`
}

// Branch is one of a gather's calls.
type Branch struct {
	Name string `json:"name"`
	// Required makes the gather fail if the branch fails. If it is absent, All requires the branch and AllSettled does not. It is
	// not allowed with the other strategies.
	Required *bool    `json:"required,omitzero"`
	When     string   `json:"when,omitempty"`
	Timeout  Duration `json:"timeout,omitzero"`
	OnError  *OnError `json:"onError,omitzero"`
	Action
}

// First sets the strategy of that name.
type First struct {
	// HedgeDelay is how long the branches before one may run alone; 0 starts all at once.
	HedgeDelay Duration `json:"hedgeDelay,omitzero"`
}

// Fallback sets the strategy of that name.
type Fallback struct {
	// FirstToken bounds the wait for a branch's first content event, or whole answer, if another may run after it; 0 sets no bound.
	FirstToken Duration `json:"firstToken,omitzero"`
}

// What a vote without a quorum comes to.
const (
	TiesFail      = "Fail"
	TiesMostVotes = "MostVotes"
)

// Vote sets the strategy of that name.
type Vote struct {
	// Key is an expression over result, a branch's value; equal keys are votes for the same.
	Key string `json:"key"`
	// Quorum is how many votes decide; 0 is more than half of the branches.
	Quorum int    `json:"quorum,omitzero"`
	Ties   string `json:"ties"`
}

// Strategies has a method for each strategy: what is done with each of them is a type with these methods, so that none can be
// forgotten.
type Strategies[R any] interface {
	All() R
	AllSettled() R
	First() R
	Fallback() R
	Vote() R
}

// OfStrategy calls the strategy's method; false says that there is no such strategy.
func OfStrategy[R any](name string, s Strategies[R]) (R, bool) {
	switch name {
	case GatherAll:
		return s.All(), true
	case GatherAllSettled:
		return s.AllSettled(), true
	case GatherFirst:
		return s.First(), true
	case GatherFallback:
		return s.Fallback(), true
	case GatherVote:
		return s.Vote(), true
	}
	var none R
	return none, false
}

// Order is how the branches of a gather follow each other.
type Order int

const (
	// AtOnce begins all of them.
	AtOnce Order = iota + 1
	// Staggered begins the next one when the wait has passed or one has failed, at once if there is no wait.
	Staggered
	// InTurn begins the next one when the one before has failed, or has sent nothing for the wait.
	InTurn
)

// Strategy is what else there is to know of a way to gather. It is all that a worst case follows from.
type Strategy struct {
	Name  string
	Order Order
	// Wait is what Order waits for, by the field below gather that sets it. Nil means that it does not wait.
	Wait func(*Gather) (field string, wait Duration)
	// Own is the member of Gather that is for this strategy alone, and reports whether it is set. Nil for none.
	Own func(*Gather) (member string, set bool)
	// Needed is how many branches have to succeed; nil if each says itself whether it has to.
	Needed func(*Gather) int
	// Required reports whether a branch that does not say has to succeed.
	Required bool
	// MaxBranches bounds the branches.
	MaxBranches int
}

// AllStrategies are the strategies, in the order in which errors list them.
var AllStrategies = []Strategy{
	{Name: GatherAll, Order: AtOnce, Required: true, MaxBranches: MaxBranches},
	{Name: GatherAllSettled, Order: AtOnce, MaxBranches: MaxBranches},
	{
		Name: GatherFirst, Order: Staggered, Needed: one, MaxBranches: MaxRacers,
		Own: func(g *Gather) (string, bool) { return "first", g.First != nil },
		Wait: func(g *Gather) (string, Duration) {
			if g.First == nil {
				return "first.hedgeDelay", 0
			}
			return "first.hedgeDelay", g.First.HedgeDelay
		},
	},
	{
		Name: GatherFallback, Order: InTurn, Needed: one, MaxBranches: MaxRacers,
		Own: func(g *Gather) (string, bool) { return "fallback", g.Fallback != nil },
		Wait: func(g *Gather) (string, Duration) {
			if g.Fallback == nil {
				return "fallback.firstToken", 0
			}
			return "fallback.firstToken", g.Fallback.FirstToken
		},
	},
	{
		Name: GatherVote, Order: AtOnce, MaxBranches: MaxBranches,
		Needed: func(g *Gather) int { return g.Vote.Needed(len(g.Branches)) },
		Own:    func(g *Gather) (string, bool) { return "vote", g.Vote != nil },
	},
}

func one(*Gather) int { return 1 }

// How is the gather's strategy; that of none if there is no such strategy.
func (g *Gather) How() Strategy {
	for _, s := range AllStrategies {
		if s.Name == g.Strategy {
			return s
		}
	}
	return Strategy{Name: g.Strategy, Order: AtOnce, MaxBranches: MaxBranches}
}

// Races reports whether one branch wins, and sends nothing before it has won.
func (s Strategy) Races() bool { return s.Order != AtOnce }

// MustSucceed reports whether a gather fails with the branch.
func (s Strategy) MustSucceed(b *Branch) bool {
	if b.Required != nil {
		return *b.Required
	}
	return s.Required
}

// MayBeSkipped reports whether so many branches may be left out, by their when, that none can win.
func (g *Gather) MayBeSkipped() bool {
	certain, holds, fails := 0, map[string]int{}, map[string]int{}
	for i := range g.Branches {
		switch c := conditionOf(g.Branches[i].When); {
		case c.text == "":
			certain++
		case c.opposite:
			fails[c.text]++
		default:
			holds[c.text]++
		}
	}
	for text, n := range holds {
		certain += min(n, fails[text])
	}
	needed := g.How().Needed
	return needed != nil && certain < needed(g)
}

// Runs are the branches that may run for one request, in their order: with each value of each condition. They are all of them if
// there are too many conditions to try.
func (g *Gather) Runs() [][]int {
	var texts []string
	conditions := make([]condition, len(g.Branches))
	for i := range g.Branches {
		c := conditionOf(g.Branches[i].When)
		if conditions[i] = c; c.text != "" && !slices.Contains(texts, c.text) {
			texts = append(texts, c.text)
		}
	}
	if len(texts) > MaxRacers {
		texts, conditions = nil, make([]condition, len(g.Branches))
	}
	runs := make([][]int, 0, 1<<len(texts))
	for values := range 1 << len(texts) {
		var run []int
		for i, c := range conditions {
			if c.text == "" || (values>>slices.Index(texts, c.text)&1 == 1) != c.opposite {
				run = append(run, i)
			}
		}
		runs = append(runs, run)
	}
	return runs
}

// condition is a when as far as its text shows it: of two that are opposites, one holds.
type condition struct {
	text     string // empty for none
	opposite bool
}

// operand is what an exclamation mark before it negates alone.
var operand = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_.]*$`)

func conditionOf(when string) condition {
	text := strings.TrimSpace(when)
	text = unwrapped(strings.TrimSuffix(strings.TrimPrefix(text, "${"), "}"))
	negated, found := strings.CutPrefix(text, "!")
	negated = strings.TrimSpace(negated)
	if inner := unwrapped(negated); found && (inner != negated || operand.MatchString(inner)) {
		return condition{inner, true}
	}
	return condition{text, false}
}

// unwrapped is an expression without spaces and parentheses around the whole of it.
func unwrapped(text string) string {
	text = strings.TrimSpace(text)
	if !strings.HasPrefix(text, "(") {
		return text
	}
	depth := 0
	for i, r := range text {
		switch r {
		case '(':
			depth++
		case ')':
			depth--
		}
		if depth == 0 {
			if i == len(text)-1 {
				return unwrapped(text[1:i])
			}
			break
		}
	}
	return text
}

// Needed is how many of n branches have to vote so that there can be a winner.
func (v *Vote) Needed(branches int) int {
	switch {
	case v == nil || v.Ties == TiesMostVotes:
		return 1
	case v.Quorum > 0:
		return v.Quorum
	}
	return branches/2 + 1
}
