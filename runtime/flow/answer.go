package flow

import (
	"context"
	"fmt"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/llmservice/llmservice/runtime/config"
	"github.com/llmservice/llmservice/runtime/expr"
	"github.com/llmservice/llmservice/runtime/problem"
	"github.com/llmservice/llmservice/runtime/relay"
	"github.com/llmservice/llmservice/runtime/schema"
)

func (c *compiler) answer(r *config.Route, compiled *Route) answer {
	kept := promise{schema: c.program.Schema(&r.Response.Schema), text: wantsText(r.Response.Schema)}
	body := c.program.Tree(&r.Response.Body)
	switch {
	case r.Response.Events != nil:
		return &named{config: r.Response.Events, body: body, promise: kept, keepAlive: r.Response.KeepAlive.Std()}
	case r.Response.Stream == "":
		return &whole{body: body, promise: kept}
	}
	if only := compiled.relayed(r.Response); only != nil {
		return &relayed{chat: only, keepAlive: r.Response.KeepAlive.Std()}
	}
	return newStreamed(r.Response, kept)
}

// whole answers with one JSON value.
type whole struct {
	body    *expr.Tree
	promise promise
}

func (w *whole) verdict(_ context.Context, q *request, vars map[string]any) relay.Verdict {
	return relay.Verdict{Produce: func(ctx context.Context) *relay.Reply {
		ctx, cancel := context.WithDeadlineCause(ctx, q.deadline, relay.Failure{Kind: relay.FailedTimeout})
		defer cancel()
		body, err := w.run(ctx, &frame{request: q, vars: vars})
		if err != nil {
			return q.refuse(because(ctx, err))
		}
		return relay.JSON(body)
	}}
}

func (w *whole) run(ctx context.Context, f *frame) ([]byte, error) {
	if err := run(ctx, f.steps, f); err != nil {
		return nil, err
	}
	return body(ctx, f, w.body, &w.promise)
}

// body evaluates a response's body and holds it to its promise.
func body(ctx context.Context, f *frame, tree *expr.Tree, p *promise) ([]byte, error) {
	encoded, err := f.json(ctx, tree)
	if err != nil {
		return nil, fmt.Errorf("response.body: %w", err)
	}
	return encoded, p.check(ctx, f, encoded)
}

// promise is what a route's answers have to satisfy.
type promise struct {
	schema *schema.Schema // nil promises nothing
	// text says that the schema is one of strings: of a streamed answer itself, not of JSON written in it.
	text bool
}

func wantsText(raw jsontext.Value) bool {
	var s struct {
		Type any `json:"type"`
	}
	return len(raw) > 0 && json.Unmarshal(raw, &s) == nil && s.Type == "string"
}

// check says how an answer breaks its promise: in the log and the metric, not to the client.
func (p *promise) check(ctx context.Context, f *frame, encoded []byte) error {
	if p.schema == nil {
		return nil
	}
	_, violations, err := check(ctx, f.env, len(encoded), func() (any, []problem.Violation, error) {
		return p.schema.CheckText(ctx, encoded, "response")
	})
	if err != nil {
		return err
	}
	return f.keptPromise(violations)
}

// checkText is check for a streamed answer's text.
func (p *promise) checkText(ctx context.Context, f *frame, text string) error {
	encoded := []byte(text)
	if p.text {
		encoded, _ = jsontext.AppendQuote(nil, text) // what is not UTF-8 has been replaced
	}
	return p.check(ctx, f, encoded)
}

func (f *frame) keptPromise(violations []problem.Violation) error {
	if len(violations) == 0 {
		return nil
	}
	broken := problem.New(problem.ResponseInvalid).WithCause(invalid(violations))
	f.env.InvalidAnswer(f.path)
	f.env.Report(f.path, broken)
	return relay.Failure{Kind: relay.FailedSchema, Err: broken}
}
