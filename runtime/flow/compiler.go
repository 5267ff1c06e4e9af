package flow

import (
	"fmt"

	"github.com/llmservice/llmservice/runtime/config/program"
)

// compiler joins a program's steps with the gateway around them.
type compiler struct {
	env       *Environment
	functions map[*program.Function]*function
}

// made is an action, or the reason why there is none.
type made struct {
	action action
	err    error
}

func (c *compiler) steps(steps []*program.Step) ([]*step, error) {
	all := make([]*step, len(steps))
	for i, s := range steps {
		work, err := c.guarded(s.Guard, s.Work)
		if err != nil {
			return nil, fmt.Errorf("steps[%d] (%s): %w", i, s.Name, err)
		}
		all[i] = &step{name: s.Name, guarded: work}
	}
	return all, nil
}

func (c *compiler) guarded(guard program.Guard, work program.Work) (guarded, error) {
	does := program.OfWork[made](work, c)
	return guarded{Guard: guard, action: does.action}, does.err
}
