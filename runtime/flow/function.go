package flow

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/llmservice/llmservice/runtime/config"
	"github.com/llmservice/llmservice/runtime/expr"
	"github.com/llmservice/llmservice/runtime/problem"
	"github.com/llmservice/llmservice/runtime/schema"
)

// function is a function, compiled.
type function struct {
	config  *config.Function
	input   *schema.Schema // nil accepts any object
	timeout time.Duration
	steps   []*step
	output  *expr.Tree
}

// addFunctions makes every function known before the first is compiled, since they call each other in any order.
func (c *compiler) addFunctions() error {
	functions := c.program.Config.Functions
	for i := range functions {
		f := &functions[i]
		c.functions[f.Name] = &function{
			config: f, input: c.program.Schema(&f.Input), timeout: f.Timeout.Std(), output: c.program.Tree(&f.Output),
		}
	}
	for i := range functions {
		steps, err := c.steps(functions[i].Steps)
		if err != nil {
			return fmt.Errorf("functions[%d] (%s): %w", i, functions[i].Name, err)
		}
		c.functions[functions[i].Name].steps = steps
	}
	return nil
}

func (c *compiler) function(name string) (*function, error) {
	if f, ok := c.functions[name]; ok {
		return f, nil
	}
	return nil, fmt.Errorf("there is no function %q", name)
}

// check says what is wrong with what the function is called with; defaults are filled in.
func (fn *function) check(ctx context.Context, f *frame, input any) (any, []problem.Violation, error) {
	if fn.input == nil {
		return input, nil, nil
	}
	return check(ctx, f.env, f.weight(), func() (any, []problem.Violation, error) {
		return fn.input.CheckValue(ctx, input, "input")
	})
}

// invoke calls the function with an input that was checked, and of which somebody knows where it comes from.
func (fn *function) invoke(ctx context.Context, f *frame, input any, from func(below []any) origin) (any, error) {
	ctx, cancel := within(ctx, fn.timeout)
	defer cancel()
	inner := &frame{request: f.request, vars: map[string]any{"input": input}, inFunction: true, siblings: f.siblings}
	output, err := fn.result(ctx, inner.knowing("input", from))
	if err != nil {
		return nil, fmt.Errorf("function %s: %w", fn.config.Name, because(ctx, err))
	}
	return output, nil
}

func (fn *function) result(ctx context.Context, f *frame) (any, error) {
	if err := runSteps(ctx, fn.steps, f); err != nil {
		return nil, err
	}
	output, err := f.tree(ctx, fn.output)
	if err != nil {
		return nil, fmt.Errorf("output: %w", err)
	}
	return output, nil
}

// call is a step that calls a function.
type call struct {
	function *function
	input    *expr.Tree
}

func (c *compiler) call(s *config.Call) (action, error) {
	f, err := c.function(s.Function)
	if err != nil {
		return nil, err
	}
	return &call{function: f, input: c.program.Tree(&s.Input)}, nil
}

func (c *call) perform(ctx context.Context, f *frame) (any, error) {
	var input any = map[string]any{}
	if c.input != nil {
		var err error
		if input, err = f.tree(ctx, c.input); err != nil {
			return nil, fmt.Errorf("call.input: %w", err)
		}
	}
	input, violations, err := c.function.check(ctx, f, input)
	if err != nil {
		return nil, err
	}
	if len(violations) > 0 {
		return nil, fmt.Errorf("call.input: %w", c.refused(f, violations))
	}
	return c.function.invoke(ctx, f, input, c.inputOrigin(f))
}

// refused says who is told that the function cannot be called with its input.
func (c *call) refused(f *frame, violations []problem.Violation) error {
	if c.input == nil {
		return invalid(violations)
	}
	return f.misfit(readsAt(c.input, violations), "gives what a function does not accept", invalid(violations))
}

// readsAt gives what a tree reads at the places of violations, whose locs begin with one step for the whole of it.
func readsAt(tree *expr.Tree, violations []problem.Violation) []expr.Path {
	var reads []expr.Path
	for i := range violations {
		reads = append(reads, tree.Reads(steps(violations[i].Loc[1:])...)...)
	}
	return reads
}

// steps are those of a loc that lead through a value.
func steps(loc []any) []any {
	return slices.DeleteFunc(slices.Clone(loc), func(step any) bool {
		_, form := step.(problem.Tag)
		return form
	})
}

// invalid describes violations for logs: where and which rule, never the values.
func invalid(violations []problem.Violation) error {
	first := violations[0]
	return fmt.Errorf("%d violations, the first of %s at %v", len(violations), first.Type, first.Loc)
}
