package expr

import (
	"slices"
	"strings"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/checker"
	"cel.dev/cel-go/common"
	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/overloads"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/parser"
)

// maxPasses bounds how often an expression is checked. Each pass resolves one more level of `a.b.c` in which every part may
// be missing, and of calls within calls.
const maxPasses = 32

// check gives the expression with its types, rewritten to what CEL can run. CEL's checker knows objects only as
// protobuf's messages, which are not maps and whose members are never missing; so its view is corrected between passes:
//   - `a.b` and `a.?b` have one optional type where b may be missing, also where a may be;
//   - `a["b"]` is `a.b`; and where a function takes maps, an object is one.
func (e *Env) check(parsed *cel.Ast, passes int) (*ast.AST, *common.Errors) {
	m := &mender{Env: e, tree: parsed.NativeRep(), factory: ast.NewExprFactory()}
	m.next = ast.MaxID(m.tree) + 1
	m.visit(m.markOptionalSelects)
	var errs *common.Errors
	for range min(maxPasses, passes) {
		m.changed = false
		m.tree, errs = checker.Check(m.tree, parsed.Source(), e.checker)
		if m.visit(m.mendSelect); !m.changed { // what calls are given is only known then
			m.visit(m.mendUse)
		}
		if !m.changed {
			break
		}
	}
	if m.changed && len(errs.GetErrors()) == 0 {
		errs.ReportErrorString(common.NoLocation, "values that may be missing are nested too deeply")
	}
	if len(errs.GetErrors()) == 0 {
		m.visit(func(n ast.Expr) { m.refuse(n, errs) })
		m.visit(m.settle)
	}
	return m.tree, errs
}

type mender struct {
	*Env
	tree    *ast.AST
	factory ast.ExprFactory
	next    int64 // the id of the next new node
	changed bool
}

func (m *mender) visit(f func(ast.Expr)) { ast.PostOrderVisit(m.tree.Expr(), ast.NewExprVisitor(f)) }

func (m *mender) id() int64 {
	m.next++
	return m.next - 1
}

// replace puts another node in place of e.
func (m *mender) replace(e, other ast.Expr) {
	e.SetKindCase(other)
	m.changed = true
}

// call makes e a call of the function with what e was as its argument.
func (m *mender) call(function string, e ast.Expr) {
	inner := m.factory.NewUnspecifiedExpr(m.id())
	inner.SetKindCase(e)
	m.tree.SetType(inner.ID(), m.tree.GetType(e.ID()))
	if r, ok := m.tree.ReferenceMap()[e.ID()]; ok {
		m.tree.SetReference(inner.ID(), r)
	}
	info := m.tree.SourceInfo()
	if place, ok := info.GetOffsetRange(e.ID()); ok {
		info.SetOffsetRange(inner.ID(), place)
	}
	m.replace(e, m.factory.NewCall(e.ID(), function, inner))
}

// structure gives the object that e is, also within an optional.
func (m *mender) structure(e ast.Expr) (o *object, optional bool) {
	t := m.tree.GetType(e.ID())
	if isOptional(t) {
		optional, t = true, t.Parameters()[0]
	}
	if t.Kind() != types.StructKind {
		return nil, optional
	}
	return m.objects[t.TypeName()], optional
}

func isOptional(t *types.Type) bool {
	return t.Kind() == types.OpaqueKind && t.TypeName() == "optional_type"
}

func (m *mender) markOptionalSelects(e ast.Expr) {
	if field, name, ok := optionalSelect(e); ok {
		m.replace(field, m.factory.NewLiteral(field.ID(), types.String(unwrapped+name)))
	}
}

// optionalSelect takes `a.?b` apart.
func optionalSelect(e ast.Expr) (field ast.Expr, name string, ok bool) {
	if e.Kind() != ast.CallKind || e.AsCall().FunctionName() != operators.OptSelect || len(e.AsCall().Args()) != 2 {
		return nil, "", false
	}
	field = e.AsCall().Args()[1]
	name, ok = literalString(field)
	return field, name, ok
}

