package config

import (
	"slices"
	"strings"
	"time"
)

// Events describes a stream of named events.
type Events struct {
	// Steps names the steps, or the branches of a gather as GATHER.BRANCH, whose tokens are sent as they come, or whose values are
	// sent; see Config.Sources for a gather as a whole, and Config.Values.
	Steps []string `json:"steps,omitempty"`
	// Progress adds an event for the begin and the end of each step and of each tool's call.
	Progress bool `json:"progress,omitzero"`
	// IDs gives each event an id: 1, 2, 3 and so on.
	IDs bool `json:"ids,omitzero"`
	// Retry is how long clients shall wait before they connect again; 0 leaves that to them.
	Retry Duration `json:"retry,omitzero"`
}

// The bounds of Events.Retry: a shorter one lets every client that lost its connection come back at once.
const (
	MinRetry = 100 * time.Millisecond
	MaxRetry = time.Hour
)

// OwnEvents are the names of events that the gateway itself sends.
var OwnEvents = []string{"progress", "result", "done", "error"}

// Sources names the steps whose tokens are events, and the branches as GATHER.BRANCH. A gather of which one branch wins stands for
// the winner; any other for each of its branches that has tokens.
func (c *Config) Sources(r *Route) []string {
	if r.Response == nil || r.Response.Events == nil {
		return nil
	}
	var names []string
	for _, name := range r.Response.Events.Steps {
		i := stepNamed(r.Steps, name)
		switch {
		case c.HasValue(r.Steps, name):
		case i < 0 || r.Steps[i].Gather == nil || r.Steps[i].Gather.How().Races():
			names = append(names, name)
		default:
			names = append(names, c.speaking(&r.Steps[i])...)
		}
	}
	return names
}

// speaking names the branches of a gather that have tokens.
func (c *Config) speaking(s *Step) []string {
	var names []string
	for i := range s.Gather.Branches {
		if c.Completes(&s.Gather.Branches[i].Action) {
			names = append(names, s.Name+"."+s.Gather.Branches[i].Name)
		}
	}
	return names
}

// Values names the steps whose values are events, and the branches as GATHER.BRANCH.
func (c *Config) Values(r *Route) []string {
	if r.Response == nil || r.Response.Events == nil {
		return nil
	}
	return slices.DeleteFunc(slices.Clone(r.Response.Events.Steps), func(name string) bool { return !c.HasValue(r.Steps, name) })
}

// HasValue reports whether a name is that of a step whose value can be an event: one that makes a value, or calls a function that
// returns one. So can such a call as the branch of a gather, unless the gather chooses among its branches.
func (c *Config) HasValue(steps []Step, name string) bool {
	step, branch, within := strings.Cut(name, ".")
	i := stepNamed(steps, step)
	switch {
	case i < 0:
		return false
	case !within:
		return steps[i].Set != nil || c.returns(&steps[i].Action)
	case steps[i].Gather == nil || steps[i].Gather.How().Needed != nil:
		return false
	}
	return slices.ContainsFunc(steps[i].Gather.Branches, func(b Branch) bool { return b.Name == branch && c.returns(&b.Action) })
}

func (c *Config) returns(a *Action) bool { return a.Call != nil && !c.Completes(a) }

func stepNamed(steps []Step, name string) int {
	return slices.IndexFunc(steps, func(s Step) bool { return s.Name == name })
}
