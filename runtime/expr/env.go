package expr

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/checker"
	"cel.dev/cel-go/common/decls"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/ext"
)

// What one expression may look like.
const (
	maxExpressionBytes = 8 << 10
	stringsVersion     = 5 // of cel-go's string functions; fixed, so that an update of the library adds none unseen
)

// Vars are the variables that the expressions of one place may refer to, and their types. A variable is always there:
// what may be missing is a member.
type Vars map[string]Type

// Env compiles templates against one set of variables. It may be used from many goroutines at once.
type Env struct {
	vars    Vars
	objects objects
	shared  *shared
	checker *checker.Env
	checked atomic.Int64
}

var identifier = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// NewEnv declares the variables. It fails if a name cannot be written as one, or a type is optional.
func NewEnv(vars Vars) (*Env, error) {
	base, err := base()
	if err != nil {
		return nil, err
	}
	env := &Env{vars: maps.Clone(vars), objects: objects{}, shared: base}
	idents := make([]*decls.VariableDecl, 0, len(vars))
	for name, t := range vars {
		if !identifier.MatchString(name) {
			return nil, fmt.Errorf("expression variable %q: want letters, digits and underscores, and no digit first", name)
		}
		if t.IsOptional() {
			return nil, fmt.Errorf("expression variable %s: may not be optional, only a member may", name)
		}
		env.objects.add(t)
		idents = append(idents, decls.NewVariable(name, t.cel()))
	}
	env.checker, err = checker.NewEnv(base.cel.Container, &provider{Provider: base.cel.CELTypeProvider(), objects: env.objects},
		checker.CrossTypeNumericComparisons(true), checker.ValidatedDeclarations(base.checker))
	if err == nil {
		err = env.checker.AddIdents(idents...)
	}
	if err != nil {
		return nil, fmt.Errorf("expression variables: %w", err)
	}
	return env, nil
}

// shared is what all Envs have in common: making it takes milliseconds, and a configuration has hundreds of places.
type shared struct {
	cel     *cel.Env     // parses and plans
	checker *checker.Env // functions and names of types, without variables
	options []cel.ProgramOption
}

var base = sync.OnceValues(newBase)

func newBase() (*shared, error) {
	env, err := cel.NewEnv(append([]cel.EnvOption{
		cel.OptionalTypes(),
		ext.Strings(ext.StringsVersion(stringsVersion)),
		cel.EnableIdentifierEscapeSyntax(), // steps.`a-name`
		cel.CrossTypeNumericComparisons(true),
		cel.DefaultUTCTimeZone(true),
		cel.ParserExpressionSizeLimit(maxExpressionBytes),
	}, helpers()...)...)
	if err != nil {
		return nil, fmt.Errorf("expression environment: %w", err)
	}
	s := &shared{cel: env}
	if s.checker, err = newChecker(env); err == nil {
		s.options, err = programOptions(env)
	}
	if err != nil {
		return nil, fmt.Errorf("expression functions: %w", err)
	}
	return s, nil
}

// newChecker declares what cel.Env itself would, with our join in place of the library's.
func newChecker(env *cel.Env) (*checker.Env, error) {
	functions := env.Functions()
	join, err := joinDecl()
	if err != nil {
		return nil, err
	}
	functions["join"] = join
	if functions["orValue"], err = orValueDecl(functions["orValue"]); err != nil {
		return nil, err
	}
	c, err := checker.NewEnv(env.Container, env.CELTypeProvider(), checker.CrossTypeNumericComparisons(true))
	if err != nil {
		return nil, err
	}
	if err := c.AddIdents(env.Variables()...); err != nil {
		return nil, err
	}
	return c, c.AddFunctions(slices.Collect(maps.Values(functions))...)
}

// unwrapped before a member's name asks the provider for the type that it has when it is not missing: CEL itself wraps
// what comes out of `a.?b`, and of members of an optional object, and an optional of an optional is useless. The
// character cannot be written in a name.
const unwrapped = "\x00"

// provider knows the members of objects. Their values are plain maps: the types exist for the checker alone.
type provider struct {
	types.Provider
	objects objects
}

func (p *provider) FindStructType(name string) (*types.Type, bool) {
	if _, ok := p.objects[name]; ok {
		return types.NewTypeTypeWithParam(types.NewObjectType(name)), true
	}
	return p.Provider.FindStructType(name)
}

func (p *provider) FindStructFieldNames(name string) ([]string, bool) {
	if o, ok := p.objects[name]; ok {
		return slices.Sorted(maps.Keys(o.fields)), true
	}
	return p.Provider.FindStructFieldNames(name)
}

func (p *provider) FindStructFieldType(name, field string) (*types.FieldType, bool) {
	o, ok := p.objects[name]
	if !ok {
		return p.Provider.FindStructFieldType(name, field)
	}
	plain, marked := strings.CutPrefix(field, unwrapped)
	t, ok := o.field(plain)
	if marked {
		t = t.Unwrapped()
	}
	return &types.FieldType{Type: t.cel()}, ok
}
