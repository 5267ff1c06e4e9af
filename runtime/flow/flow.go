// Package flow runs what a route declares: its steps, the functions that they call, and the answer that is made from them. Each
// kind of step has a file; the gather strategies have a package of their own.
package flow

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/llmservice/llmservice/runtime/config/program"
	"github.com/llmservice/llmservice/runtime/forwarded"
	"github.com/llmservice/llmservice/runtime/llm"
	"github.com/llmservice/llmservice/runtime/problem"
	"github.com/llmservice/llmservice/runtime/relay"
	"github.com/llmservice/llmservice/runtime/requestlog"
	"github.com/llmservice/llmservice/runtime/upstream"
)

// Environment is what steps need from the gateway around them.
type Environment struct {
	Client    upstream.Doer
	Upstreams map[string]*upstream.Upstream
	// HashKeys are those of the upstreams that have one, by upstream.
	HashKeys map[string]*program.HashKey
	// Fronts are the dialects of the formats in which an upstream's chunks may pass, by format.
	Fronts map[string]llm.Front
	// TrustedProxies may say for whom they ask.
	TrustedProxies forwarded.Proxies
	// MaxStreamDuration bounds every stream.
	MaxStreamDuration time.Duration
	// Heavy waits for permission to do CPU-heavy work on this many bytes.
	Heavy func(ctx context.Context, size int) (release func(), err error)
	// Observe is called at the end of each call of an upstream.
	Observe func(upstream string, f relay.Failure)
	// Spent, if set, is called with the usage of each call of a model, by the route and the model as which it was requested, if
	// any.
	Spent func(route, model string, s upstream.Spent)
	// Report is called with faults about which clients learn little, and with answers that break their schema. The record is
	// the request's, or nil.
	Report func(record *requestlog.Record, route string, err error)
	// Panicked is called for a fault of the gateway itself in one of several calls that run at once.
	Panicked func(kind string, stack []byte)
	// InvalidAnswer is called for each answer that breaks its route's response schema.
	InvalidAnswer func(route string)
}

// Route is a route that can be served. It may be used by many goroutines.
type Route struct {
	*program.Route

	env          *Environment
	input        input
	dependencies []*step
	steps        []*step
	answer       answer
}

// Compile prepares the routes of a program, in their order.
func Compile(p *program.Program, env *Environment) ([]*Route, error) {
	c := &compiler{env: env, functions: map[*program.Function]*function{}}
	if err := c.addFunctions(p.Functions); err != nil {
		return nil, err
	}
	routes := make([]*Route, len(p.Routes))
	for i, r := range p.Routes {
		compiled, err := c.route(r)
		if err != nil {
			return nil, fmt.Errorf("routes[%d] (%s %s): %w", i, r.Method, r.Path, err)
		}
		routes[i] = compiled
	}
	return routes, nil
}

func (c *compiler) route(r *program.Route) (*Route, error) {
	dependencies, err := c.steps(r.Dependencies)
	if err != nil {
		return nil, fmt.Errorf("dependencies: %w", err)
	}
	steps, err := c.steps(r.Steps)
	if err != nil {
		return nil, err
	}
	compiled := &Route{Route: r, env: c.env, input: newInput(r), dependencies: dependencies, steps: steps}
	compiled.answer = compiled.answering()
	return compiled, nil
}

// answer is how a route's answer is made.
type answer interface {
	// verdict may use ctx until it returns, and to produce a whole answer, after which it ends the request's time. A stream has a
	// context of its own.
	verdict(ctx context.Context, q *request, vars map[string]any) relay.Verdict
}

// Decide decides how the route answers a request, for which it waits for the functions that the route depends on: only then is it
// known whether there is a stream.
func (r *Route) Decide(ctx context.Context, req *relay.Request) relay.Verdict {
	if req.Memory == nil {
		req.Memory = relay.Unlimited
	}
	q := newRequest(ctx, r, req, r.Streams())
	ctx = q.within(ctx)
	vars, err := q.prepare(ctx, req)
	if err != nil {
		return q.decided(relay.Verdict{Reply: q.refuse(because(ctx, err))})
	}
	return q.decided(r.answer.verdict(ctx, q, vars))
}

// prepare returns the variables for the route's steps. Of a stream, it makes the head.
func (q *request) prepare(ctx context.Context, req *relay.Request) (map[string]any, error) {
	vars, err := q.input.read(ctx, q.env, req)
	if err != nil {
		return nil, err
	}
	q.seen = vars["request"]
	if err := q.depend(ctx, vars); err != nil || !q.Streams() {
		return vars, err
	}
	if q.head, err = q.frame(vars).head(ctx, q.Response.Head); err != nil {
		return nil, fmt.Errorf("response.%w", err)
	}
	return vars, nil
}

// Format is the format of errors that clients of typed routes expect.
var Format = problem.FastAPI

// refuse is the answer to any error before anything was sent.
func (q *request) refuse(err error) *relay.Reply {
	if ended, ok := answered(err); ok {
		q.record.Failed(requestlog.InPlaceOf(err, ended.reason()))
		return ended.reply
	}
	return relay.Problem(Format, q.problem(err))
}

// problem is the error that clients get when a request fails with err.
func (q *request) problem(err error) *problem.Error {
	if refused, ok := errors.AsType[*refusedError](err); ok { // it may repeat the client's words, so it is not reported
		q.record.Failed(err)
		return refused.problem
	}
	q.record.Failed(loggable(err))
	return q.reported(err)
}

// reported is the error that clients get. A fault of the gateway, or of its configuration, is also reported, unless the client
// has left and cannot get an answer.
func (q *request) reported(err error) *problem.Error {
	e := upstream.Problem(err)
	switch m, unfit := errors.AsType[*misfit](err); {
	case relay.FailureKindOf(err) == relay.FailedClient:
	case e.Status == http.StatusInternalServerError, e.Code == problem.BudgetExceeded:
		q.env.Report(q.record, q.Path, e)
	case unfit && m.told == e && e.Status == http.StatusBadGateway:
		q.env.Report(q.record, q.Path, e.WithCause(err)) // the manifest expects a value that does not exist
	}
	return e
}

// loggable is an error in words that may be logged: those of a call of an upstream, or those that clients get.
func loggable(err error) error {
	if f, failed := relay.FaultOf(err).(relay.Failure); failed { //nolint:errorlint // not wrapped
		return requestlog.InPlaceOf(err, f)
	}
	return requestlog.InPlaceOf(err, upstream.Problem(err))
}
