package schema

import (
	"context"
	"errors"
	"runtime"

	"github.com/llmservice/llmservice/runtime/pattern"
)

// What one check may cost. Either takes a tenth of a second on one core, or a few if it is busy.
const (
	maxVisits = 2_000_000 // schemas that are applied to values, and the like
	// maxMatches are steps of regular expressions: ways that lead on at a character of a text. To them come, for each byte of
	// the value, matchesPerByte more.
	maxMatches     = 8 << 20
	matchesPerByte = 8
)

// maxErrors bounds the errors that are made for one answer, of which each takes a kilobyte for a while. Most are those of
// branches that turn out not to be meant.
const maxErrors = 10_000

// lookEvery is how many steps are taken between two looks at the context. After each, others may run: a body that takes long
// to check must not hold up streams.
const lookEvery = 2048

// WorkBudget is what may still be done for one request, or one value. It is for one goroutine at a time.
type WorkBudget struct {
	ctx     context.Context //nolint:containedctx // it is as short-lived as an argument, and passed as one
	visits  int
	matches int
	errors  int
	look    int   // visits until the next look at ctx
	err     error // why nothing more may be done: errWork, errMatches, or the context's cause

	partial  bool // values may hold an Unknown; see known.go
	unknowns int  // how often one was taken for what satisfies a schema
	unfilled bool // it is not known which defaults would be filled in

	judging evaluation // of the value that is checked, so that a check has one allocation for both
}

var errMatches = errors.New("the patterns take too much work")

// NewWorkBudget allows what one request may cost, until ctx ends.
func NewWorkBudget(ctx context.Context) *WorkBudget {
	w := &WorkBudget{}
	w.renew(ctx, 0)
	return w
}

// renew allows everything anew, for a value of this many bytes.
func (w *WorkBudget) renew(ctx context.Context, bytes int) {
	*w = WorkBudget{
		ctx: ctx, visits: maxVisits, matches: maxMatches + matchesPerByte*bytes, errors: maxErrors, look: lookEvery,
	}
}

// again allows the same once more.
func (w *WorkBudget) again(bytes int) *WorkBudget {
	if w.partial { // all checks have one
		return w
	}
	more := &WorkBudget{}
	more.renew(w.ctx, bytes)
	return more
}

// evaluation begins to hold a value against a schema, which ends before the next one begins.
func (w *WorkBudget) evaluation() *evaluation {
	e := &w.judging
	*e = evaluation{work: w}
	e.path = e.few[:0]
	return e
}

// interrupted is the context's cause where that ended the work.
func (w *WorkBudget) interrupted() error {
	if w.err == nil || errors.Is(w.err, errWork) || errors.Is(w.err, errMatches) {
		return nil
	}
	return w.err
}

// step takes n steps, and reports whether the work may go on.
func (w *WorkBudget) step(n int) bool {
	w.visits -= n
	w.look -= n
	if w.look > 0 && w.visits >= 0 {
		return w.err == nil
	}
	return w.lookUp()
}

// rest looks at the context now and then, and takes nothing.
func (w *WorkBudget) rest() bool {
	w.look--
	return w.look > 0 && w.err == nil || w.lookUp()
}

func (w *WorkBudget) lookUp() bool {
	w.look = lookEvery
	switch {
	case w.err != nil:
	case w.ctx.Err() != nil:
		w.err = context.Cause(w.ctx)
	case w.visits < 0:
		w.err = errWork
	case w.matches < 0:
		w.err = errMatches
	default:
		runtime.Gosched()
	}
	return w.err == nil
}

// spend takes steps of a regular expression.
func (w *WorkBudget) spend(n int) error {
	w.matches -= n
	if w.look -= n; w.look <= 0 || w.matches < 0 {
		w.lookUp()
	}
	return w.err
}

// match reports whether a text has a match, which is not known if the work ended before.
func (w *WorkBudget) match(p *pattern.Pattern, text string) bool {
	if w.err != nil {
		return false
	}
	ok, _ := p.Match(text, w.spend)
	return ok
}