func literalString(e ast.Expr) (string, bool) {
	if e.Kind() != ast.LiteralKind {
		return "", false
	}
	s, ok := e.AsLiteral().(types.String)
	return string(s), ok
}

// mendSelect marks the name of a member that may be missing in an object that may be.
func (m *mender) mendSelect(e ast.Expr) {
	if e.Kind() != ast.SelectKind {
		return
	}
	s := e.AsSelect()
	o, optional := m.structure(s.Operand())
	if o == nil || !optional || s.IsTestOnly() || strings.HasPrefix(s.FieldName(), unwrapped) {
		return
	}
	if t, ok := o.field(s.FieldName()); ok && t.IsOptional() {
		m.replace(e, m.factory.NewSelect(e.ID(), s.Operand(), unwrapped+s.FieldName()))
	}
}

// mendUse makes an object a map to what wants one.
func (m *mender) mendUse(e ast.Expr) {
	switch e.Kind() {
	case ast.CallKind:
		m.mendCall(e)
	case ast.ComprehensionKind:
		over := e.AsComprehension().IterRange()
		if o, optional := m.structure(over); o != nil && !optional {
			m.call(overloads.TypeConvertDyn, over)
		}
	default:
	}
}

// takesMaps are functions that have a sense for objects as for maps, by name.
var takesMaps = map[string]bool{
	operators.Equals: true, operators.NotEquals: true, operators.Conditional: true, operators.In: true,
	operators.Index: true, operators.OptIndex: true, operators.Add: true, overloads.Size: true, "or": true, "orValue": true,
}

func (m *mender) mendCall(e ast.Expr) {
	if m.tree.GetType(e.ID()).Kind() != types.ErrorKind || m.indexToSelect(e) {
		return
	}
	name, all := e.AsCall().FunctionName(), arguments(e)
	if !takesMaps[name] || !m.anyObject(all) {
		return
	}
	for _, arg := range all {
		switch m.tree.GetType(arg.ID()).Kind() {
		case types.StructKind, types.MapKind:
			if name == operators.Add {
				return
			}
			m.call(overloads.TypeConvertDyn, arg)
		case types.ListKind:
			m.call(overloads.TypeConvertDyn, arg)
		default:
		}
	}
}

// arguments of a call, with what it is a member of.
func arguments(e ast.Expr) []ast.Expr {
	c := e.AsCall()
	if c.IsMemberFunction() {
		return append([]ast.Expr{c.Target()}, c.Args()...)
	}
	return c.Args()
}

// indexToSelect makes `a["b"]` of an object what `a.b` is. Of an object whose members are all known, no other index will do.
func (m *mender) indexToSelect(e ast.Expr) bool {
	c := e.AsCall()
	name := c.FunctionName()
	if name != operators.Index && name != operators.OptIndex || len(c.Args()) != 2 {
		return false
	}
	o, _ := m.structure(c.Args()[0])
	if o == nil {
		return false
	}
	field, ok := literalString(c.Args()[1])
	switch {
	case !ok || strings.HasPrefix(field, unwrapped):
		return !o.open
	case name == operators.OptIndex:
		mark := m.factory.NewLiteral(c.Args()[1].ID(), types.String(unwrapped+field))
		m.replace(e, m.factory.NewCall(e.ID(), operators.OptSelect, c.Args()[0], mark))
	default:
		m.replace(e, m.factory.NewSelect(e.ID(), c.Args()[0], field))
	}
	return true
}

// anyObject reports whether objects, or lists and the like of them, are among the arguments, and none has an error itself.
func (m *mender) anyObject(args []ast.Expr) bool {
	found := false
	for _, arg := range args {
		t := m.tree.GetType(arg.ID())
		if t.Kind() == types.ErrorKind {
			return false
		}
		found = found || mentionsObject(t)
	}
	return found
}

func mentionsObject(t *types.Type) bool {
	return t.Kind() == types.StructKind || slices.ContainsFunc(t.Parameters(), mentionsObject)
}

