package rawjson

import goruntime "runtime"

// turns leaves the worker to others now and then: an event may have 16 MiB, and millions of values.
type turns struct{ steps, due int }

const (
	turnEvery = 1024     // steps, which take a tenth of a millisecond or so if something is done at each
	much      = 64 << 10 // bytes: one text may have as many as a document
)

// take ends a step, at some place of the document.
func (t *turns) take(at int) {
	if t.steps++; t.steps >= turnEvery || at >= t.due {
		t.give(at)
	}
}

// pass ends a part of a step that may be long.
func (t *turns) pass(at int) {
	if at >= t.due {
		t.give(at)
	}
}

func (t *turns) give(at int) {
	t.steps, t.due = 0, at+much
	goruntime.Gosched()
}
