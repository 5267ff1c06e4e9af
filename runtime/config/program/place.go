package program

import (
	"maps"
	"slices"

	"github.com/llmservice/llmservice/runtime/expr"
	"github.com/llmservice/llmservice/runtime/schema"
)

// place is a point in a route or function: what templates there can refer to, and what may stand there.
type place struct {
	// vars are the variables without steps.
	vars  expr.Vars
	steps map[string]expr.Type
	// inRoute says that a step here may answer the request. A step of a function may do so if the function is a dependency; both are
	// unset where no step may.
	inRoute  bool
	function *function
	// route is what requests are read by, input the schema of a function's, and done are the steps before: the values that they allow
	// may be known.
	route *Route
	input *schema.Schema
	done  []*Step

	env *expr.Env // made when first asked for
}

func (p *place) environment() (*expr.Env, error) {
	if p.env == nil {
		vars := maps.Clone(p.vars)
		vars["steps"] = expr.Object(p.steps)
		env, err := expr.NewEnv(vars)
		if err != nil {
			return nil, err //nolint:wrapcheck // the field's path is the context
		}
		p.env = env
	}
	return p.env, nil
}

// after is the place behind a step.
func (p *place) after(s *Step, t expr.Type) *place {
	steps := maps.Clone(p.steps)
	if steps == nil {
		steps = map[string]expr.Type{}
	}
	steps[s.Name] = t
	next := *p
	next.steps, next.done, next.env = steps, append(slices.Clip(p.done), s), nil
	return &next
}

// with is the place with one more variable.
func (p *place) with(name string, t expr.Type) *place {
	vars := maps.Clone(p.vars)
	vars[name] = t
	next := *p
	next.vars, next.env = vars, nil
	return &next
}

// within is the place of a part of a step, which cannot answer the request.
func (p *place) within() *place {
	inner := *p
	inner.inRoute, inner.function = false, nil
	return &inner
}

// failed is the place in which an error is handled.
func (p *place) failed() *place { return p.with("error", errorType) }

// The types of what steps give.
var (
	errorType = expr.Object(map[string]expr.Type{"code": expr.String, "message": expr.String})

	completionFields = map[string]expr.Type{
		"text": expr.String, "message": expr.Dyn, "finishReason": expr.String, "usage": expr.Dyn, "upstream": expr.String,
	}
	toolCallType = expr.Open(map[string]expr.Type{"name": expr.String})
	vectorsType  = expr.Object(map[string]expr.Type{"vectors": expr.List(expr.List(expr.Double)), "usage": expr.Dyn})
	httpType     = expr.Object(map[string]expr.Type{
		"status": expr.Int, "headers": expr.Map(expr.String), "body": expr.Dyn,
	})
)

// requestType is what templates of routes see of a request.
func requestType(params, body expr.Type) expr.Type {
	members := requestHead(params)
	members["body"] = body
	return expr.Object(members)
}

// requestHead is what all requests have.
func requestHead(params expr.Type) map[string]expr.Type {
	return map[string]expr.Type{
		"method": expr.String, "path": expr.String, "url": expr.String, "headers": expr.Map(expr.String),
		"client": expr.Object(map[string]expr.Type{"address": expr.String}), "params": params,
	}
}

// common is the type that all have, else the dynamic one.
func common(types []expr.Type) expr.Type {
	if len(types) == 0 {
		return expr.Dyn
	}
	for _, t := range types[1:] {
		if !t.Equal(types[0]) {
			return expr.Dyn
		}
	}
	return types[0]
}
