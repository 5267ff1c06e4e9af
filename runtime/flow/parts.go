package flow

import (
	"sync"

	"github.com/llmservice/llmservice/runtime/relay"
)

// parts tells the memory how many parts of a request are at work. A step that runs several waits for them: so the first of
// them is at work in its place, and only the others are more.
type parts struct {
	memory relay.Memory

	mu      sync.Mutex
	running int
}

// begin counts a part until its end.
func (p *parts) begin() (end func()) {
	p.count(1, 1)
	return func() { p.count(-1, 0) }
}

// count takes a step of the number of parts, which is more than one is at work where that many are running then.
func (p *parts) count(step, others int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.running += step
	if p.running > others {
		p.memory.Branch(step)
	}
}
