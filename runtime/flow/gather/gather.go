// Package gather makes several calls at once, or one after the other, and combines their results: a file for each strategy. It
// knows nothing of what is called.
//
// The following holds for all of them:
//   - A strategy returns when all the goroutines that it started have ended. It cancels those that it no longer needs at
//     once, with a cause that gives the reason; a call that ignores its context holds the strategy up.
//   - The parent's deadline and its cancellation are inherited. If the parent ends before the strategy has decided,
//     nothing more is started, and the error is the parent's cause.
//   - A panic in a call is that call's error, a [PanicError].
//   - Results are in the order of the calls, and are returned with an error, too: they show how each call ended.
package gather

import "context"

// Branch is one of the calls that All and AllSettled make.
type Branch[T any] struct {
	Name string
	// Required means that the whole fails if this branch does.
	Required bool
	Run      func(ctx context.Context) (T, error)
}

// CallResult is the result of one call.
type CallResult[T any] struct {
	// Value is what the call returned; it is only valid if Err is nil.
	Value T
	// Err is why there is no value. For a call that was cancelled, or was never started, it is or wraps the cause.
	Err error
}
