package openai

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// ChatPath is the completion endpoint, relative to an upstream's base URL.
const ChatPath = "/chat/completions"

// Message is one turn of a conversation.
type Message struct {
	Role    string `json:"role"`
	Content string `json:"content"`
}

// Chat is a completion request that the gateway makes itself.
type Chat struct {
	Messages []Message
	// Parameters is an object of further members; nil for none.
	Parameters jsontext.Value
	Stream     bool
}

// Body returns the request for a model.
func (c *Chat) Body(model string) ([]byte, error) {
	messages, err := json.Marshal(c.Messages)
	if err != nil {
		return nil, fmt.Errorf("encode messages: %w", err)
	}
	body := append([]byte(`{"model":`), quote(model)...)
	body = append(append(body, `,"messages":`...), messages...)
	if c.Stream {
		body = append(body, `,"stream":true`...)
	}
	if further := insides(c.Parameters); len(further) > 0 {
		body = append(append(body, ','), further...)
	}
	return append(body, '}'), nil
}

// insides are what stands between an object's braces; the object is known to be one.
func insides(object []byte) []byte {
	object = bytes.TrimSpace(object)
	if len(object) == 0 {
		return nil
	}
	return bytes.TrimSpace(object[1 : len(object)-1])
}

// Completion is a whole answer, as far as later steps can use it.
type Completion struct {
	// Text is the content of the first choice; empty where it only calls tools.
	Text         string
	FinishReason string
	Message      jsontext.Value
	Usage        jsontext.Value
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
		return nil, fmt.Errorf("read completion: %w", err)
	}
	if len(answer.Choices) == 0 {
		return nil, errors.New("read completion: it has no choices")
	}
	first := answer.Choices[0]
	var message struct {
		Content *string `json:"content"`
	}
	if err := json.Unmarshal(first.Message, &message); err != nil {
		return nil, fmt.Errorf("read completion: message: %w", err)
	}
	c := &Completion{Message: first.Message, Usage: answer.Usage}
	if message.Content != nil {
		c.Text = *message.Content
	}
	if first.FinishReason != nil {
		c.FinishReason = *first.FinishReason
	}
	return c, nil
}

// WithAlias returns a whole answer under the name that the client asked for.
func WithAlias(body []byte, alias string) ([]byte, error) {
	var model span
	if err := members(body, func(name []byte, value span) {
		if string(name) == "model" {
			model = value
		}
	}); err != nil {
		return nil, fmt.Errorf("read completion: %w", err)
	}
	if !model.found() {
		return body, nil
	}
	return splice(make([]byte, 0, len(body)+len(alias)), body, model, quote(alias)), nil
}
