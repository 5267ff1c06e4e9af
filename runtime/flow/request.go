package flow

import (
	"context"
	"maps"
	"net/http"
	"time"

	"github.com/llmservice/llmservice/runtime/expr"
	"github.com/llmservice/llmservice/runtime/problem"
	"github.com/llmservice/llmservice/runtime/relay"
	"github.com/llmservice/llmservice/runtime/requestlog"
)

// maxWork bounds the expressions of one request, in CEL's units of cost.
const maxWork = 10 * expr.MaxCost

// request is shared by all work for one request.
type request struct {
	*Route
	// record is nil if the request is not logged.
	record *requestlog.Record
	budget budget
	memory relay.Memory
	work   *expr.CostBudget
	body   int // bytes
	seen   any // the request as templates of its route see it
	began  time.Time
	// deadline is the route's: for a whole answer, or for a stream's first content. late is the failure that it causes, and end
	// ends the context of what is done until then.
	deadline time.Time
	late     error
	end      context.CancelFunc
	stream   *stream     // nil for a whole answer
	head     http.Header // that the route gives a stream
	model    string      // the name under which the route was requested; empty for none
	account  account
	whole    frame // the view of the route's steps
}

var (
	errLate error = relay.Failure{Kind: relay.FailedTimeout}
	errOver error = relay.Failure{Kind: relay.FailedDuration}
)

// newRequest begins a request, whose answer may be a stream.
func newRequest(ctx context.Context, r *Route, req *relay.Request, streamed bool) *request {
	q := &request{
		Route: r, record: requestlog.Of(ctx), memory: req.Memory, body: len(req.Body), began: time.Now(),
		work: expr.NewCostBudget(maxWork, r.Budget.MaxBytes), late: errLate,
	}
	q.budget.grant(r.Budget)
	patience := r.Timeout.Std()
	if most := r.MaxStreamDuration.Std(); streamed && most > 0 && most <= patience {
		patience, q.late = most, errOver
	}
	q.deadline = q.began.Add(patience)
	return q
}

// within is the context of the decision, and of a whole answer: it ends at the deadline.
func (q *request) within(ctx context.Context) context.Context {
	ctx, q.end = context.WithDeadlineCause(ctx, q.deadline, q.late)
	return ctx
}

// decided is a verdict after which nothing needs the context of the decision, unless it is used to produce a whole answer.
func (q *request) decided(v relay.Verdict) relay.Verdict {
	if v.Produce == nil {
		q.end()
	}
	return v
}

// bounded gives a stream the time that the route leaves it: the time before it counts.
func (q *request) bounded(s *relay.Stream) *relay.Stream {
	now := time.Now()
	s.Header = q.head
	most := q.env.MaxStreamDuration
	if own := q.MaxStreamDuration.Std(); own > 0 {
		most = min(most, own)
	}
	s.Timeout, s.MaxDuration = q.deadline.Sub(now), q.began.Add(most).Sub(now)
	return s
}

// reserve reserves memory for what the request makes itself. What the replica cannot hold at all is beyond its budget.
func (q *request) reserve(ctx context.Context, bytes int) error {
	err := q.memory.Reserve(ctx, bytes)
	if relay.FailureKindOf(err) == relay.FailedTooLarge {
		return relay.Failure{Kind: relay.FailedBudget, Err: err}
	}
	return err //nolint:wrapcheck // it is a Failure already
}

// frame is one step's view: the variables, and where its tokens go.
type frame struct {
	*request
	vars map[string]any
	// name is the name of the step in events, or of the branch as GATHER.BRANCH; empty within functions.
	name string
	// inFunction means that steps here have no names in events. The tokens of the step streamed, if there is one, go where those of
	// the function's call do: through.
	inFunction bool
	streamed   string
	through    *outlet
	// tokens takes the step's tokens as they come; nil if nothing needs them.
	tokens *outlet
	// running are the steps of the running list, and known the variables in addition to them, for blame.
	running []*step
	known   *known
	// parts counts what runs at once in the step around this; nil if nothing does.
	parts *parts
	// siblings is how many calls of models may run at once, including the frame's; 0 means 1.
	siblings int
}

