package flow

import (
	"context"

	"github.com/llmservice/llmservice/runtime/flow/gather"
)

// all needs every required branch's value; the first failure ends the rest.
type all struct{}

// All implements config.Strategies.
func (strategies) All() strategy { return all{} }

func (all) combine(ctx context.Context, f *frame, branches []*branch) (any, error) {
	results, err := gather.All(ctx, 0, asBranches(f, branches))
	tellPanics(f, results)
	if err != nil {
		return nil, err //nolint:wrapcheck // it names the branch
	}
	return valuesOf(branches, results), nil
}

// valuesOf are the values of the branches that have one, by name.
func valuesOf(branches []*branch, results []gather.CallResult[settled]) map[string]any {
	values := map[string]any{}
	for i, r := range results {
		if r.Err == nil && r.Value.ran {
			values[branches[i].name] = r.Value.value
		}
	}
	return values
}

// allSettled lets every branch run to its end, and returns the errors together with the values.
type allSettled struct{}

// AllSettled implements config.Strategies.
func (strategies) AllSettled() strategy { return allSettled{} }

func (allSettled) combine(ctx context.Context, f *frame, branches []*branch) (any, error) {
	results, err := gather.AllSettled(ctx, 0, asBranches(f, branches))
	tellPanics(f, results)
	if err != nil {
		return nil, err //nolint:wrapcheck // it names the branch
	}
	values, failures := valuesOf(branches, results), map[string]any{}
	for i, r := range results {
		if r.Err != nil {
			failures[branches[i].name] = f.errorValue(r.Err)
		}
	}
	values["errors"] = failures
	return values, nil
}
