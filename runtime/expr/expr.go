// Package expr evaluates the `${…}` expressions in a configuration's strings. They are CEL, compiled and type-checked when
// the configuration loads, and bounded in work and output when they run.
//
// What may be missing has an optional type: `${request.body.?note.orValue("none")}`; the question mark may be left out
// where the variable's type says so, and `has(request.body.note)` asks for it.
//
// Functions are CEL's standard library, its optional types, the string functions of cel-go's ext, and these, of which each
// gives at most MaxOutput bytes:
//
//	["a", 1].join(", ")    "a, 1": strings as they are, others as compact JSON; null is an error
//	text.truncate(100)     at most its first 100 characters; nothing is added
//	value.json()           compact JSON, names sorted
//	text.parseJson()       the JSON that the text is, within the limits of a request body; its type is dynamic
//	text.htmlEscape()      for use as text in HTML: < > & " and ' are character references
//	text.urlEncode()       for use within a URL's query: all but letters, digits and -._~ is percent-encoded
//	text.base64()          RFC 4648's standard alphabet, padded
package expr

import (
	"context"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common"
	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/types"
)

// Template is a compiled string. It is immutable and may be used from many goroutines at once.
type Template struct {
	parts []part
	want  Type
	typ   Type
}

// part is literal text or, with a program, an expression.
type part struct {
	text    string // literal, or the expression's source
	column  int    // where that begins
	program cel.Program
	way     []string // to the member that the expression is; nil if it is anything else
	typ     Type
	tree    *ast.AST
	vars    Vars
	nothing bool // may be null, which has no text
	// constant says that the expression reads no variable.
	constant bool
}

// Compile reads a template. Every error is an *Error.
func (e *Env) Compile(text string) (*Template, error) {
	segments, lexErr := lex(text)
	if lexErr != nil {
		return nil, lexErr
	}
	t := &Template{typ: String}
	end := 0 // of the segment before
	for _, s := range segments {
		p := part{text: s.text, column: newError(text, max(s.offset, end), "").Column}
		if !s.isExpr {
			if err := e.foreign(text, s.text); err != nil {
				return nil, err
			}
		} else {
			end = s.offset + len(s.text) + len("}")
			if err := e.program(&p); err != nil {
				return nil, err
			}
		}
		t.parts = append(t.parts, p)
	}
	if t.isExpression() {
		t.typ = t.parts[0].typ
		return t, nil
	}
	return t, t.hasText()
}

// CompileText reads a template of which only the text is wanted, also if it is one expression: what may be null, as far as
// the types say, has none. Every error is an *Error.
func (e *Env) CompileText(text string) (*Template, error) {
	t, err := e.Compile(text)
	if err != nil {
		return nil, err
	}
	return t, t.hasText()
}

func (t *Template) hasText() error {
	for i := range t.parts {
		if p := &t.parts[i]; p.nothing {
			return &Error{Column: p.column, Message: "the value may be null, which has no text: end the expression with .orValue(…)"}
		}
	}
	return nil
}

// CompileExpression reads a template that has to be one expression and nothing else, of a type: what can be determined now is
// an error now, and if the expression is dynamic, when it runs. Every error is an *Error.
func (e *Env) CompileExpression(text string, want Type) (*Template, error) {
	t, err := e.Compile(text)
	if err != nil {
		return nil, err
	}
	if !t.isExpression() {
		return nil, &Error{Column: 1, Message: "want exactly one expression, ${…}, and no other text"}
	}
	if !want.accepts(t.typ) {
		return nil, &Error{Column: t.parts[0].column, Message: fmt.Sprintf("returns %s, want %s", t.typ, want)}
	}
	value, constant := t.Constant(nil)
	t.want = want
	if _, fits := t.Constant(nil); constant && !fits {
		return nil, &Error{Column: t.parts[0].column, Message: fmt.Sprintf("returns %s, want %s", given(value), want)}
	}
	return t, nil
}

// Type is the type of what Value gives.
func (t *Template) Type() Type {
	if t.want.kind != dynKind && t.typ.kind == dynKind {
		return t.want
	}
	return t.typ
}

func (t *Template) isExpression() bool { return len(t.parts) == 1 && t.parts[0].program != nil }

