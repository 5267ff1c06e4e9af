package flow

import (
	"context"
	"fmt"

	"github.com/go-json-experiment/json"

	"github.com/llmservice/llmservice/runtime/config"
	"github.com/llmservice/llmservice/runtime/expr"
	"github.com/llmservice/llmservice/runtime/protocol/openai"
	"github.com/llmservice/llmservice/runtime/relay"
	"github.com/llmservice/llmservice/runtime/upstream"
)

// chat is a chat step, compiled.
type chat struct {
	env      *Environment
	upstream *upstream.Upstream
	roles    []string
	contents []*expr.Template
	request  openai.Chat // without messages
}

func compileChat(c *config.Chat, env *Environment) (*chat, error) {
	target, ok := env.Upstreams[c.Upstream]
	if !ok {
		return nil, fmt.Errorf("there is no upstream %q", c.Upstream)
	}
	templates, err := expr.NewEnv(config.TemplateVars(nil))
	if err != nil {
		return nil, fmt.Errorf("prepare expressions: %w", err)
	}
	compiled := &chat{env: env, upstream: target, request: openai.Chat{Parameters: c.Parameters}}
	for i, m := range c.Messages {
		content, err := templates.Compile(m.Content)
		if err != nil {
			return nil, fmt.Errorf("messages[%d].content: %w", i, err)
		}
		compiled.roles = append(compiled.roles, m.Role)
		compiled.contents = append(compiled.contents, content)
	}
	return compiled, nil
}

// plan says what to ask of the upstream for a request.
func (c *chat) plan(ctx context.Context, variables map[string]any, stream bool) (*upstream.Plan, error) {
	request := c.request
	request.Stream = stream
	for i, content := range c.contents {
		text, err := content.Text(ctx, variables, nil)
		if err != nil {
			return nil, fmt.Errorf("messages[%d].content: %w", i, err)
		}
		request.Messages = append(request.Messages, openai.Message{Role: c.roles[i], Content: text})
	}
	return &upstream.Plan{
		Upstreams: []*upstream.Upstream{c.upstream},
		Path:      openai.ChatPath,
		Accept:    accept(stream),
		Body:      func(u *upstream.Upstream) ([]byte, error) { return request.Body(u.Model) },
	}, nil
}

func accept(stream bool) string {
	if stream {
		return "text/event-stream"
	}
	return "application/json"
}

// run asks for a whole answer and returns the step's value.
func (c *chat) run(ctx context.Context, plan *upstream.Plan) (map[string]any, relay.Failure) {
	var value map[string]any
	check := func(body []byte) (err error) {
		value, err = stepValue(body)
		return err
	}
	_, failure := upstream.Whole(ctx, c.env.Client, plan.Attempts(), check, c.env.Observe)
	if failure.Kind != relay.NoFailure {
		return nil, failure
	}
	return value, relay.Failure{}
}

// stepValue is what templates see of a completion: text, message, finishReason and usage.
func stepValue(body []byte) (map[string]any, error) {
	completion, err := openai.ParseCompletion(body)
	if err != nil {
		return nil, err
	}
	value := map[string]any{"text": completion.Text, "finishReason": completion.FinishReason}
	for name, raw := range map[string][]byte{"message": completion.Message, "usage": completion.Usage} {
		var decoded any
		if len(raw) > 0 {
			if err := json.Unmarshal(raw, &decoded); err != nil {
				return nil, fmt.Errorf("read completion: %s: %w", name, err)
			}
		}
		value[name] = decoded
	}
	return value, nil
}
