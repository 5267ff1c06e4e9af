package expr

import (
	"slices"

	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/types"
)

// Path is a value that an expression reads: a variable's name, then the names of members (string) and positions in lists
// (int), as far as the expression says them.
type Path []any

// Reads gives what the template's expressions read, without repetitions, in the order in which it stands there. Of a
// template that is nothing but such a value, it gives what lies at a place below it.
func (t *Template) Reads(below ...any) []Path {
	if t.isExpression() && t.parts[0].tree != nil {
		r := reader{vars: t.parts[0].vars}
		if path := r.path(t.parts[0].tree.Expr()); path != nil {
			return []Path{append(path, below...)}
		}
	}
	var all []Path
	for i := range t.parts {
		all = add(all, t.parts[i].reads()...)
	}
	return all
}

// Reads gives what the expressions at or below a place of the document read; a step that leads nowhere ends the way.
func (t *Tree) Reads(at ...any) []Path {
	n := t.root
	for i, step := range at {
		if n.template != nil {
			return n.template.Reads(at[i:]...)
		}
		next := n.child(step)
		if next == nil {
			break
		}
		n = next
	}
	return n.reads(nil)
}

func (n *node) child(step any) *node {
	i, isIndex := step.(int)
	if name, isName := step.(string); isName {
		i, isIndex = slices.Index(n.names, name), true
	}
	if !isIndex || i < 0 || i >= len(n.items) {
		return nil
	}
	return n.items[i]
}

func (n *node) reads(all []Path) []Path {
	if n.template != nil {
		return add(all, n.template.Reads()...)
	}
	for _, item := range n.items {
		all = item.reads(all)
	}
	return all
}

// EachRead visits what the template's expressions read, in time that grows with their lengths alone.
func (t *Template) EachRead(visit func(Path)) {
	for i := range t.parts {
		for _, path := range t.parts[i].reads() {
			visit(path)
		}
	}
}

// EachRead visits what the tree's expressions read, as a Template's does.
func (t *Tree) EachRead(visit func(Path)) { t.root.eachRead(visit) }

func (n *node) eachRead(visit func(Path)) {
	if n.template != nil {
		n.template.EachRead(visit)
	}
	for _, item := range n.items {
		item.eachRead(visit)
	}
}

func add(all []Path, more ...Path) []Path {
	for _, path := range more {
		if !slices.ContainsFunc(all, func(p Path) bool { return slices.Equal(p, path) }) {
			all = append(all, path)
		}
	}
	return all
}

func (p *part) reads() []Path {
	if p.tree == nil {
		return nil
	}
	r := reader{vars: p.vars}
	r.visit(p.tree.Expr())
	return r.found
}

// find gives the node with the id at or below e; nil for none.
func find(e ast.Expr, id int64) (found ast.Expr) {
	ast.PostOrderVisit(e, ast.NewExprVisitor(func(n ast.Expr) {
		if n.ID() == id {
			found = n
		}
	}))
	return found
}

// readsAt gives what the part of the expression reads that failed; all of the expression, if that is not known.
func (p *part) readsAt(id int64) []Path {
	if p.tree == nil || id == 0 {
		return p.reads()
	}
	whole := reader{vars: p.vars, id: id}
	whole.visit(p.tree.Expr())
	if whole.at != nil {
		return []Path{whole.at}
	}
	failed := find(p.tree.Expr(), id)
	if failed == nil {
		return whole.found
	}
	r := reader{vars: p.vars}
	if r.visit(failed); r.bound || len(r.found) == 0 {
		return whole.found
	}
	return r.found
}

// reader collects what an expression reads.
type reader struct {
	vars  Vars
	found []Path
	id    int64 // of a node
	at    Path  // that the node is a part of
	bound bool  // reads a variable of a macro, which stands for what the macro goes through
}

func (r *reader) visit(e ast.Expr) {
	if path := r.path(e); path != nil {
		r.found = add(r.found, path)
		if r.id != 0 && find(e, r.id) != nil {
			r.at = path
		}
		return
	}
	switch e.Kind() {
	case ast.IdentKind:
		r.bound = true
	case ast.SelectKind:
		r.visit(e.AsSelect().Operand())
	case ast.CallKind:
		for _, arg := range arguments(e) {
			r.visit(arg)
		}
	case ast.ListKind:
		for _, item := range e.AsList().Elements() {
			r.visit(item)
		}
	case ast.MapKind:
		for _, entry := range e.AsMap().Entries() {
			r.visit(entry.AsMapEntry().Key())
			r.visit(entry.AsMapEntry().Value())
		}
	case ast.ComprehensionKind:
		r.comprehension(e.AsComprehension())
	default:
	}
}

func (r *reader) comprehension(c ast.ComprehensionExpr) {
	before := r.bound
	r.visit(c.IterRange())
	outside := r.bound
	for _, e := range []ast.Expr{c.AccuInit(), c.LoopCondition(), c.LoopStep(), c.Result()} {
		r.visit(e)
	}
	r.bound = before || outside // its own variables stand for its range
}

// path gives the path that an expression is; nil if it is none.
func (r *reader) path(e ast.Expr) Path {
	switch e.Kind() {
	case ast.IdentKind:
		if _, known := r.vars[e.AsIdent()]; known {
			return Path{e.AsIdent()}
		}
	case ast.SelectKind:
		return r.below(e.AsSelect().Operand(), e.AsSelect().FieldName())
	case ast.CallKind:
		return r.called(e.AsCall())
	default:
	}
	return nil
}

func (r *reader) called(c ast.CallExpr) Path {
	switch c.FunctionName() {
	case asIntID, asDoubleID:
		return r.path(c.Args()[0])
	case operators.Index, operators.OptIndex, operators.OptSelect:
	default:
		return nil
	}
	if len(c.Args()) != 2 || c.Args()[1].Kind() != ast.LiteralKind {
		return nil
	}
	switch step := c.Args()[1].AsLiteral().(type) {
	case types.String:
		return r.below(c.Args()[0], string(step))
	case types.Int:
		return r.below(c.Args()[0], int(step))
	}
	return nil
}

func (r *reader) below(operand ast.Expr, step any) Path {
	if path := r.path(operand); path != nil {
		return append(path, step)
	}
	return nil
}
