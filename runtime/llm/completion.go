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
	// FinishReason is stop, length, tool_calls or content_filter, or the upstream's own word for another reason; empty if it
	// gave none.
	FinishReason string
	ToolCalls    []ToolCall
	// Message is the assistant's message as its server wrote it: a JSON object that may hold more than the fields above, and
	// may have duplicate names and text that is not UTF-8. Nil means that the fields are the whole message.
	Message jsontext.Value
	// Usage is an object with the members of Tokens, and those that the upstream adds to them; nil for none.
	Usage jsontext.Value
	// Tokens is the part of Usage that could be read.
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

// Bytes is the length of the answer: its text, refusal and calls.
func (c *Completion) Bytes() int {
	bytes := len(c.Text) + len(c.Refusal)
	for i := range c.ToolCalls {
		bytes += len(c.ToolCalls[i].Name) + len(c.ToolCalls[i].Arguments)
	}
	return bytes
}

// Strictly returns an upstream's valid JSON for strict readers: unchanged, if it has no duplicate names and is UTF-8, and
// otherwise encoded anew. It is nil if the value exceeds the bounds of a decoded value.
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

// The reasons why an answer ends.
const (
	FinishStop          = "stop"
	FinishLength        = "length"
	FinishToolCalls     = "tool_calls"
	FinishContentFilter = "content_filter"
)

// MaxToolCalls bounds the calls of one answer: OpenAI's API allows a request to have this many tools.
const MaxToolCalls = 128

// ErrTooManyCalls means that an answer has more than MaxToolCalls.
var ErrTooManyCalls = fmt.Errorf("the answer has more than %d tool calls", MaxToolCalls)

// ToolCall is a call that the model asks for.
type ToolCall struct {
	ID   string
	Name string
	// Arguments is JSON unless the model made a mistake. It has not been checked.
	Arguments string
}
