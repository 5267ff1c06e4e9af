package gather

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/llmservice/llmservice/runtime/relay"
)

// The causes with which a strategy ends the context of a call (context.Cause). Each is a relay.Failure, so that an upstream
// whose call was cancelled is not taken for one that failed.
var (
	// ErrSiblingFailed means that another call failed, without which this one is useless. The error that wraps it names that
	// call, but not how it failed, because this call must not take over the sibling's failure as its own.
	ErrSiblingFailed error = superseded("another call failed")
	// ErrLost means that another contender won.
	ErrLost error = superseded("another branch won")
	// ErrFirstToken means that a contender neither committed nor ended in the time that Fallback gave it.
	ErrFirstToken error = relay.Failure{
		Kind: relay.FailedFirstToken, Err: errors.New("no content within the first-token timeout"),
	}
	// ErrDecided means that a vote was decided without this voter.
	ErrDecided error = superseded("the vote was decided")
)

// superseded is the failure of a call that is not needed any more. The upstream is not at fault.
func superseded(why string) relay.Failure {
	return relay.Failure{Kind: relay.FailedSuperseded, Err: errors.New(why)}
}

var errExited = errors.New("the call ended its goroutine")

// BranchError names the branch that failed.
type BranchError struct {
	Branch string
	Err    error
}

// Error names the branch.
func (e *BranchError) Error() string { return fmt.Sprintf("branch %q: %v", e.Branch, e.Err) }

// Unwrap returns the branch's own error.
func (e *BranchError) Unwrap() error { return e.Err }

// ItemError names the item of Each that failed.
type ItemError struct {
	// Index counts from 0.
	Index int
	Err   error
}

// Error gives the item's index.
func (e *ItemError) Error() string { return fmt.Sprintf("item %d: %v", e.Index, e.Err) }

// Unwrap returns the item's own error.
func (e *ItemError) Unwrap() error { return e.Err }

// PanicError is a call that panicked. The value of the panic is not kept: it may hold a prompt or a secret.
type PanicError struct {
	// Type is the type of the value, as %T writes it.
	Type string
	// Stack is the goroutine's, for logs.
	Stack []byte
}

// Error names the type of the value.
func (e *PanicError) Error() string { return "panic with a value of type " + e.Type }

// UndecidedError is a vote without a winner. Its text holds no keys, because keys are made from models' answers.
type UndecidedError struct {
	// Quorum is the number of votes that a key needs, Most the number that the strongest had when the vote ended.
	Quorum, Most int
	// Failed holds a BranchError for each voter that failed by then.
	Failed []error
}

// Error has the numbers, and then each failure.
func (e *UndecidedError) Error() string {
	what := fmt.Sprintf("no quorum: the strongest key has %d of the %d votes that it needs", e.Most, e.Quorum)
	return listed(what, e.Failed)
}

// Unwrap returns the failures.
func (e *UndecidedError) Unwrap() []error { return e.Failed }

// joinedError is errors.Join on one line, for logs.
type joinedError struct {
	what string
	errs []error
}

func (e *joinedError) Error() string { return listed(e.what, e.errs) }

func (e *joinedError) Unwrap() []error { return e.errs }

func listed(what string, errs []error) string {
	texts := make([]string, len(errs))
	for i, err := range errs {
		texts[i] = err.Error()
	}
	return strings.Join(append([]string{what}, texts...), "; ")
}

// because puts the cause of a context's end before an error that it may have caused, which is often only "context canceled".
func because(ctx context.Context, err error) error {
	cause := context.Cause(ctx)
	if err == nil || cause == nil || errors.Is(err, cause) {
		return err
	}
	return fmt.Errorf("%w: %w", cause, err)
}
