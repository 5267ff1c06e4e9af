package gather

import (
	"context"
	"fmt"
)

// EachOptions configure Each.
type EachOptions struct {
	// Limit is how many items are worked on at once; 0 means all.
	Limit int
	// Settle lets every item run to its end, with failures in the results. Without it the first failure ends the whole.
	Settle bool
}

// Each makes the same call for every item. Unless failures are to settle, the first one cancels the others
// (ErrSiblingFailed), no further item is started, and the error is an ItemError.
func Each[In, Out any](
	ctx context.Context, o EachOptions, items []In, run func(ctx context.Context, index int, item In) (Out, error),
) ([]CallResult[Out], error) {
	var failed error
	call := func(ctx context.Context, i int) (Out, error) { return run(ctx, i, items[i]) }
	results, err := fan(ctx, len(items), o.Limit, call, func(i int, r CallResult[Out]) error {
		if r.Err == nil || o.Settle {
			return nil
		}
		failed = &ItemError{Index: i, Err: r.Err}
		return fmt.Errorf("%w: item %d", ErrSiblingFailed, i)
	})
	if failed != nil {
		return results, failed
	}
	return results, err
}
