package flow

import (
	"sync"

	"github.com/llmservice/llmservice/runtime/relay"
)

// parts reports to the memory how many parts of a request are at work. A step that runs several waits for them: so the first of
// them takes the step's place, and only the others are added.
type parts struct {
	memory relay.Memory

	mu      sync.Mutex
	running int
}

// begin counts a part until it ends.
func (p *parts) begin() (end func()) {
	p.count(1, 1)
	return func() { p.count(-1, 0) }
}

// count adds step to the number of parts, and reports it to the memory if more than others run then.
func (p *parts) count(step, others int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.running += step
	if p.running > others {
		p.memory.Branch(step)
	}
}
