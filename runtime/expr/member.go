package expr

import (
	"context"
	"math"

	"cel.dev/cel-go/common/ast"
)

// Most expressions are nothing but the way to a member, such as request.body.question. CEL takes microseconds and dozens of
// allocations for one, so what lies there is looked up without it, if it is a text, a number or a boolean. Everything else is for
// CEL: what may be missing, what is missing though it may not be, and what has to be copied.

// wayOf gives the names on the way to the member that an expression is; nil if it is anything else.
func wayOf(e ast.Expr, vars Vars) []string {
	switch e.Kind() {
	case ast.IdentKind:
		if _, known := vars[e.AsIdent()]; known {
			return []string{e.AsIdent()}
		}
	case ast.SelectKind:
		s := e.AsSelect()
		if way := wayOf(s.Operand(), vars); way != nil && !s.IsTestOnly() {
			return append(way, s.FieldName())
		}
	default:
	}
	return nil
}

// lookUp gives the text, number or boolean at the end of a way; false if there is none.
func lookUp(vars map[string]any, way []string) (value any, found bool) {
	value = vars
	for _, name := range way {
		object, _ := value.(map[string]any)
		if value, found = object[name]; !found {
			return nil, false
		}
	}
	switch v := value.(type) {
	case string, bool, int64:
		return value, true
	case float64:
		return value, !math.IsNaN(v) && !math.IsInf(v, 0)
	}
	return nil, false
}

// member gives a value that was looked up, at the cost that it has in CEL: one for each name.
func (r *run) member(ctx context.Context, p *part, value any) (any, error) {
	cost := uint64(len(p.way))
	reserved, err := r.budget.reserve(ctx, cost)
	if err == nil {
		err = r.charge(reserved, cost)
	}
	if err != nil {
		return nil, p.failed(explain(ctx, err))
	}
	bytes := scalarBytes
	if text, isText := value.(string); isText {
		bytes = len(text)
		r.memory += bytes
	}
	if err = r.spend(bytes); err != nil {
		return nil, p.failed(err)
	}
	r.give()
	return value, nil
}
