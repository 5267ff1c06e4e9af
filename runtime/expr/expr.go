// Package expr evaluates the `${…}` expressions in a configuration's strings. They are CEL, compiled and type-checked when
// the configuration loads, and bounded in work and output when they run.
package expr

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/ext"
)

// What one Template or Tree may cost, all its expressions taken together.
const (
	// MaxCost is in CEL's units of cost, of which a simple operation takes one and a scan of text one for ten
	// characters. This many take about a tenth of a second.
	MaxCost = 1_000_000
	// MaxOutput bounds the result, in bytes: of text or JSON, or what a value would take as such.
	MaxOutput = 1 << 20
)

// What one template may look like.
const (
	maxExpressionBytes = 8 << 10
	stringsVersion     = 5   // of cel-go's string functions; fixed, so that an update of the library adds none unseen
	interruptEvery     = 100 // iterations of a comprehension between looks at the context
)

// Vars says what the expressions of one place may refer to.
type Vars struct {
	// Steps names the steps that have run before this place. steps.NAME is dynamic; any other name is an error.
	Steps []string
}

// Env compiles templates against one set of variables:
//   - request.method and request.path, strings; request.headers, a map from lower-case names to strings; request.body,
//     dynamic: the decoded JSON, in which integers are int and other numbers double
//   - steps.NAME, dynamic
//
// Functions are CEL's standard library, its optional types, and the string functions of cel-go's ext. An Env may be used
// from many goroutines at once.
type Env struct {
	cel     *cel.Env
	objects objects
}

// NewEnv declares the variables. It fails if a step's name is empty or given twice.
func NewEnv(vars Vars) (*Env, error) {
	steps := map[string]*cel.Type{}
	for _, name := range vars.Steps {
		if _, twice := steps[name]; twice || name == "" {
			return nil, fmt.Errorf("expression variables: step name %q is empty or taken", name)
		}
		steps[name] = cel.DynType
	}
	known := objects{requestType: requestFields, stepsType: steps}
	registry, err := types.NewRegistry()
	if err != nil {
		return nil, fmt.Errorf("expression types: %w", err)
	}
	env, err := cel.NewEnv(
		cel.CustomTypeAdapter(registry),
		cel.CustomTypeProvider(registry),
		cel.OptionalTypes(),
		ext.Strings(ext.StringsVersion(stringsVersion)),
		cel.EnableIdentifierEscapeSyntax(), // steps.`a-name`
		cel.CrossTypeNumericComparisons(true),
		cel.DefaultUTCTimeZone(true),
		cel.ParserExpressionSizeLimit(maxExpressionBytes),
		cel.CustomTypeProvider(&provider{Provider: registry, objects: known}),
		cel.Variable("request", types.NewObjectType(requestType)),
		cel.Variable("steps", types.NewObjectType(stepsType)),
	)
	if err != nil {
		return nil, fmt.Errorf("expression environment: %w", err)
	}
	return &Env{cel: env, objects: known}, nil
}

// The names of our object types cannot be written in CEL, so that no expression can make such an object.
const (
	requestType = "$request"
	stepsType   = "$steps"
)

var requestFields = map[string]*cel.Type{
	"method":  cel.StringType,
	"path":    cel.StringType,
	"headers": cel.MapType(cel.StringType, cel.StringType),
	"body":    cel.DynType,
}

// objects gives the fields of object types. Their values are plain maps: the types exist for the checker.
type objects map[string]map[string]*cel.Type

type provider struct {
	types.Provider
	objects objects
}

func (p *provider) FindStructType(name string) (*cel.Type, bool) {
	if _, ok := p.objects[name]; ok {
		return types.NewTypeTypeWithParam(types.NewObjectType(name)), true
	}
	return p.Provider.FindStructType(name)
}

func (p *provider) FindStructFieldNames(name string) ([]string, bool) {
	if fields, ok := p.objects[name]; ok {
		return names(fields), true
	}
	return p.Provider.FindStructFieldNames(name)
}

func (p *provider) FindStructFieldType(name, field string) (*types.FieldType, bool) {
	fields, ok := p.objects[name]
	if !ok {
		return p.Provider.FindStructFieldType(name, field)
	}
	t, ok := fields[field]
	return &types.FieldType{Type: t}, ok
}

func names(fields map[string]*cel.Type) []string {
	out := make([]string, 0, len(fields))
	for name := range fields {
		out = append(out, name)
	}
	slices.Sort(out)
	return out
}

// Error is what is wrong with a template, or went wrong in one. It quotes the configuration, never what the expressions
// were applied to.
type Error struct {
	Path    string // in a Tree: RFC 6901 JSON pointer of the string; "" elsewhere
	Column  int    // 1-based, in characters from the start of the string
	Message string

	cause error
}

