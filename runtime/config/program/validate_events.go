package program

import (
	"slices"
	"strings"

	"github.com/llmservice/llmservice/runtime/config"
)

func (v *validator) events(path string, r *config.Route) {
	here, e := path+".response.events", r.Response.Events
	if len(e.Steps) == 0 && !e.Progress && r.Response.Body == nil {
		v.addf(here, "is empty, want steps, progress, or a body next to it")
	}
	for i, name := range e.Steps {
		at := config.Item(here+".steps", i)
		switch {
		case slices.Contains(e.Steps[:i], name):
			v.addf(at, "%q is listed twice, want it once", name)
		case covered(name, e.Steps):
			v.addf(at, "%q is listed with its gather, which stands for its branches; want one of the two", name)
		case slices.Contains(config.OwnEvents, name):
			v.addf(at, "%q is the name of the gateway's own event, want a step of another name", name)
		case !v.hasTokens(r.Steps, name) && !v.source.HasValue(r.Steps, name):
			v.addf(at, "%q is not known here, want a chat, agent, call or set step, a gather of chats, agents and functions that "+
				"stream, or a branch of a gather, as GATHER.BRANCH", name)
		}
	}
	if e.Retry != 0 && (e.Retry.Std() < config.MinRetry || e.Retry.Std() > config.MaxRetry) {
		v.addf(here+".retry", "is %s, want from %s to %s", e.Retry.Std(), config.MinRetry, config.MaxRetry)
	}
}

// hasTokens reports whether a name is one that has tokens: of a step, a gather, or a gather's branch.
func (v *validator) hasTokens(steps []config.Step, name string) bool {
	step, branch, within := strings.Cut(name, ".")
	i := slices.IndexFunc(steps, func(s config.Step) bool { return s.Name == step })
	switch {
	case i < 0:
		return false
	case steps[i].Gather == nil:
		return !within && v.source.Completes(&steps[i].Action)
	}
	return slices.ContainsFunc(steps[i].Gather.Branches, func(b config.Branch) bool {
		return (!within || b.Name == branch) && v.source.Completes(&b.Action)
	})
}

// covered reports whether a name is that of a branch whose gather is named, too.
func covered(name string, names []string) bool {
	gather, _, branch := strings.Cut(name, ".")
	return branch && slices.Contains(names, gather)
}