// frame is the view of the route's steps.
func (q *request) frame(vars map[string]any) *frame {
	q.whole = frame{request: q, vars: vars}
	return &q.whole
}

// beside is the frame of one of several parts of a step that run at once, of which this many may ask models.
func (f *frame) beside(asking int) *frame {
	inner := *f
	inner.siblings = max(f.siblings, 1) * max(asking, 1)
	return &inner
}

// parted is the frame of a step that runs several parts at once.
func (f *frame) parted() *frame {
	inner := *f
	inner.parts = &parts{memory: f.memory}
	return &inner
}

// with is the frame with one more variable.
func (f *frame) with(name string, value any) *frame {
	inner := *f
	inner.vars = maps.Clone(f.vars)
	inner.vars[name] = value
	return &inner
}

// text evaluates a template.
func (f *frame) text(ctx context.Context, t *expr.Template) (string, error) {
	if literal, ok := t.Literal(); ok {
		return literal, nil
	}
	return evaluate(ctx, f, func(b *expr.CostBudget) (string, error) { return t.Text(ctx, f.vars, b) })
}

func (f *frame) value(ctx context.Context, t *expr.Template) (any, error) {
	return evaluate(ctx, f, func(b *expr.CostBudget) (any, error) { return t.Value(ctx, f.vars, b) })
}

func (f *frame) tree(ctx context.Context, t *expr.Tree) (any, error) {
	if t == nil {
		return nil, nil //nolint:nilnil // null is a value like any other
	}
	return evaluate(ctx, f, func(b *expr.CostBudget) (any, error) { return t.Value(ctx, f.vars, b) })
}

func (f *frame) json(ctx context.Context, t *expr.Tree) ([]byte, error) {
	if t == nil {
		return []byte("null"), nil
	}
	encoded, err := evaluate(ctx, f, func(b *expr.CostBudget) ([]byte, error) { return t.JSON(ctx, f.vars, b) })
	if err != nil {
		return nil, err
	}
	return encoded, f.reserve(ctx, cap(encoded))
}

// weight is how much expressions and checks may walk over, in bytes: the request's body, and the answers that were kept.
func (f *frame) weight() int { return f.body + f.budget.kept() }

// evaluate admits the work of an expression, and decides who gets its error. It waits for the memory of the result after its
// worker is free again, because those that hold memory may be waiting for a worker.
func evaluate[T any](ctx context.Context, f *frame, work func(*expr.CostBudget) (T, error)) (T, error) {
	budget := f.work.Apart()
	value, err := admitted(ctx, f.env, f.weight(), func() (T, error) { return work(budget) })
	if err != nil {
		return value, f.blamed(err)
	}
	return value, f.reserve(ctx, budget.Given())
}

// admitted does work on this many bytes, once that is allowed. Such work never waits for other work of its kind or for memory,
// and calls no upstream.
func admitted[T any](ctx context.Context, env *Environment, size int, work func() (T, error)) (T, error) {
	release, err := env.Heavy(ctx, size)
	if err != nil {
		var none T
		return none, err //nolint:wrapcheck // it names what was waited for
	}
	defer release()
	return work()
}

// checked is the result of checking a value against a schema.
type checked[T any] struct {
	value      T
	violations []problem.Violation
}

// check admits the check of this many bytes, which ends when ctx does.
func check[T any](
	ctx context.Context, env *Environment, size int, work func() (T, []problem.Violation, error),
) (T, []problem.Violation, error) {
	done, err := admitted(ctx, env, size, func() (c checked[T], err error) {
		c.value, c.violations, err = work()
		return c, err
	})
	return done.value, done.violations, err
}
