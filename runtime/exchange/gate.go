package exchange

import (
	"context"
	"slices"
	"time"

	"github.com/llmservice/llmservice/runtime/problem"
	"github.com/llmservice/llmservice/runtime/relay"
)

// Gate is something that a request has to pass before its body is read: a way to authenticate callers, a limit, a queue.
// Many requests are at a gate at once.
type Gate struct {
	// Patience is how long Pass may wait; 0 is not at all.
	Patience time.Duration
	// Pass lets the request through, or returns the reason why it is refused. ctx ends when the client leaves, and when the
	// patience of all gates is over.
	Pass func(ctx context.Context, e *Entry) *problem.Error
}

// Entry is a request on its way through the gates of its config, in their order.
type Entry struct {
	Head  *relay.Head
	Route *Route
	// Caller names the sender of the request. The gate that authenticates it sets Caller for the gates after it.
	Caller string

	held []func() // what gives back what the gates have given
}

// Hold arranges that release is called once, when the request has ended in whichever way.
func (e *Entry) Hold(release func()) { e.held = append(e.held, release) }

// patience is that of all gates together.
func patience(gates []Gate) (sum time.Duration) {
	for i := range gates {
		sum += gates[i].Patience
	}
	return sum
}

// pass goes through the gates.
func (e *Entry) pass(ctx context.Context, gates []Gate) *problem.Error {
	for i := range gates {
		if wrong := gates[i].Pass(ctx, e); wrong != nil {
			return wrong
		}
	}
	return nil
}

// release gives back what is held, what came last first.
func (e *Entry) release() {
	for _, release := range slices.Backward(e.held) {
		release()
	}
}
