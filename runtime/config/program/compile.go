package program

import (
	"errors"
	"fmt"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/llmservice/llmservice/runtime/config"
	"github.com/llmservice/llmservice/runtime/expr"
	"github.com/llmservice/llmservice/runtime/schema"
)

// text compiles a template that gives text.
func (v *validator) text(path string, field *string, at *place) {
	v.template(path, field, at, func(env *expr.Env) (*expr.Template, error) { return env.CompileText(*field) })
}

// expression compiles a template that is one expression of the given type, and returns the type that it has.
func (v *validator) expression(path string, field *string, at *place, want expr.Type) expr.Type {
	return v.template(path, field, at, func(env *expr.Env) (*expr.Template, error) {
		return env.CompileExpression(*field, want)
	})
}

func (v *validator) template(
	path string, field *string, at *place, compile func(*expr.Env) (*expr.Template, error),
) expr.Type {
	env, err := at.environment()
	if err != nil {
		v.addf(path, "%v", err)
		return expr.Dyn
	}
	compiled, err := checked(v, env, func() (*expr.Template, error) { return compile(env) })
	if err != nil {
		v.addExpr(path, err)
		return expr.Dyn
	}
	v.program.templates[field] = compiled
	return compiled.Type()
}

// tree compiles JSON whose strings are templates, and returns its type; the dynamic one where there is none, or none
// that can be compiled, so that one error does not lead to others.
func (v *validator) tree(path string, field *jsontext.Value, at *place) expr.Type {
	if *field == nil {
		return expr.Dyn
	}
	compiled := v.json(path, *field, at)
	if compiled == nil {
		return expr.Dyn
	}
	v.program.trees[field] = compiled
	return compiled.Type()
}

// templates compiles a map whose values are templates.
func (v *validator) templates(path string, field *map[string]string, at *place) {
	if len(*field) == 0 {
		return
	}
	encoded, err := json.Marshal(*field, json.Deterministic(true))
	if err != nil {
		v.addf(path, "%v", err)
		return
	}
	if compiled := v.json(path, encoded, at); compiled != nil {
		v.program.maps[field] = compiled
	}
}

func (v *validator) json(path string, raw []byte, at *place) *expr.Tree {
	env, err := at.environment()
	if err != nil {
		v.addf(path, "%v", err)
		return nil
	}
	compiled, err := checked(v, env, func() (*expr.Tree, error) { return env.CompileTree(raw) })
	if err != nil {
		v.addExpr(path, err)
		return nil
	}
	return compiled
}

// checked compiles what has expressions, as long as all before it have not taken too much: an operator checks those of many
// tenants.
func checked[T any](v *validator, env *expr.Env, compile func() (T, error)) (T, error) {
	if err := v.ctx.Err(); err != nil {
		var none T
		return none, err //nolint:wrapcheck // nobody is told of it: see compile
	}
	if v.expressions > config.MaxExpressions {
		var none T
		return none, fmt.Errorf("the expressions before it take more than %d checks together", config.MaxExpressions)
	}
	before := env.Checked()
	compiled, err := compile()
	v.expressions += env.Checked() - before
	return compiled, err
}

// addExpr adds what is wrong with a template; within JSON the path leads on to the string at fault.
func (v *validator) addExpr(path string, err error) {
	if e, ok := errors.AsType[*expr.Error](err); ok {
		v.addf(path+e.Field(), "column %d: %s", e.Column, e.Message)
		return
	}
	v.addf(path, "%v", err)
}

// schema compiles a JSON Schema and returns the type of what satisfies it: of anything, where there is none.
func (v *validator) schema(path string, field *jsontext.Value, options ...schema.Option) expr.Type {
	if *field == nil {
		return expr.Dyn
	}
	if !v.affords(path) {
		return expr.Dyn
	}
	compiled, err := schema.Compile(*field, options...)
	if err != nil {
		v.broken(path, err)
		return expr.Dyn
	}
	v.automata += compiled.Automata()
	v.program.schemas[field] = compiled
	t, err := expr.FromSchema(*field, compiled)
	if err != nil {
		v.addf(path, "%v", err)
		return expr.Dyn
	}
	return t
}

// affords says whether another schema may be compiled: tenants' patterns cost the operator memory and time, too.
func (v *validator) affords(path string) bool {
	if v.ctx.Err() != nil {
		return false
	}
	if v.automata > config.MaxAutomata {
		v.addf(path, "the patterns before it take more than %d instructions together", config.MaxAutomata)
	}
	return v.automata <= config.MaxAutomata
}

// brokenSchema is what a schema counts for that did not compile: reading its patterns may have been work.
const brokenSchema = config.MaxAutomata / 40

func (v *validator) broken(path string, err error) {
	v.addf(path, "%v", err)
	v.automata += brokenSchema
}

// between checks a count.
func (v *validator) between(path string, n, least, most int) {
	if n < least || n > most {
		v.addf(path, "is %d, want from %d to %d", n, least, most)
	}
}

// notNegative checks a duration that may be absent.
func (v *validator) notNegative(path string, d config.Duration) {
	if d < 0 {
		v.addf(path, "is %s, want more than 0s", d.Std())
	}
}

// object checks that a field is a JSON object, and returns its members.
func (v *validator) object(path string, raw jsontext.Value) map[string]jsontext.Value {
	var members map[string]jsontext.Value
	if err := json.Unmarshal(raw, &members); err != nil || members == nil {
		v.addf(path, "want a JSON object without repeated names")
	}
	return members
}
