package llm

import (
	"context"
	"fmt"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/llmservice/llmservice/runtime/schema"
)

// Completion is an answer, as far as later steps can use it.
type Completion struct {
	// Text is the content; empty if the model only calls tools, or refuses.
	Text string
	// Refusal is the model's own reason for not answering.
	Refusal string
	// FinishReason is empty if the upstream gave none: stop, length, tool_calls or content_filter, or the upstream's
	// own word if it has none of these.
	FinishReason string
	ToolCalls    []ToolCall
	// Message is the assistant's message as its server wrote it, an object that may hold more than the fields above; it is JSON,
	// but may have names given twice and text that is not UTF-8. Nil says that they are all.
	Message jsontext.Value
	// Usage is an object with the members of Tokens, and those that the upstream adds to them; nil for none.
	Usage jsontext.Value
	// Tokens is what could be read of Usage.
	Tokens Tokens
}

// Turn is the message to be sent back in the next turn.
func (c *Completion) Turn() Message {
	if c.Message != nil {
		if raw := Strictly(c.Message); raw != nil {
			return Message{Role: "assistant", Raw: raw}
		}
	}
	return c.plainTurn()
}

func (c *Completion) plainTurn() Message {
	return Message{Role: "assistant", Content: c.Text, Refusal: c.Refusal, ToolCalls: c.ToolCalls}
}

// MessageValue is the message as templates see it: Message.JSON, decoded. It is nil if ctx ends first.
func (c *Completion) MessageValue(ctx context.Context) any {
	if c.Message == nil {
		turn := c.plainTurn()
		return turn.value()
	}
	value, err := schema.DecodeLenient(ctx, c.Message)
	if err != nil {
		return nil
	}
	return value
}

// Bytes is how long the answer is, in text, refusal and calls.
func (c *Completion) Bytes() int {
	bytes := len(c.Text) + len(c.Refusal)
	for i := range c.ToolCalls {
		bytes += len(c.ToolCalls[i].Name) + len(c.ToolCalls[i].Arguments)
	}
	return bytes
}

// Strictly returns valid JSON of an upstream's for readers that are strict: as it is, if it has no names given twice and is
// UTF-8, else written anew. It is nil for what is beyond the bounds of a decoded value.
func Strictly(value jsontext.Value) jsontext.Value {
	if value.IsValid() {
		return value
	}
	decoded, err := schema.DecodeLenient(context.Background(), value) // of at most MaxBodyNodes, in turns with others
	if err != nil {
		return nil
	}
	clean, err := json.Marshal(decoded, json.Deterministic(true))
	if err != nil {
		return nil
	}
	return clean
}

// The reasons for which an answer ends.
const (
	FinishStop          = "stop"
	FinishLength        = "length"
	FinishToolCalls     = "tool_calls"
	FinishContentFilter = "content_filter"
)

// MaxToolCalls bounds the calls of one answer: as many as OpenAI's API allows a request to have tools.
const MaxToolCalls = 128

// ErrTooManyCalls is an answer that exceeds MaxToolCalls.
var ErrTooManyCalls = fmt.Errorf("the answer has more than %d tool calls", MaxToolCalls)

// ToolCall is a function that the model wants called.
type ToolCall struct {
	ID   string
	Name string
	// Arguments is JSON unless the model made a mistake: it has not been checked.
	Arguments string
}
