package flow

import (
	"context"
	"fmt"
	"slices"

	"github.com/llmservice/llmservice/runtime/config/program"
	"github.com/llmservice/llmservice/runtime/expr"
	"github.com/llmservice/llmservice/runtime/problem"
	"github.com/llmservice/llmservice/runtime/requestlog"
)

// function is a function that can be called.
type function struct {
	*program.Function

	steps []*step
}

// addFunctions declares every function before the steps of the first are compiled, because they call each other in any order.
func (c *compiler) addFunctions(functions []*program.Function) error {
	for _, f := range functions {
		c.functions[f] = &function{Function: f}
	}
	for i, f := range functions {
		steps, err := c.steps(f.Steps)
		if err != nil {
			return fmt.Errorf("functions[%d] (%s): %w", i, f.Name, err)
		}
		c.functions[f].steps = steps
	}
	return nil
}

// check returns what is wrong with a function's input; it fills in defaults.
func (fn *function) check(ctx context.Context, f *frame, input any) (any, []problem.Violation, error) {
	if fn.Input == nil {
		return input, nil, nil
	}
	return check(ctx, f.env, f.weight(), func() (any, []problem.Violation, error) {
		return fn.Input.CheckValue(ctx, input, "input")
	})
}

// invoke calls the function with a checked input, whose origin from returns. The tokens of a function that streams go to the
// outlet; nil if nothing needs them.
func (fn *function) invoke(
	ctx context.Context, f *frame, input any, from func(below []any) origin, tokens *outlet,
) (any, error) {
	ctx, cancel := within(requestlog.At(ctx, "functions", fn.Name), fn.Timeout.Std())
	defer cancel()
	inner := &frame{
		request: f.request, vars: map[string]any{"input": input}, inFunction: true, siblings: f.siblings,
		streamed: fn.Stream, through: tokens,
	}
	output, err := fn.result(ctx, inner.knowing("input", from))
	if err != nil {
		return nil, fmt.Errorf("function %s: %w", fn.Name, requestlog.Placed(ctx, because(ctx, err)))
	}
	return output, nil
}

func (fn *function) result(ctx context.Context, f *frame) (any, error) {
	if err := runSteps(ctx, fn.steps, f); err != nil {
		return nil, err
	}
	if fn.Stream != "" {
		values, _ := f.vars["steps"].(map[string]any)
		return values[fn.Stream], nil
	}
	output, err := f.tree(ctx, fn.Output)
	if err != nil {
		return nil, fmt.Errorf("output: %w", err)
	}
	return output, nil
}

// call is a step that calls a function.
type call struct {
	*program.Call

	function *function
}

// Call implements program.Kinds.
func (c *compiler) Call(s *program.Call) made { return made{action: &call{s, c.functions[s.Function]}} }

func (c *call) perform(ctx context.Context, f *frame) (any, error) {
	var input any = map[string]any{}
	if c.Input != nil {
		var err error
		if input, err = f.tree(ctx, c.Input); err != nil {
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
	return c.function.invoke(ctx, f, input, c.inputOrigin(f), f.tokens)
}

// refused decides who gets the error of an input that the function does not accept.
func (c *call) refused(f *frame, violations []problem.Violation) error {
	if c.Input == nil {
		return invalid(violations)
	}
	return f.misfit(readsAt(c.Input, violations), "gives input that a function does not accept", invalid(violations))
}

// readsAt returns what a tree reads at the places of violations, whose locs begin with one step for the whole value.
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

// invalid describes violations for logs: the place and the rule, never the values.
func invalid(violations []problem.Violation) error {
	first := violations[0]
	if len(violations) == 1 {
		return fmt.Errorf("a violation of %s at %v", first.Type, first.Loc)
	}
	return fmt.Errorf("%d violations, the first of %s at %v", len(violations), first.Type, first.Loc)
}
