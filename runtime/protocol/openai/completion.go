package openai

import (
	"errors"
	"fmt"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// Completion is an answer, as far as later steps can use it: the first choice, where it has several.
type Completion struct {
	// Text is the content; empty where the model only calls tools, or refuses.
	Text string
	// Refusal is the model's own reason for not answering.
	Refusal string
	// FinishReason is empty where the upstream gave none.
	FinishReason string
	ToolCalls    []ToolCall
	// Message is the assistant's message, to be sent back in the next turn.
	Message jsontext.Value
	// Usage is as the upstream gave it; nil for none.
	Usage jsontext.Value
	// Tokens is what could be read of Usage.
	Tokens Tokens
}

// ToolCall is a function that the model wants called.
type ToolCall struct {
	ID   string
	Name string
	// Arguments is JSON if the model made no mistake: nobody has checked.
	Arguments string
}

// Tokens counts tokens as OpenAI's usage object does.
type Tokens struct {
	Prompt     int64 `json:"prompt_tokens"`
	Completion int64 `json:"completion_tokens"`
	Total      int64 `json:"total_tokens"`
}

// Add adds what another call used.
func (t *Tokens) Add(o Tokens) {
	t.Prompt += o.Prompt
	t.Completion += o.Completion
	t.Total += o.Total
}

// ParseCompletion reads a whole answer. An answer without a choice is an error.
func ParseCompletion(body []byte) (*Completion, error) {
	var answer struct {
		Choices []struct {
			Message      jsontext.Value `json:"message"`
			FinishReason *string        `json:"finish_reason"`
		} `json:"choices"`
		Usage jsontext.Value `json:"usage"`
	}
	if err := json.Unmarshal(body, &answer); err != nil {
		return nil, fmt.Errorf("read completion: %w", unquoted(err))
	}
	if len(answer.Choices) == 0 {
		return nil, errors.New("read completion: it has no choices")
	}
	first := answer.Choices[0]
	c := &Completion{Message: first.Message, Usage: asUsage(answer.Usage)}
	c.Tokens = tokens(c.Usage)
	if first.FinishReason != nil {
		c.FinishReason = *first.FinishReason
	}
	if err := c.readMessage(first.Message); err != nil {
		return nil, fmt.Errorf("read completion: message: %w", unquoted(err))
	}
	return c, nil
}

func (c *Completion) readMessage(message []byte) error {
	var wrong error
	err := members(message, func(name []byte, at span) {
		var err error
		switch value := at.of(message); string(name) {
		case "content":
			c.Text, err = text(value)
		case "refusal":
			c.Refusal, err = text(value)
		case "tool_calls":
			err = c.readToolCalls(value)
		}
		wrong = errors.Join(wrong, err)
	})
	return errors.Join(err, wrong)
}

func (c *Completion) readToolCalls(list []byte) error {
	if isNull(list) {
		return nil
	}
	var wrong error
	err := elements(list, func(_ int, at span) {
		call, err := readToolCall(at.of(list))
		c.ToolCalls = append(c.ToolCalls, ToolCall{ID: call.id, Name: call.name, Arguments: call.arguments})
		wrong = errors.Join(wrong, err)
	})
	return errors.Join(err, wrong)
}

// asUsage returns a copy of a usage object, and nil for anything else.
func asUsage(value []byte) jsontext.Value {
	if jsontext.Value(value).Kind() != '{' {
		return nil
	}
	return jsontext.Value(value).Clone()
}

// maxCount is more than any answer has, and small enough to be added up.
const maxCount = 1 << 40

// tokens reads a usage object. What is not a count is not counted, and a total that is missing is worked out: an answer
// is not lost for the sake of its bill.
func tokens(usage jsontext.Value) Tokens {
	var t Tokens
	if usage == nil {
		return t
	}
	counts := map[string]*int64{"prompt_tokens": &t.Prompt, "completion_tokens": &t.Completion, "total_tokens": &t.Total}
	// It has been read once already, as part of its document.
	_ = members(usage, func(name []byte, at span) {
		if count, known := counts[string(name)]; known {
			if n, err := integer(at.of(usage), 0); err == nil && n <= maxCount {
				*count = int64(n)
			}
		}
	})
	t.Total = max(t.Total, t.Prompt+t.Completion)
	return t
}

// WithAlias returns a whole answer under the name that the client asked for.
func WithAlias(body []byte, alias string) ([]byte, error) {
	var model span
	if err := members(body, func(name []byte, value span) {
		if string(name) == "model" {
			model = value
		}
	}); err != nil {
		return nil, fmt.Errorf("read completion: %w", unquoted(err))
	}
	if !model.found() {
		return body, nil
	}
	return splice(make([]byte, 0, len(body)+len(alias)), body, model, quote(alias)), nil
}