// program compiles the part's expression.
func (e *Env) program(p *part) error {
	parsed, issues := e.shared.cel.Parse(p.text)
	if issues.Err() != nil {
		e.checked.Add(int64(checksPerByte * len(p.text)))
		return e.firstIssue(p, issues.Errors(), nil)
	}
	nodes, err := e.measure(parsed.NativeRep().Expr())
	if err != nil {
		return &Error{Column: p.column, Message: err.Error()}
	}
	tree, errs := e.check(parsed, maxChecks/nodes)
	if len(errs.GetErrors()) > 0 {
		return e.firstIssue(p, errs.GetErrors(), tree)
	}
	out := tree.GetType(tree.Expr().ID())
	switch {
	case mentionsOptional(out):
		return &Error{Column: p.column, Message: "the value may be missing: end the expression with .orValue(…)"}
	case out.Kind() == types.TypeKind:
		return &Error{Column: p.column, Message: "a type is not a value that can be output; want a value of JSON"}
	case hasOtherKeys(out):
		return &Error{Column: p.column, Message: "returns a map whose keys are not strings, which JSON does not have; " +
			"want string(…) around them"}
	}
	if err := e.substitute(tree, p); err != nil {
		return err
	}
	p.typ, p.tree, p.vars = e.objects.output(out), tree, e.vars
	p.way = wayOf(tree.Expr(), e.vars)
	p.nothing = (p.typ.kind == nullableKind || p.typ.kind == nullKind) && isRead(tree.Expr())
	return e.plan(p)
}

// plan makes the program, and evaluates what is constant.
func (e *Env) plan(p *part) error {
	root := p.tree.Expr()
	s := seeker{vars: e.vars}
	reads, found := s.seek(root)
	for _, n := range found {
		if n != root {
			if err := e.constantPart(p, n); err != nil {
				return err
			}
		}
	}
	var err error
	if p.program, err = e.shared.cel.PlanProgram(p.tree, e.shared.options...); err != nil {
		return p.alwaysFails(root, explain(context.Background(), err))
	}
	if p.constant = reads.nothing(); !p.constant {
		return nil
	}
	value, err := e.once(p)
	if err != nil {
		return p.alwaysFails(root, err)
	}
	p.nothing = p.nothing || value == nil
	return nil
}

func mentionsOptional(t *types.Type) bool {
	return isOptional(t) || slices.ContainsFunc(t.Parameters(), mentionsOptional)
}

// hasOtherKeys reports whether a value has, or holds, a map whose keys are certainly not strings.
func hasOtherKeys(t *types.Type) bool {
	if t.Kind() == types.MapKind {
		switch t.Parameters()[0].Kind() { //nolint:exhaustive // the others may be strings
		case types.BoolKind, types.IntKind, types.UintKind, types.DoubleKind:
			return true
		}
	}
	return slices.ContainsFunc(t.Parameters(), hasOtherKeys)
}

// Value evaluates the template. A string that is one expression and nothing else keeps the expression's type: nil, bool,
// int64, uint64, float64, string, []any or map[string]any, independent of vars. Every other string is text, as Text
// gives it. vars holds the variables of Env, as plain values; a member that is absent is missing. A nil budget is one of
// MaxCost and MaxOutput. Every error is an *Error.
func (t *Template) Value(ctx context.Context, vars map[string]any, b *CostBudget) (any, error) {
	if !t.isExpression() {
		return t.Text(ctx, vars, b)
	}
	r, err := start(ctx, vars, b)
	if err != nil {
		return nil, err
	}
	return r.expression(ctx, t)
}

// Text evaluates the template to text: strings stand as they are, everything else as compact JSON; null is an error, since
// a missing value would go unseen. Arguments and errors are as Value's.
func (t *Template) Text(ctx context.Context, vars map[string]any, b *CostBudget) (string, error) {
	if literal, ok := t.Literal(); ok {
		return literal, nil
	}
	r, err := start(ctx, vars, b)
	if err != nil {
		return "", err
	}
	return r.text(ctx, t)
}

// Literal is the text of a template without expressions.
func (t *Template) Literal() (string, bool) {
	switch {
	case len(t.parts) == 0:
		return "", true
	case len(t.parts) == 1 && t.parts[0].program == nil:
		return t.parts[0].text, true
	}
	return "", false
}

