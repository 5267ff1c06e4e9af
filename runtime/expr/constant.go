package expr

import (
	"context"
	"math"
	"slices"

	"cel.dev/cel-go/common/ast"
)

// An expression that reads no variable has the same value for every request. So it is evaluated when the configuration loads, and
// refused if it fails: there is no request for which it would succeed. That also applies to a part that only some requests
// reach, in a branch of `a ? b : c` or after `a ||`; but not to one within a larger part that reads nothing either and does
// not fail.

// costPerCheck of evaluating what is constant takes at most about the time of one check.
const costPerCheck = 10

// constantPart evaluates a part of an expression that reads nothing.
func (e *Env) constantPart(p *part, n ast.Expr) error {
	within := ast.NewCheckedAST(ast.NewAST(n, p.tree.SourceInfo()), p.tree.TypeMap(), p.tree.ReferenceMap())
	program, err := e.shared.cel.PlanProgram(within, e.shared.options...) // which converts what is literal
	if err != nil {
		return p.alwaysFails(n, explain(context.Background(), err))
	}
	if _, err := e.once(&part{program: program}); err != nil {
		return p.alwaysFails(n, err)
	}
	return nil
}

// once evaluates what reads nothing. What it takes counts as checking does.
func (e *Env) once(p *part) (any, error) {
	ctx := context.Background()
	r, err := start(ctx, nil, nil)
	if err != nil {
		return nil, err
	}
	out, err := r.eval(ctx, p)
	taken := MaxCost - r.cost
	if err != nil {
		err = explain(ctx, err)
		taken = MaxCost // of which it is not known how much was left
	}
	e.checked.Add(int64(taken / costPerCheck))
	if err != nil {
		return nil, err
	}
	if p.tree == nil { // a part, which need not be a value that can be put out
		return nil, nil //nolint:nilnil // no caller asks for it
	}
	return r.plain(out)
}

// alwaysFails names the part of the expression by where it begins.
func (p *part) alwaysFails(n ast.Expr, err error) *Error {
	first := int32(math.MaxInt32)
	ast.PostOrderVisit(n, ast.NewExprVisitor(func(n ast.Expr) {
		if place, ok := p.tree.SourceInfo().GetOffsetRange(n.ID()); ok {
			first = min(first, place.Start)
		}
	}))
	if first == math.MaxInt32 {
		first = 0
	}
	return &Error{
		Column: p.column + int(first), Reason: err.Error(),
		Message: "always fails, because it " + err.Error() + "; want an expression that has a value",
	}
}

// isConstant reports whether the template is the same for all variables.
func (t *Template) isConstant() bool {
	return !slices.ContainsFunc(t.parts, func(p part) bool { return p.program != nil && !p.constant })
}

// seeker finds the largest parts of an expression that read no variable, and may fail.
type seeker struct {
	vars  Vars
	bound []string // by the macros around
}

// reading is what a node reads: variables of the place, and those of macros around it, by name.
type reading struct {
	variable bool
	bound    []string
}

func (r reading) nothing() bool { return !r.variable && len(r.bound) == 0 }

func (r reading) and(other reading) reading {
	r.variable = r.variable || other.variable
	for _, name := range other.bound {
		if !slices.Contains(r.bound, name) {
			r.bound = append(r.bound, name)
		}
	}
	return r
}

func (s *seeker) seek(e ast.Expr) (reading, []ast.Expr) {
	switch e.Kind() { //nolint:exhaustive // the others hold parts
	case ast.LiteralKind:
		return reading{}, nil
	case ast.IdentKind:
		return s.name(e.AsIdent()), nil
	case ast.ComprehensionKind:
		return s.macro(e)
	}
	return s.largest(e, parts(e), reading{}, nil)
}

func (s *seeker) name(name string) reading {
	switch _, known := s.vars[name]; {
	case slices.Contains(s.bound, name):
		return reading{bound: []string{name}}
	case known:
		return reading{variable: true}
	}
	return reading{} // a type's
}

func (s *seeker) macro(e ast.Expr) (reading, []ast.Expr) {
	c := e.AsComprehension()
	own := []string{c.IterVar(), c.IterVar2(), c.AccuVar()}
	inner := seeker{vars: s.vars, bound: append(slices.Clip(s.bound), own...)}
	var all reading
	var found []ast.Expr
	for _, within := range parts(e) {
		reads, more := inner.seek(within)
		all, found = all.and(reads), append(found, more...)
	}
	all.bound = slices.DeleteFunc(all.bound, func(name string) bool { return slices.Contains(own, name) })
	return s.largest(e, []ast.Expr{c.IterRange()}, all, found)
}

// largest adds what is found in parts of a node, or has the node itself in their place.
func (s *seeker) largest(e ast.Expr, within []ast.Expr, all reading, found []ast.Expr) (reading, []ast.Expr) {
	for _, part := range within {
		reads, more := s.seek(part)
		all, found = all.and(reads), append(found, more...)
	}
	if !all.nothing() || e.Kind() == ast.ListKind { // a list fails only with what it holds
		return all, found
	}
	return all, []ast.Expr{e}
}
