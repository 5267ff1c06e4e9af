package flow

import (
	"context"
	"fmt"

	"github.com/go-json-experiment/json"

	"github.com/llmservice/llmservice/runtime/config/program"
	"github.com/llmservice/llmservice/runtime/expr"
	"github.com/llmservice/llmservice/runtime/llm"
	"github.com/llmservice/llmservice/runtime/schema"
	"github.com/llmservice/llmservice/runtime/upstream"
)

// chat asks a model for a completion.
type chat struct {
	target target
	prompt prompt
	output *output // nil for text
}

// Chat implements program.Kinds.
func (c *compiler) Chat(s *program.Chat) made {
	target, err := c.target(s.Candidates(), s.Choice)
	return made{&chat{target, prompt{s.Messages, s.Parameters}, newOutput(s.Output)}, err}
}

func (c *chat) perform(ctx context.Context, f *frame) (any, error) {
	target, err := c.target.of(ctx, f)
	if err != nil {
		return nil, fmt.Errorf("chat.%w", err)
	}
	request, err := c.prompt.request(ctx, f)
	if err != nil {
		return nil, err
	}
	value, err := c.ask(ctx, f, target, request)
	if err != nil {
		return nil, err
	}
	value["upstream"] = target.Name
	return value, nil
}

func (c *chat) ask(ctx context.Context, f *frame, u *upstream.Upstream, request *llm.Chat) (map[string]any, error) {
	if c.output == nil {
		done, err := f.complete(ctx, u, request, f.tokens)
		if err != nil {
			return nil, err
		}
		return f.completed(ctx, done), nil
	}
	var total bill
	return c.output.askUntilValid(ctx, f, request,
		func(ctx context.Context, request *llm.Chat, tokens *outlet) (*llm.Completion, error) {
			done, err := f.complete(ctx, u, request, tokens)
			if err == nil {
				total.add(done)
			}
			return done, err
		})
}

// prompt is a request to a model, as templates.
type prompt struct {
	messages   []program.Message
	parameters *expr.Tree
}

func (p *prompt) request(ctx context.Context, f *frame) (*llm.Chat, error) {
	request := &llm.Chat{Messages: make([]llm.Message, 0, len(p.messages))}
	for i := range p.messages {
		var err error
		if request.Messages, err = appendMessages(ctx, request.Messages, f, &p.messages[i]); err != nil {
			return nil, fmt.Errorf("messages[%d].%w", i, err)
		}
	}
	if p.parameters != nil {
		parameters, err := f.json(ctx, p.parameters)
		if err != nil {
			return nil, fmt.Errorf("parameters: %w", err)
		}
		request.Parameters = parameters
	}
	return request, nil
}

// appendMessages adds a message, or those of a history.
func appendMessages(ctx context.Context, all []llm.Message, f *frame, m *program.Message) ([]llm.Message, error) {
	if m.History == nil {
		text, err := f.text(ctx, m.Content)
		if err != nil {
			return nil, fmt.Errorf("content: %w", err)
		}
		return append(all, llm.Message{Role: m.Role, Content: text}), nil
	}
	list, err := f.list(ctx, m.History)
	if err != nil {
		return nil, fmt.Errorf("history: %w", err)
	}
	encoded, err := json.Marshal(list, json.Deterministic(true))
	if err != nil {
		return nil, fmt.Errorf("history: %w", err)
	}
	messages, wrong := llm.ParseMessages(encoded)
	if wrong != nil {
		return nil, f.misfit(m.History.Reads(), "is not a list of messages: "+wrong.Message, fmt.Errorf("history: %w", wrong))
	}
	return append(all, messages...), nil
}

// completed is a completion as templates see it. What nobody reads of it is not decoded.
func (f *frame) completed(ctx context.Context, c *llm.Completion) map[string]any {
	value := map[string]any{"text": c.Text, "finishReason": c.FinishReason, "message": nil, "usage": nil}
	if f.Completions.Member("message") {
		value["message"] = c.MessageValue(ctx)
	}
	if f.Completions.Member("usage") {
		value["usage"] = decoded(ctx, c.Usage)
	}
	return value
}

// decoded is an upstream's JSON, which was parsed before, as a value for templates. It is null once ctx has ended.
func decoded(ctx context.Context, raw []byte) any {
	if raw == nil {
		return nil
	}
	value, err := schema.DecodeLenient(ctx, raw)
	if err != nil {
		return nil
	}
	return value
}
