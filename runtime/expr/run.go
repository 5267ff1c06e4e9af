package expr

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/common/types/traits"
	"cel.dev/cel-go/interpreter"

	"github.com/llmservice/llmservice/runtime/sysmon"
)

// run is one evaluation of a Template or Tree and what is left of its bounds.
type run struct {
	vars   map[string]any
	cost   uint64
	out    int
	memory int         // bytes that the values take that were copied out of CEL, and are not counted as given yet
	budget *CostBudget // of the request; nil if there is no other bound than these
}

func start(ctx context.Context, vars map[string]any, b *CostBudget) (run, error) {
	if err := ctx.Err(); err != nil {
		return run{}, &Error{Column: 1, Message: "not evaluated: " + err.Error(), cause: err}
	}
	return run{vars: vars, cost: MaxCost, out: MaxOutput, budget: b}, nil
}

// fewParts are those of most templates: their texts need no list of their own.
const fewParts = 8

func (r *run) text(ctx context.Context, t *Template) (string, error) {
	var few [fewParts]string
	texts, size := few[:0], 0
	for i := range t.parts {
		p := &t.parts[i]
		text, err := r.part(ctx, p)
		if err != nil {
			return "", err
		}
		texts = append(texts, text)
		if size += len(text); size > MaxOutput { // JSON's escapes can take more than plain counts for
			failed := p.failed(errOutput)
			failed.Reads = t.Reads()
			return "", failed
		}
	}
	return strings.Join(texts, ""), nil
}

// part gives a part's text.
func (r *run) part(ctx context.Context, p *part) (string, error) {
	if p.program == nil {
		if err := r.spend(len(p.text)); err != nil {
			return "", p.failed(err)
		}
		return p.text, nil
	}
	value, err := r.value(ctx, p)
	if err != nil {
		return "", err
	}
	text, err := asText(value)
	if err != nil {
		return "", p.failed(err)
	}
	return text, nil
}

// item gives the text of a value that is part of a longer one.
func (r *run) item(v ref.Val) (string, error) {
	value, err := r.plain(v)
	if err != nil {
		return "", err
	}
	return asText(value)
}

func asText(value any) (string, error) {
	switch value := value.(type) {
	case nil:
		return "", refusal("is null, which has no text")
	case string:
		return value, nil
	}
	text, err := appendJSON(nil, value)
	return string(text), err
}

// expression gives the value of a template that is one expression.
func (r *run) expression(ctx context.Context, t *Template) (any, error) {
	value, err := r.value(ctx, &t.parts[0])
	if err != nil {
		return nil, err
	}
	if !t.want.has(value) {
		return nil, t.parts[0].failed(refusal("does not give " + t.want.String()))
	}
	return value, nil
}

func (r *run) value(ctx context.Context, p *part) (any, error) {
	if value, found := lookUp(r.vars, p.way); found {
		return r.member(ctx, p, value)
	}
	out, err := r.eval(ctx, p)
	if err != nil {
		failed := p.failed(explain(ctx, err))
		if at, ok := errors.AsType[*types.Err](err); ok {
			failed.Reads = p.readsAt(at.NodeID())
		}
		return nil, failed
	}
	value, err := r.plain(out)
	if err != nil {
		return nil, p.failed(err)
	}
	r.give()
	return value, nil
}

// give counts the memory of what was given.
func (r *run) give() {
	r.budget.give(r.memory)
	r.memory = 0
}

func (r *run) eval(ctx context.Context, p *part) (out ref.Val, err error) {
	reserved, err := r.budget.reserve(ctx, r.cost)
	if err != nil {
		return nil, err
	}
	var cost uint64
	defer func() {
		if spent := r.charge(reserved, cost); err == nil {
			err = spent
		}
	}()
	vars, err := cel.NewActivation(r.vars)
	if err != nil {
		return nil, err //nolint:wrapcheck // it is explained by the caller
	}
	sysmon.Wake() // an expression may compute for long on little input, and CEL never gives way
	out, details, err := p.program.ContextEval(ctx, vars)
	if actual := details.ActualCost(); actual != nil {
		cost = *actual
	}
	return out, err //nolint:wrapcheck // it is explained by the caller
}

func (r *run) charge(reserved int64, cost uint64) error {
	if err := r.budget.settle(reserved, cost); err != nil {
		return err
	}
	if cost > r.cost {
		return errCost
	}
	r.cost -= cost
	return nil
}

// refusal is why an evaluation failed, in words that hold nothing of what it was applied to.
type refusal string

func (r refusal) Error() string { return string(r) }

func isRefusal(err error) bool {
	_, ok := errors.AsType[refusal](err)
	return ok
}

