// Package flow runs what a route declares: its steps, and the answer made of them.
package flow

import (
	"context"
	"time"

	"github.com/llmservice/llmservice/runtime/config"
	"github.com/llmservice/llmservice/runtime/problem"
	"github.com/llmservice/llmservice/runtime/relay"
	"github.com/llmservice/llmservice/runtime/schema"
	"github.com/llmservice/llmservice/runtime/upstream"
)

// Environment is what steps need of the gateway around them.
type Environment struct {
	Client    relay.Client
	Upstreams map[string]*upstream.Upstream
	// MaxStreamDuration bounds every stream.
	MaxStreamDuration time.Duration
	// Heavy waits for leave to do CPU-heavy work on so many bytes.
	Heavy func(ctx context.Context, size int) (release func(), err error)
	// Observe is told how each call of an upstream ended.
	Observe func(upstream string, f relay.Failure)
	// Report is told of faults that clients learn nothing about.
	Report func(route string, err error)
}

// Route is a route, compiled.
type Route struct {
	env     *Environment
	method  string
	path    string
	timeout time.Duration
	schema  *schema.Schema // nil accepts any JSON
	chat    *chat
	answer  *answer // nil for a streamed route
}

// Compile prepares a route of a config that Validate accepts.
func Compile(r *config.Route, env *Environment) (*Route, error) {
	step := &r.Steps[0]
	compiled := &Route{env: env, method: r.Method, path: r.Path, timeout: r.Timeout.Std()}
	var err error
	if r.Request != nil && len(r.Request.Schema) > 0 {
		if compiled.schema, err = schema.Compile(r.Request.Schema); err != nil {
			return nil, err
		}
	}
	if compiled.chat, err = compileChat(step.Chat, env); err != nil {
		return nil, err
	}
	if r.Response.Body != nil {
		compiled.answer, err = compileAnswer(r.Response.Body, step.Name)
	}
	return compiled, err
}

// Decide says how the route answers a request.
func (r *Route) Decide(ctx context.Context, req *relay.Request) relay.Verdict {
	variables, wrong := r.variables(ctx, req)
	if wrong != nil {
		return r.refuse(wrong)
	}
	plan, err := r.chat.plan(ctx, variables, r.answer == nil)
	if err != nil {
		return r.refuse(problem.New(problem.Internal).WithCause(err))
	}
	if r.answer == nil {
		return relay.Verdict{Relay: r.stream(plan)}
	}
	return relay.Verdict{Produce: func(ctx context.Context) *relay.Reply { return r.produce(ctx, plan, variables) }}
}

func (r *Route) refuse(e *problem.Error) relay.Verdict { return relay.Verdict{Reply: r.reply(e)} }

func (r *Route) reply(e *problem.Error) *relay.Reply {
	if e.Code == problem.Internal {
		r.env.Report(r.path, e)
	}
	return relay.Problem(problem.FastAPI, e)
}

// produce makes the whole answer.
func (r *Route) produce(ctx context.Context, plan *upstream.Plan, variables map[string]any) *relay.Reply {
	ctx, cancel := context.WithTimeoutCause(ctx, r.timeout, relay.Failure{Kind: relay.FailedTimeout})
	defer cancel()
	result, failure := r.chat.run(ctx, plan)
	if failure.Kind != relay.NoFailure {
		return r.reply(upstream.Problem(failure))
	}
	body, err := r.answer.eval(ctx, variables, result)
	if err != nil {
		return r.reply(problem.New(problem.Internal).WithCause(err))
	}
	return relay.JSON(body)
}
