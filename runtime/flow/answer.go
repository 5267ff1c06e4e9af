package flow

import (
	"context"
	"fmt"
	"maps"

	"github.com/llmservice/llmservice/runtime/config"
	"github.com/llmservice/llmservice/runtime/expr"
	"github.com/llmservice/llmservice/runtime/problem"
	"github.com/llmservice/llmservice/runtime/protocol/openai"
	"github.com/llmservice/llmservice/runtime/relay"
	"github.com/llmservice/llmservice/runtime/upstream"
	"github.com/llmservice/llmservice/runtime/wire"
)

// answer is a route's whole answer, compiled.
type answer struct {
	step string
	tree *expr.Tree
}

func compileAnswer(body []byte, step string) (*answer, error) {
	env, err := expr.NewEnv(config.TemplateVars([]string{step}))
	if err != nil {
		return nil, fmt.Errorf("prepare expressions: %w", err)
	}
	tree, err := env.CompileTree(body)
	if err != nil {
		return nil, fmt.Errorf("response.body: %w", err)
	}
	return &answer{step: step, tree: tree}, nil
}

func (a *answer) eval(ctx context.Context, variables map[string]any, result map[string]any) ([]byte, error) {
	all := maps.Clone(variables)
	all["steps"] = map[string]any{a.step: result}
	body, err := a.tree.JSON(ctx, all, nil)
	if err != nil {
		return nil, fmt.Errorf("response.body: %w", err)
	}
	return body, nil
}

// stream hands the chat step's events on as they come, in OpenAI's format.
func (r *Route) stream(plan *upstream.Plan) *relay.Relay {
	return &relay.Relay{
		Next:    plan.Attempts(),
		Observe: r.env.Observe,
		Tap:     func() relay.Tap { return openai.NewTap("") },
		Refuse: func(f relay.Failure) *relay.Reply {
			return relay.Problem(problem.FastAPI, upstream.Problem(f))
		},
		Abort:       AbortOpenAI,
		Timeout:     r.timeout,
		MaxDuration: r.env.MaxStreamDuration,
	}
}

// AbortOpenAI is the error event of a stream of OpenAI chunks: unnamed, with an error object as data, which is what
// OpenAI's own clients raise.
func AbortOpenAI(f relay.Failure) []byte {
	return wire.AppendEvent(nil, "", problem.OpenAI.Event(upstream.Problem(f)))
}
