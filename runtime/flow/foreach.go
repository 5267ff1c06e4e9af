package flow

import (
	"context"
	"fmt"
	"strconv"

	"github.com/llmservice/llmservice/runtime/config/program"
	"github.com/llmservice/llmservice/runtime/expr"
	"github.com/llmservice/llmservice/runtime/flow/gather"
	"github.com/llmservice/llmservice/runtime/problem"
	"github.com/llmservice/llmservice/runtime/requestlog"
)

// forEach makes the same call for each item of a list, several at once.
type forEach struct {
	*program.ForEach

	do guarded
}

// ForEach implements program.Kinds.
func (c *compiler) ForEach(f *program.ForEach) made {
	do, err := c.guarded(f.Guard, f.Do)
	if err != nil {
		return made{err: fmt.Errorf("forEach.do: %w", err)}
	}
	return made{action: &forEach{f, do}}
}

func (e *forEach) perform(ctx context.Context, f *frame) (any, error) {
	items, err := f.list(ctx, e.Items)
	if err != nil {
		return nil, fmt.Errorf("forEach.items: %w", err)
	}
	if len(items) > e.MaxItems {
		return nil, e.tooMany(f, len(items))
	}
	inner := *f.parted().beside(min(e.MaxParallel, len(items)))
	inner.name, inner.tokens = "", nil
	results, err := gather.Each(ctx, gather.EachOptions{Limit: e.MaxParallel}, items,
		func(ctx context.Context, i int, item any) (any, error) {
			defer inner.parts.begin()()
			ctx = requestlog.At(ctx, "items", strconv.Itoa(i))
			result, err := e.do.runGuarded(ctx, e.knowing(inner.with("item", item).with("index", int64(i)), f, []any{i}))
			return result.value, requestlog.Placed(ctx, err)
		})
	tellPanics(f, results)
	if err != nil {
		return nil, err //nolint:wrapcheck // it names the item
	}
	values := make([]any, len(results))
	for i := range results {
		values[i] = results[i].Value
	}
	return values, nil
}

// tooMany is the error of a list that is too long. If the client sent it, the client gets that error; if an upstream had a part
// in it, the request has exceeded the work that the route allows.
func (e *forEach) tooMany(f *frame, items int) error {
	cause := fmt.Errorf("forEach.items: has %d items, at most %d are allowed", items, e.MaxItems)
	if from := f.originOf(e.Items.Reads()); from.upstream || len(from.places) == 0 {
		return problem.New(problem.BudgetExceeded).WithMessage("A list has more items than this route allows.").WithCause(cause)
	}
	return f.misfit(e.Items.Reads(), fmt.Sprintf("returns more than the %d items that are allowed", e.MaxItems), cause)
}

// list evaluates an expression whose value is a list.
func (f *frame) list(ctx context.Context, t *expr.Template) ([]any, error) {
	value, err := f.value(ctx, t)
	if err != nil {
		return nil, err
	}
	list, ok := value.([]any)
	if !ok {
		return nil, fmt.Errorf("is %T, want a list", value)
	}
	return list, nil
}
