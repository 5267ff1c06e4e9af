package expr

import (
	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
)

// Outcomes gives values that the template's expression may return, as far as it says them: literals, those of either side of a
// condition, what stands in for a value that is missing, and, of what it reads, those that of gives. It may return others, too.
func (t *Template) Outcomes(of func(Path) []any) []any {
	if !t.isExpression() || t.parts[0].tree == nil {
		return nil
	}
	if value, ok := t.Constant(nil); ok {
		return []any{value}
	}
	o := outcomes{reader: reader{vars: t.parts[0].vars}, of: of}
	o.add(t.parts[0].tree.Expr())
	return o.found
}

type outcomes struct {
	reader

	of    func(Path) []any
	found []any
}

func (o *outcomes) add(e ast.Expr) {
	if path := o.path(e); path != nil {
		o.found = append(o.found, o.of(path)...)
		return
	}
	switch e.Kind() { //nolint:exhaustive // the others have to be evaluated
	case ast.LiteralKind:
		if value, ok := plainLiteral(e.AsLiteral()); ok {
			o.found = append(o.found, value)
		}
	case ast.CallKind:
		o.call(e.AsCall())
	}
}

func (o *outcomes) call(c ast.CallExpr) {
	switch c.FunctionName() {
	case operators.Conditional:
		o.add(c.Args()[1])
		o.add(c.Args()[2])
	case "orValue":
		o.add(c.Target())
		o.add(c.Args()[0])
	}
}

// plainLiteral is a literal as Value would give it, if it is a scalar.
func plainLiteral(v ref.Val) (any, bool) {
	switch v := v.(type) {
	case types.String:
		return string(v), true
	case types.Int:
		return int64(v), true
	case types.Double:
		return float64(v), true
	case types.Bool:
		return bool(v), true
	}
	return nil, false
}
