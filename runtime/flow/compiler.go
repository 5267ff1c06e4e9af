package flow

import (
	"fmt"

	"github.com/llmservice/llmservice/runtime/config"
	"github.com/llmservice/llmservice/runtime/config/program"
	"github.com/llmservice/llmservice/runtime/upstream"
)

// compiler turns a program's steps into what can be run.
type compiler struct {
	program   *program.Program
	env       *Environment
	functions map[string]*function
}

func (c *compiler) upstream(name string) (*upstream.Upstream, error) {
	if u, ok := c.env.Upstreams[name]; ok {
		return u, nil
	}
	return nil, fmt.Errorf("there is no upstream %q", name)
}

func (c *compiler) steps(steps []config.Step) ([]*step, error) {
	all := make([]*step, len(steps))
	for i := range steps {
		s, err := c.step(&steps[i])
		if err != nil {
			return nil, fmt.Errorf("steps[%d] (%s): %w", i, steps[i].Name, err)
		}
		all[i] = s
	}
	return all, nil
}

func (c *compiler) step(s *config.Step) (*step, error) {
	work, err := c.work(s)
	if err != nil {
		return nil, err
	}
	return &step{
		name: s.Name,
		guarded: guarded{
			when: c.program.Template(&s.When), timeout: s.Timeout.Std(), onError: c.onError(s.OnError), action: work,
		},
	}, nil
}

func (c *compiler) work(s *config.Step) (action, error) {
	switch {
	case s.Gather != nil:
		return c.gather(s.Gather)
	case s.ForEach != nil:
		return c.forEach(s.ForEach)
	case s.Set != nil:
		return &set{value: c.program.Tree(&s.Set.Value)}, nil
	case s.Respond != nil:
		return c.respond(s.Respond), nil
	}
	return c.action(&s.Action)
}

func (c *compiler) action(a *config.Action) (action, error) {
	switch {
	case a.Chat != nil:
		return c.chat(a.Chat)
	case a.Embeddings != nil:
		return c.embeddings(a.Embeddings)
	case a.HTTP != nil:
		return c.http(a.HTTP)
	case a.Call != nil:
		return c.call(a.Call)
	case a.Agent != nil:
		return c.agent(a.Agent)
	}
	return nil, fmt.Errorf("has no kind")
}
