package gather

import "context"

// fan makes n calls, at most limit of them at once (0: all together), and returns when they have ended. It shows each end to
// observe, until observe returns why the others are no longer needed: with this cause they are cancelled. The error is the
// parent's cause, if the parent ended while the others were still needed.
func fan[T any](
	parent context.Context, n, limit int,
	run func(ctx context.Context, i int) (T, error), observe func(i int, r CallResult[T]) (unwanted error),
) ([]CallResult[T], error) {
	ctx, cancel := context.WithCancelCause(parent)
	defer cancel(nil)
	c := newCrew[T](n)
	var unwanted error
	orphaned := context.Cause(parent)
	for {
		over := orphaned != nil || unwanted != nil
		for range starts(c.waiting(), c.running, limit, over) {
			i := c.started
			c.start(func() (T, error) {
				value, err := run(ctx, i)
				return value, because(ctx, err)
			})
		}
		if c.running == 0 {
			return c.finish(context.Cause(ctx)), orphaned
		}
		e := c.next()
		if over {
			continue
		}
		if orphaned = context.Cause(parent); orphaned == nil {
			if unwanted = observe(e.index, e.result); unwanted != nil {
				cancel(unwanted)
			}
		}
	}
}

// starts is how many of the waiting calls start now.
func starts(waiting, running, limit int, over bool) int {
	switch {
	case over:
		return 0
	case limit <= 0:
		return waiting
	}
	return min(waiting, limit-running)
}
