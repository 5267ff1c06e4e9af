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
func (v *validator) text(path, text string, at *place) *expr.Template {
	return v.template(path, at, func(env *expr.Env) (*expr.Template, error) { return env.CompileText(text) })
}

// expression compiles a template that is one expression of the given type, and returns the type that it has, too.
func (v *validator) expression(path, text string, at *place, want expr.Type) (*expr.Template, expr.Type) {
	compiled := v.template(path, at, func(env *expr.Env) (*expr.Template, error) { return env.CompileExpression(text, want) })
	if compiled == nil {
		return nil, expr.Dyn
	}
	return compiled, compiled.Type()
}

// template is nil if it cannot be compiled.
func (v *validator) template(path string, at *place, compile func(*expr.Env) (*expr.Template, error)) *expr.Template {
	v.isTemplate(path)
	env, err := at.environment()
	if err != nil {
		v.addf(path, "%v", err)
		return nil
	}
	compiled, err := checked(v, env, func() (*expr.Template, error) { return compile(env) })
	if err != nil {
		v.addExpr(path, err)
		return nil
	}
	compiled.EachRead(func(path expr.Path) { v.reads(at, path) })
	return compiled
}

// isTemplate remembers the path of a template: what else there is in a config is not one.
func (v *validator) isTemplate(path string) {
	if v.templated == nil {
		v.templated = map[string]bool{}
	}
	v.templated[path] = true
}

// tree compiles JSON whose strings are templates, and returns its type, too; nil and the dynamic one if there is none, or none
// that can be compiled, so that one error does not lead to others.
func (v *validator) tree(path string, raw jsontext.Value, at *place) (*expr.Tree, expr.Type) {
	if raw == nil {
		return nil, expr.Dyn
	}
	compiled := v.json(path, raw, at)
	if compiled == nil {
		return nil, expr.Dyn
	}
	return compiled, compiled.Type()
}

// templates compiles a map whose values are templates; nil if it is empty.
func (v *validator) templates(path string, templates map[string]string, at *place) *expr.Tree {
	if len(templates) == 0 {
		return nil
	}
	encoded, err := json.Marshal(templates, json.Deterministic(true))
	if err != nil {
		v.addf(path, "%v", err)
		return nil
	}
	return v.json(path, encoded, at)
}

func (v *validator) json(path string, raw []byte, at *place) *expr.Tree {
	v.isTemplate(path)
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
	compiled.EachRead(func(path expr.Path) { v.reads(at, path) })
	return compiled
}

// checked compiles what has expressions, as long as all before it have not taken too much: an operator checks those of many
// tenants.
func checked[T any](v *validator, env *expr.Env, compile func() (T, error)) (T, error) {
	if err := v.ctx.Err(); err != nil {
		var none T
		return none, err //nolint:wrapcheck // it is not reported: see compile
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

// schema compiles a JSON Schema and returns the type of what satisfies it, too: nil, and that of anything, if there is none.
func (v *validator) schema(path string, raw jsontext.Value, options ...schema.Option) (*schema.Schema, expr.Type) {
	if raw == nil || !v.affords(path) {
		return nil, expr.Dyn
	}
	compiled, err := schema.Compile(raw, options...)
	if err != nil {
		v.broken(path, err)
		return nil, expr.Dyn
	}
	v.automata += compiled.Automata()
	return compiled, expr.FromSchema(compiled)
}

// affords reports whether another schema may be compiled: tenants' patterns cost the operator memory and time, too.
func (v *validator) affords(path string) bool {
	if v.ctx.Err() != nil {
		return false
	}
	if v.automata > config.MaxAutomata {
		v.addf(path, "the patterns before it take more than %d instructions together, want fewer or shorter ones", config.MaxAutomata)
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