// firstIssue turns a line and column within the expression into a column of the template.
func (e *Env) firstIssue(p *part, all []*common.Error, tree *ast.AST) *Error {
	if len(all) == 0 {
		return &Error{Column: p.column, Message: "cannot be compiled; want an expression in CEL"}
	}
	first := all[0]
	before := upTo(p.text, first.Location.Line(), first.Location.Column())
	message := strings.NewReplacer(" (in container '')", "", unwrapped, "").Replace(first.Message)
	for name := range e.objects {
		message = strings.ReplaceAll(message, name, "object")
	}
	message = operatorNames.Replace(tokens.ReplaceAllString(message, ""))
	return &Error{Column: p.column + utf8.RuneCountInString(before), Message: message + e.hint(message, first.ExprID, tree)}
}

// upTo gives the part of source before a place, whose line counts from 1 and column, in characters, from 0.
func upTo(source string, line, column int) string {
	end := 0
	for ; line > 1; line-- {
		next := strings.IndexByte(source[end:], '\n')
		if next < 0 {
			break
		}
		end += next + 1
	}
	for ; column > 0 && end < len(source); column-- {
		_, size := utf8.DecodeRuneInString(source[end:])
		end += size
	}
	return source[:end]
}

// operatorNames puts operators as expressions have them. CEL's messages name its functions instead, such as _+_.
var operatorNames = strings.NewReplacer(
	"'<EOF>'", "the end", "'_[_]'", "'[]'", "'_[?_]'", "'[?]'", "'_?._'", "'.?'", "'_?_:_'", "'?:'",
	"'!_'", "'!'", "'-_'", "'-'", "'@in'", "'in'", "'_&&_'", "'&&'", "'_||_'", "'||'",
	"'_+_'", "'+'", "'_-_'", "'-'", "'_*_'", "'*'", "'_/_'", "'/'", "'_%_'", "'%'",
	"'_==_'", "'=='", "'_!=_'", "'!='", "'_<_'", "'<'", "'_<=_'", "'<='", "'_>_'", "'>'", "'_>=_'", "'>='",
)

// tokens are those that the grammar expects in the place of another, by their names in the parser.
var tokens = regexp.MustCompile(` expecting \{.*\}$`)

// hints say what would be right where CEL's messages, by how they begin, do not.
var hints = []struct{ begins, hint string }{
	{"found no matching overload", "; want types that go together: string(…), int(…) and double(…) convert"},
	{"Syntax error", "; want an expression in CEL, such as request.body.text"},
	{"expression code point size", "; want a shorter one"},
	{"invalid int literal", "; want a number that 64 bits hold"},
	{"invalid argument to has", "; want a member, as in has(request.body.note)"},
	{"type '", "; want a member of an object"},
}

// hint lists what there is where an expression asks for what there is not.
func (e *Env) hint(message string, id int64, tree *ast.AST) string {
	switch {
	case strings.HasPrefix(message, "undeclared reference"):
		return "; the variables here are " + list(e.vars)
	case strings.HasPrefix(message, "undefined field") && tree != nil:
		return e.members(id, tree)
	case strings.Contains(message, "optional_type("):
		return "; a value that may be missing needs .orValue(…) first"
	}
	for _, known := range hints {
		if strings.HasPrefix(message, known.begins) {
			return known.hint
		}
	}
	return ""
}

// members lists those of the object that the node with the id selects from.
func (e *Env) members(id int64, tree *ast.AST) string {
	found := ""
	m := &mender{Env: e, tree: tree}
	m.visit(func(n ast.Expr) {
		if n.ID() != id {
			return
		}
		var operand ast.Expr
		switch {
		case n.Kind() == ast.SelectKind:
			operand = n.AsSelect().Operand()
		case n.Kind() == ast.CallKind && len(n.AsCall().Args()) > 0:
			operand = n.AsCall().Args()[0]
		default:
			return
		}
		if o, _ := m.structure(operand); o != nil {
			found = "; " + nameOf(operand) + " has " + list(o.fields)
		}
	})
	return found
}

// nameOf is how an error calls what an expression gives.
func nameOf(e ast.Expr) string {
	switch e.Kind() {
	case ast.IdentKind:
		return e.AsIdent()
	case ast.SelectKind:
		return strings.TrimPrefix(e.AsSelect().FieldName(), unwrapped)
	default:
		return "it"
	}
}

// mostListed names are enough to find a slip of the pen in.
const mostListed = 32

func list(members map[string]Type) string {
	names := slices.Sorted(maps.Keys(members))
	if len(names) == 0 {
		return "none"
	}
	if more := len(names) - mostListed; more > 0 {
		names = append(names[:mostListed], fmt.Sprintf("and %d more", more))
	}
	return strings.Join(names, ", ")
}
