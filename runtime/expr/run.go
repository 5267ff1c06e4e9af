package expr

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/common/types/traits"
	"cel.dev/cel-go/interpreter"
)

// run is one evaluation of a Template or Tree and what is left of its budget.
type run struct {
	vars cel.Activation
	cost uint64
	out  int
}

func start(ctx context.Context, vars map[string]any) (*run, error) {
	if err := ctx.Err(); err != nil {
		return nil, &Error{Column: 1, Message: "not evaluated: " + err.Error(), cause: err}
	}
	activation, err := cel.NewActivation(vars)
	if err != nil {
		return nil, &Error{Column: 1, Message: "not evaluated: " + err.Error()}
	}
	return &run{vars: activation, cost: MaxCost, out: MaxOutput}, nil
}

func (r *run) text(ctx context.Context, t *Template) (string, error) {
	var b strings.Builder
	for _, p := range t.parts {
		if p.program == nil {
			if err := r.spend(len(p.text)); err != nil {
				return "", p.failed(err)
			}
			b.WriteString(p.text)
			continue
		}
		value, err := r.value(ctx, p)
		if err != nil {
			return "", err
		}
		switch value := value.(type) {
		case nil:
			return "", p.failed(refusal("is null, which has no text"))
		case string:
			b.WriteString(value)
		default:
			text, err := appendJSON(nil, value)
			if err != nil {
				return "", p.failed(err)
			}
			b.Write(text)
		}
		if b.Len() > MaxOutput { // JSON's escapes can take more than plain counts for
			return "", p.failed(errOutput)
		}
	}
	return b.String(), nil
}

func (r *run) value(ctx context.Context, p part) (any, error) {
	out, details, err := p.program.ContextEval(ctx, r.vars)
	if err != nil {
		return nil, p.failed(explain(ctx, err))
	}
	if cost := details.ActualCost(); cost != nil {
		if *cost > r.cost {
			return nil, p.failed(errCost)
		}
		r.cost -= *cost
	}
	value, err := r.plain(out)
	if err != nil {
		return nil, p.failed(err)
	}
	return value, nil
}

// refusal is why an evaluation failed, in words that hold nothing of what it was applied to.
type refusal string

func (r refusal) Error() string { return string(r) }

const (
	errCost   = refusal("takes more work than is allowed")
	errOutput = refusal("gives more output than is allowed")
)

// failed names the expression.
func (p part) failed(err error) *Error {
	e := &Error{Column: max(p.column, 1), Message: fmt.Sprintf("${%s} %v", p.text, err)}
	if p.program == nil {
		e.Message = fmt.Sprintf("text %v", err)
	}
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		e.cause = err
	}
	return e
}

// failures are CEL's runtime errors by how their messages begin. The messages themselves may quote a value.
var failures = []struct {
	begins string
	reason refusal
}{
	{"no such key", "refers to a key or field that is not there"},
	{"no such attribute", "refers to a variable that is not there"},
	{"no such overload", "applies an operation to a value of the wrong type"},
	{"unsupported index type", "applies an operation to a value of the wrong type"},
	{"index out of bounds", "refers to an index that is not there"},
	{"divi", "divides by zero"},
	{"modulus by zero", "divides by zero"},
	{"integer overflow", "gives a number that is out of range"},
	{"unsigned integer overflow", "gives a number that is out of range"},
	{"range error", "gives a number that is out of range"},
	{"type conversion error", "converts a value that has no such form"},
	{"optional.none() dereference", "takes the value of an optional that has none"},
}

func explain(ctx context.Context, err error) error {
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

// spend takes bytes out of the output's budget.
func (r *run) spend(bytes int) error {
	r.out -= bytes
	if r.out < 0 {
		return errOutput
	}
	return nil
}

// scalarBytes is what a number, boolean or null counts for, and a comma or colon.
const scalarBytes = 4

// plain copies a value out of CEL, counting what it would take as JSON.
func (r *run) plain(v ref.Val) (any, error) {
	switch v := v.(type) {
	case types.String:
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
		return nil, refusal("gives an optional: end it with .orValue(…)")
	case traits.Mapper:
		return r.object(v)
	case traits.Lister:
		return r.list(v)
	}
	return nil, refusal("gives a value that JSON does not have")
}

func (r *run) list(v traits.Lister) (any, error) {
	size, _ := v.Size().(types.Int)
	if err := r.spend(int(size)); err != nil {
		return nil, err
	}
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
	object := map[string]any{}
	for it := v.Iterator(); it.HasNext() == types.True; {
		key := it.Next()
		name, ok := key.(types.String)
		if !ok {
			return nil, refusal("gives a map whose keys are not strings")
		}
		if err := r.spend(len(name) + scalarBytes); err != nil {
			return nil, err
		}
		member, err := r.plain(v.Get(key))
		if err != nil {
			return nil, err
		}
		object[string(name)] = member
	}
	return object, nil
}

// appendJSON writes what plain gives as compact JSON, names sorted, so that equal values have equal texts.
func appendJSON(dst []byte, v any) ([]byte, error) {
	switch v := v.(type) {
	case nil:
		return append(dst, "null"...), nil
	case bool:
		return strconv.AppendBool(dst, v), nil
	case int64:
		return strconv.AppendInt(dst, v, 10), nil
	case uint64:
		return strconv.AppendUint(dst, v, 10), nil
	case float64:
		return jsontext.AppendFloat(dst, v, 64), nil
	case string:
		return appendString(dst, v)
	case []any:
		return appendList(dst, v)
	case map[string]any:
		return appendObject(dst, v)
	}
	return dst, refusal("gives a value that JSON does not have")
}

func appendString(dst []byte, s string) ([]byte, error) {
	dst, err := jsontext.AppendQuote(dst, s)
	if err != nil {
		return dst, refusal("gives text that is not UTF-8")
	}
	return dst, nil
}

func appendList(dst []byte, list []any) ([]byte, error) {
	var err error
	dst = append(dst, '[')
	for i, item := range list {
		if i > 0 {
			dst = append(dst, ',')
		}
		if dst, err = appendJSON(dst, item); err != nil {
			return dst, err
		}
	}
	return append(dst, ']'), nil
}

func appendObject(dst []byte, object map[string]any) ([]byte, error) {
	var err error
	dst = append(dst, '{')
	for i, name := range slices.Sorted(maps.Keys(object)) {
		if i > 0 {
			dst = append(dst, ',')
		}
		if dst, err = appendString(dst, name); err != nil {
			return dst, err
		}
		dst = append(dst, ':')
		if dst, err = appendJSON(dst, object[name]); err != nil {
			return dst, err
		}
	}
	return append(dst, '}'), nil
}
