package expr

import (
	"fmt"

	"cel.dev/cel-go/common/ast"
)

// What makes checking an expression expensive. The type of a list of lists has as many levels as these, and the checker
// compares, copies and writes types at each: two hundred levels took it two gigabytes.
const (
	// maxNesting bounds the lists, maps and macros that stand within each other; macros in a row count for a third.
	maxNesting = 20
	inARow     = 3
	// maxChecks bounds the nodes of an expression times the passes in which it is checked.
	maxChecks = 50_000
	// checksPerByte is what an expression that is not one counts for: its parser looks for what is wrong.
	checksPerByte = 32
)

// Checked is what checking all expressions so far has taken: their nodes, each times the levels that it stands within.
func (e *Env) Checked() int { return int(e.checked.Load()) }

// measure counts the nodes of an expression, and refuses one that is nested too deeply.
func (e *Env) measure(root ast.Expr) (nodes int, err error) {
	m := meter{}
	m.add(root, 0)
	e.checked.Add(int64(m.weight))
	if m.deepest > maxNesting*inARow {
		err = fmt.Errorf("lists, maps and macros are nested more than %d levels deep, or follow each other more than %d times",
			maxNesting, maxNesting*inARow)
	}
	return m.nodes, err
}

type meter struct{ nodes, deepest, weight int }

// add counts a node at a level. The parser has bounded how deep nodes are.
func (m *meter) add(e ast.Expr, level int) {
	m.nodes++
	m.weight += 1 + level/inARow
	m.deepest = max(m.deepest, level)
	switch e.Kind() { //nolint:exhaustive // the others hold nothing
	case ast.ListKind, ast.MapKind, ast.StructKind:
		level += inARow
	case ast.ComprehensionKind:
		m.add(e.AsComprehension().IterRange(), level+1)
		level += inARow
	}
	for _, within := range parts(e) {
		m.add(within, level)
	}
}

// parts lists the nodes that a node holds.
func parts(e ast.Expr) []ast.Expr {
	var all []ast.Expr
	switch e.Kind() { //nolint:exhaustive // likewise
	case ast.CallKind:
		return arguments(e)
	case ast.SelectKind:
		return []ast.Expr{e.AsSelect().Operand()}
	case ast.ListKind:
		return e.AsList().Elements()
	case ast.MapKind:
		for _, entry := range e.AsMap().Entries() {
			all = append(all, entry.AsMapEntry().Key(), entry.AsMapEntry().Value())
		}
	case ast.StructKind:
		for _, field := range e.AsStruct().Fields() {
			all = append(all, field.AsStructField().Value())
		}
	case ast.ComprehensionKind:
		c := e.AsComprehension()
		return []ast.Expr{c.AccuInit(), c.LoopCondition(), c.LoopStep(), c.Result()} // and what it goes over
	}
	return all
}
