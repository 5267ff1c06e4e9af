package gather

import (
	"context"
	"fmt"
)

// All makes all calls at once, or at most limit of them if that is above 0. The first required branch to fail ends the whole:
// the others are cancelled (ErrSiblingFailed), and the error is a BranchError. A failure of another branch stays in its result.
func All[T any](ctx context.Context, limit int, branches []Branch[T]) ([]CallResult[T], error) {
	var failed error
	results, err := fan(ctx, len(branches), limit, runs(branches), func(i int, r CallResult[T]) error {
		if r.Err == nil || !branches[i].Required {
			return nil
		}
		failed = &BranchError{Branch: branches[i].Name, Err: r.Err}
		return fmt.Errorf("%w: branch %q", ErrSiblingFailed, branches[i].Name)
	})
	if failed != nil {
		return results, failed
	}
	return results, err
}

func runs[T any](branches []Branch[T]) func(context.Context, int) (T, error) {
	return func(ctx context.Context, i int) (T, error) { return branches[i].Run(ctx) }
}
