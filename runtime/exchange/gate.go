package exchange

import (
	"context"
	"slices"
	"time"

	"github.com/llmservice/llmservice/runtime/problem"
	"github.com/llmservice/llmservice/runtime/relay"
)

// Gate is something that a request has to pass before its body is read: a way to find out who calls, a limit, a queue.
// Many requests are at a gate at once.
type Gate struct {
	// Patience is how long Pass may wait; 0 is not at all.
	Patience time.Duration
	// Pass lets the request through, or says why it is refused. ctx ends when the client leaves, and when the patience of
	// all gates is over.
	Pass func(ctx context.Context, e *Entry) *problem.Error
}

// Entry is a request on its way through the gates of its config, in their order.
type Entry struct {
	Head  *relay.Head
	Route *Route
	// Caller names who sends the request, for the gates that follow the one that has found out. It is empty before.
	Caller string

	held []func() // what gives back what the gates have given
}

// Hold has release called once, when the request has ended, whatever becomes of it.
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
