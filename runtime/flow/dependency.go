package flow

import (
	"context"
	"fmt"

	"github.com/llmservice/llmservice/runtime/requestlog"
)

// depend calls the functions that the route depends on, one after the other, as the later ones may read what the earlier ones
// return, and adds their values to the variables. A function that refuses the request is an answeredError.
func (q *request) depend(ctx context.Context, vars map[string]any) error {
	if len(q.dependencies) == 0 {
		return nil
	}
	values := map[string]any{}
	vars["dependencies"] = values
	f := &frame{request: q, vars: vars}
	for _, d := range q.dependencies {
		at := requestlog.At(ctx, "dependencies", d.name)
		value, err := d.action.perform(at, f)
		if err != nil {
			return fmt.Errorf("dependency %s: %w", d.name, requestlog.Placed(at, err))
		}
		values[d.name] = value
	}
	return nil
}