// refuse finds what CEL lets pass, because it takes anything, but what is missing makes senseless: a comparison to what is
// never missing, and text made of optionals.
func (m *mender) refuse(e ast.Expr, errs *common.Errors) {
	if e.Kind() != ast.CallKind {
		return
	}
	all := arguments(e)
	message := "a value that may be missing needs .orValue(…) first"
	switch e.AsCall().FunctionName() {
	case operators.Equals, operators.NotEquals:
		a, b := m.tree.GetType(all[0].ID()), m.tree.GetType(all[1].ID())
		if isOptional(a) == isOptional(b) {
			return
		}
		if a.Kind() == types.NullTypeKind || b.Kind() == types.NullTypeKind {
			message = "a value that may be missing is not null: test it with has(…)"
		}
	case operators.In:
		if !isOptional(m.tree.GetType(all[0].ID())) || mentionsOptional(m.tree.GetType(all[1].ID())) {
			return
		}
	case "join", "json":
		if !mentionsOptional(m.tree.GetType(all[0].ID())) {
			return
		}
	default:
		return
	}
	errs.ReportErrorAtID(e.ID(), m.tree.SourceInfo().GetStartLocation(e.ID()), "%s", message)
}

// settle makes a checked tree one that can be run: members that may be missing are looked for, marks go, and numbers
// that came as the other kind of JSON number become what their type says.
func (m *mender) settle(e ast.Expr) {
	if field, name, ok := optionalSelect(e); ok {
		m.replace(field, m.factory.NewLiteral(field.ID(), types.String(strings.TrimPrefix(name, unwrapped))))
	}
	if e.Kind() == ast.SelectKind && !e.AsSelect().IsTestOnly() {
		m.settleSelect(e)
	}
	if !readsNumber(e) {
		return
	}
	switch m.tree.GetType(e.ID()).Kind() {
	case types.DoubleKind:
		m.convert(asDoubleID, e)
	case types.IntKind:
		m.convert(asIntID, e)
	default:
	}
}

func (m *mender) settleSelect(e ast.Expr) {
	s := e.AsSelect()
	name := strings.TrimPrefix(s.FieldName(), unwrapped)
	o, optional := m.structure(s.Operand())
	if o != nil && !optional {
		if t, _ := o.field(name); t.IsOptional() {
			m.replace(e, m.factory.NewCall(e.ID(), operators.OptSelect, s.Operand(), m.factory.NewLiteral(m.id(), types.String(name))))
			m.tree.SetReference(e.ID(), ast.NewFunctionReference("select_optional_field"))
			return
		}
	}
	if name != s.FieldName() {
		m.replace(e, m.factory.NewSelect(e.ID(), s.Operand(), name))
	}
}

// readsNumber reports whether e gives what data holds, rather than what CEL has made.
func readsNumber(e ast.Expr) bool {
	switch e.Kind() {
	case ast.SelectKind:
		return !e.AsSelect().IsTestOnly()
	case ast.IdentKind:
		return !strings.HasPrefix(e.AsIdent(), "@") && e.AsIdent() != parser.AccumulatorName // of CEL's macros
	case ast.CallKind:
		switch e.AsCall().FunctionName() {
		case operators.Index, "value", "orValue":
			return true
		}
	default:
	}
	return false
}

// isRead reports whether a settled expression is a value as it was found, of which no expression has asked whether it is null.
func isRead(e ast.Expr) bool {
	if e.Kind() == ast.CallKind {
		switch e.AsCall().FunctionName() {
		case asIntID, asDoubleID:
			return isRead(e.AsCall().Args()[0])
		case operators.OptIndex, operators.OptSelect:
			return true
		}
	}
	return readsNumber(e) || e.Kind() == ast.LiteralKind
}

func (m *mender) convert(function string, e ast.Expr) {
	m.call(function, e)
	m.tree.SetReference(e.ID(), ast.NewFunctionReference(function))
}
