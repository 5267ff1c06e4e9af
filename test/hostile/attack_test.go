//go:build hostile && linux

package hostile

import (
	"context"
	"time"
)

// attack is one thing that clients or upstreams do to harm a replica.
type attack struct {
	name string
	// requests makes what is sent, as bytes: one after the other, by each of the attackers.
	requests func() [][]byte
	// does takes the place of requests: one attacker's doing until ctx ends.
	does func(ctx context.Context, a *assault)
	// parallel is how many attack at once; 0 is 20.
	parallel int
	// accept are the statuses that answers may have besides any 4xx, 502, 503 and 504: 200 for what is valid.
	accept []int
	// streamed answers of 200 end with the end of a stream, or an error event.
	streamed bool
	// head is an attack on the head of a request, which the HTTP library refuses before the gateway knows of it; and not as JSON.
	head bool
	// unanswered attacks wait for nothing: their requests never end.
	unanswered bool
	// within is how long an answer may take; 0 is the 2s of most routes.
	within time.Duration
}

const (
	usualParallel = 20
	usualWithin   = 2 * time.Second
	// margin is what the reading of a body, and a machine that others use, may add to a route's timeout.
	margin = 4 * time.Second
	// span is how long each attack goes on: who has been answered asks again.
	span = 1500 * time.Millisecond
)

func (a *attack) attackers() int {
	if a.parallel == 0 {
		return usualParallel
	}
	return a.parallel
}

// patience is how long an attacker waits for an answer.
func (a *attack) patience() time.Duration {
	if a.within == 0 {
		return usualWithin + margin
	}
	return a.within + margin
}

// attacks are all of them, each kind in a file of its own.
func attacks() []attack {
	var all []attack
	for _, kind := range [][]attack{bodies, forms, patterns, templates, memories, heads, connections, answers} {
		all = append(all, kind...)
	}
	return all
}

func attackNamed(name string) (attack, bool) {
	for _, a := range attacks() {
		if a.name == name {
			return a, true
		}
	}
	return attack{}, false
}
