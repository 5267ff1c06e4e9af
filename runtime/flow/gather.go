package flow

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/llmservice/llmservice/runtime/config"
	"github.com/llmservice/llmservice/runtime/config/program"
	"github.com/llmservice/llmservice/runtime/flow/gather"
	"github.com/llmservice/llmservice/runtime/requestlog"
)

// branch is one of a gather's calls.
type branch struct {
	name     string
	required bool
	// asking is how many of the gather's branches may ask models at once.
	asking int
	guarded
}

// strategy makes one value of the branches.
type strategy interface {
	combine(ctx context.Context, f *frame, branches []*branch) (any, error)
}

// gathered is a gather step.
type gathered struct {
	strategy strategy
	branches []*branch
}

// Gather implements program.Kinds.
func (c *compiler) Gather(g *program.Gather) made {
	how, _ := config.OfStrategy[strategy](g.Strategy, strategies{g})
	compiled := &gathered{strategy: how}
	for i, b := range g.Branches {
		work, err := c.guarded(b.Guard, b.Work)
		if err != nil {
			return made{err: fmt.Errorf("gather.branches[%d] (%s): %w", i, b.Name, err)}
		}
		compiled.branches = append(compiled.branches, &branch{name: b.Name, required: b.Required, asking: g.Asking, guarded: work})
	}
	return made{action: compiled}
}

// strategies makes a gather's strategy. The file of each has its method.
type strategies struct{ *program.Gather }

// wait is the time for which the strategy's order waits.
func (s strategies) wait() time.Duration {
	_, wait := s.How().Wait(s.Gather.Gather)
	return wait.Std()
}

func (g *gathered) perform(ctx context.Context, f *frame) (any, error) {
	return g.strategy.combine(ctx, f.parted(), g.branches)
}

func (b *branch) runBranch(ctx context.Context, f *frame) (settled, error) {
	defer f.parts.begin()()
	ctx = requestlog.At(ctx, "branches", b.name)
	result, err := b.runGuarded(ctx, f)
	return result, requestlog.Placed(ctx, err)
}

// runs is how All and AllSettled call a branch. A skipped one has neither a value nor an error.
func (b *branch) runs(f *frame) func(context.Context) (settled, error) {
	return func(ctx context.Context) (settled, error) { return b.runBranch(ctx, b.frame(f)) }
}

// frame is the branch's view.
func (b *branch) frame(f *frame) *frame { return f.ofBranch(b.name).beside(b.asking) }

func asBranches(f *frame, branches []*branch) []gather.Branch[settled] {
	calls := make([]gather.Branch[settled], len(branches))
	for i, b := range branches {
		calls[i] = gather.Branch[settled]{Name: b.name, Required: b.required, Run: b.runs(f)}
	}
	return calls
}

// wins is how a branch is called if one of them wins: a skipped one has lost.
func (b *branch) wins(ctx context.Context, f *frame) (any, error) {
	result, err := b.runBranch(ctx, f)
	if err == nil && !result.ran {
		err = errSkipped
	}
	return result.value, err
}

// errSkipped makes a skipped branch lose. errAllSkipped leaves a step without a value, because no branch could win.
var (
	errSkipped    = errors.New("was skipped")
	errAllSkipped = errors.New("all branches were skipped")
)

// unwanted counts the branches that were skipped.
func unwanted(results []gather.CallResult[any]) int {
	n := 0
	for i := range results {
		if errors.Is(results[i].Err, errSkipped) {
			n++
		}
	}
	return n
}