// failed names the expression.
func (p *part) failed(err error) *Error {
	e := &Error{Column: p.column, Message: fmt.Sprintf("${%s} %v", p.text, err), Reason: err.Error(), Reads: p.reads()}
	if p.program == nil {
		e.Message = fmt.Sprintf("text %v", err)
	}
	switch {
	case isBound(err):
		e.cause = ErrSpent
	case !isRefusal(err): // a context that has ended
		e.cause = err
	}
	return e
}

// failures are CEL's runtime errors by how their messages begin. The messages themselves may quote a value.
var failures = []struct {
	begins string
	reason refusal
}{
	{"no such key", "refers to a key or field that does not exist"},
	{"no such attribute", "refers to a variable that does not exist"},
	{"no such overload", "applies an operation to a value of the wrong type"},
	{"unsupported index type", "applies an operation to a value of the wrong type"},
	{"index out of bounds", "refers to an index that does not exist"},
	{"divi", "divides by zero"},
	{"modulus by zero", "divides by zero"},
	{"integer overflow", "returns a number that is out of range"},
	{"unsigned integer overflow", "returns a number that is out of range"},
	{"range error", "returns a number that is out of range"},
	{"type conversion error", "converts a value that has no such form"},
	{"invalid RFC 3339 timestamp", "converts a value that has no such form"},
	{"optional.none() dereference", "takes the value of an optional that has none"},
}

func explain(ctx context.Context, err error) error {
	if r, ok := errors.AsType[refusal](err); ok {
		return r
	}
	if cancelled, ok := errors.AsType[interpreter.EvalCancelledError](err); ok && cancelled.Cause == interpreter.CostLimitExceeded {
		return errCost
	}
	if errors.Is(err, interpreter.InterruptError{}) || ctx.Err() != nil {
		return fmt.Errorf("was interrupted: %w", ctx.Err())
	}
	for _, f := range failures {
		if strings.HasPrefix(err.Error(), f.begins) {
			return f.reason
		}
	}
	return refusal("cannot be evaluated")
}

// spend takes bytes out of what may be put out.
func (r *run) spend(bytes int) error {
	r.out -= bytes
	if r.out < 0 {
		return errOutput
	}
	return r.budget.spendBytes(bytes)
}

// What a copy takes in memory besides its strings, in bytes: an object with its first eight members, a further member, and
// an item.
const (
	objectMemory = 352
	memberMemory = 48
	itemMemory   = 24
)

// scalarBytes is what a number, boolean or null counts for, and a comma or colon.
const scalarBytes = 4

// plain copies a value out of CEL, counting what it would take as JSON.
func (r *run) plain(v ref.Val) (any, error) {
	switch v := v.(type) {
	case types.String:
		r.memory += len(v)
		return string(v), r.spend(len(v))
	case types.Bytes: // as protobuf's JSON mapping has it, and CEL after it; likewise below
		return base64.StdEncoding.EncodeToString(v), r.spend(base64.StdEncoding.EncodedLen(len(v)))
	case types.Bool:
		return bool(v), r.spend(scalarBytes)
	case types.Int:
		return int64(v), r.spend(scalarBytes)
	case types.Uint:
		return uint64(v), r.spend(scalarBytes)
	case types.Double:
		if f := float64(v); math.IsNaN(f) || math.IsInf(f, 0) {
			return nil, refusal("is not a finite number")
		}
		return float64(v), r.spend(scalarBytes)
	case types.Null:
		return nil, r.spend(scalarBytes)
	case types.Timestamp:
		return v.UTC().Format(time.RFC3339Nano), r.spend(len(time.RFC3339Nano))
	case types.Duration:
		return strconv.FormatFloat(v.Seconds(), 'f', -1, 64) + "s", r.spend(scalarBytes)
	case *types.Optional:
		return nil, refusal("returns an optional: end it with .orValue(…)")
	case traits.Mapper:
		return r.object(v)
	case traits.Lister:
		return r.list(v)
	}
	return nil, refusal("returns a value that JSON does not have")
}

func (r *run) list(v traits.Lister) (any, error) {
	size, _ := v.Size().(types.Int)
	if err := r.spend(int(size)); err != nil {
		return nil, err
	}
	r.memory += itemMemory * int(size)
	list := make([]any, 0, size)
	for it := v.Iterator(); it.HasNext() == types.True; {
		item, err := r.plain(it.Next())
		if err != nil {
			return nil, err
		}
		list = append(list, item)
	}
	return list, nil
}

func (r *run) object(v traits.Mapper) (any, error) {
	r.memory += objectMemory
	object := map[string]any{}
	for it := v.Iterator(); it.HasNext() == types.True; {
		key := it.Next()
		name, ok := key.(types.String)
		if !ok {
			return nil, refusal("returns a map whose keys are not strings")
		}
		if err := r.spend(len(name) + scalarBytes); err != nil {
			return nil, err
		}
		r.memory += len(name) + memberMemory
		member, err := r.plain(v.Get(key))
		if err != nil {
			return nil, err
		}
		object[string(name)] = member
	}
	return object, nil
}
