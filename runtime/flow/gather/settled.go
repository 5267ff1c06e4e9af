package gather

import "context"

// AllSettled makes all calls at once, or at most limit of them if that is above 0, and lets each run to its end. If required
// branches failed, the error joins a BranchError for each.
func AllSettled[T any](ctx context.Context, limit int, branches []Branch[T]) ([]CallResult[T], error) {
	results, err := fan(ctx, len(branches), limit, runs(branches), func(int, CallResult[T]) error { return nil })
	if err != nil {
		return results, err
	}
	return results, missing(branches, results)
}

// missing joins the failures of required branches.
func missing[T any](branches []Branch[T], results []CallResult[T]) error {
	var failed []error
	for i, r := range results {
		if r.Err != nil && branches[i].Required {
			failed = append(failed, &BranchError{Branch: branches[i].Name, Err: r.Err})
		}
	}
	if failed == nil {
		return nil
	}
	return &joinedError{what: "required branches failed", errs: failed}
}