func (e *Error) Error() string {
	if e.Path == "" {
		return fmt.Sprintf("column %d: %s", e.Column, e.Message)
	}
	return fmt.Sprintf("at %s, column %d: %s", e.Path, e.Column, e.Message)
}

// Unwrap gives the context's error where that ended an evaluation, else nil.
func (e *Error) Unwrap() error { return e.cause }

// Template is a compiled string. It is immutable and may be used from many goroutines at once.
type Template struct {
	parts []part
}

// part is literal text or, with a program, an expression.
type part struct {
	text    string // literal, or the expression's source
	column  int
	program cel.Program
}

// Compile reads a template. Every error is an *Error.
func (e *Env) Compile(text string) (*Template, error) {
	segments, lexErr := lex(text)
	if lexErr != nil {
		return nil, lexErr
	}
	t := &Template{}
	for _, s := range segments {
		p := part{text: s.text}
		if s.isExpr {
			p.column = newError(text, s.offset, "").Column
			program, err := e.program(s.text, p.column)
			if err != nil {
				return nil, err
			}
			p.program = program
		}
		t.parts = append(t.parts, p)
	}
	return t, nil
}

// program compiles one expression that begins at column.
func (e *Env) program(source string, column int) (cel.Program, error) {
	ast, issues := e.cel.Compile(source)
	if issues.Err() != nil {
		return nil, e.firstIssue(source, column, issues)
	}
	if out := ast.OutputType(); isOptional(out) {
		return nil, &Error{Column: column, Message: "the value may be missing: end the expression with .orValue(…)"}
	} else if out.Kind() == types.TypeKind {
		return nil, &Error{Column: column, Message: "a type is not a value that can be put out"}
	}
	program, err := e.cel.Program(ast,
		cel.EvalOptions(cel.OptOptimize),
		cel.CostLimit(MaxCost),
		cel.InterruptCheckFrequency(interruptEvery),
	)
	if err != nil {
		return nil, &Error{Column: column, Message: err.Error()}
	}
	return program, nil
}

func isOptional(t *cel.Type) bool {
	return t.Kind() == types.OpaqueKind && t.TypeName() == "optional_type"
}

// firstIssue turns a line and column within the expression into a column of the template.
func (e *Env) firstIssue(source string, column int, issues *cel.Issues) *Error {
	all := issues.Errors()
	if len(all) == 0 {
		return &Error{Column: column, Message: issues.Err().Error()}
	}
	first := all[0]
	before := upTo(source, first.Location.Line(), first.Location.Column())
	message := strings.ReplaceAll(first.Message, " (in container '')", "")
	return &Error{Column: column + utf8.RuneCountInString(before), Message: message + e.hint(message, before)}
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

// hint lists what there is where an expression asks for what there is not.
func (e *Env) hint(message, before string) string {
	before = strings.TrimSpace(before)
	switch {
	case strings.HasPrefix(message, "undeclared reference"):
		return "; there are request and steps"
	case !strings.HasPrefix(message, "undefined field"):
		return ""
	case strings.HasSuffix(before, "request"):
		return "; request has " + strings.Join(names(e.objects[requestType]), ", ")
	case strings.HasSuffix(before, "steps") && len(e.objects[stepsType]) == 0:
		return "; no step comes before this place"
	case strings.HasSuffix(before, "steps"):
		return "; the steps before this place are " + strings.Join(names(e.objects[stepsType]), ", ")
	}
	return ""
}

// Value evaluates the template. A string that is one expression and nothing else keeps the expression's type: nil, bool,
// int64, uint64, float64, string, []any or map[string]any, independent of vars. Every other string is text, as Text
// gives it. vars holds "request" and "steps", as Env describes them. Every error is an *Error.
func (t *Template) Value(ctx context.Context, vars map[string]any) (any, error) {
	if len(t.parts) != 1 || t.parts[0].program == nil {
		return t.Text(ctx, vars)
	}
	r, err := start(ctx, vars)
	if err != nil {
		return nil, err
	}
	return r.value(ctx, t.parts[0])
}

// Text evaluates the template to text: strings stand as they are, everything else as compact JSON; null is an error, since
// a missing value would go unseen. Every error is an *Error.
func (t *Template) Text(ctx context.Context, vars map[string]any) (string, error) {
	if len(t.parts) == 0 {
		return "", nil
	}
	if len(t.parts) == 1 && t.parts[0].program == nil {
		return t.parts[0].text, nil
	}
	r, err := start(ctx, vars)
	if err != nil {
		return "", err
	}
	return r.text(ctx, t)
}
