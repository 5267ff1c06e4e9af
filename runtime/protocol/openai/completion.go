package openai

import (
	"context"
	"errors"
	"fmt"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/llmservice/llmservice/runtime/relay"
	"github.com/llmservice/llmservice/runtime/schema"
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

// ParseCompletion reads a whole answer as the events of a stream are read. One without a choice is an error, and so is one
// that states an error (a relay.Failure, FailedEvent). No error repeats what the upstream said.
func ParseCompletion(body []byte) (*Completion, error) {
	var e envelope
	first, err := e.firstChoice(body)
	if err != nil {
		return nil, err
	}
	var message, reason span
	_ = membersSaid(first, func(name []byte, value span) { // it has been read once already
		switch string(name) {
		case "message":
			message = value
		case "finish_reason":
			reason = value
		}
	})
	c := &Completion{FinishReason: saidWord(reason.of(first)), Usage: asUsage(e.usage.of(e.doc))}
	c.Tokens = tokens(c.Usage)
	c.readMessage(message.of(first))
	if len(c.ToolCalls) > MaxToolCalls {
		return nil, fmt.Errorf("read completion: %w", errTooManyCalls)
	}
	return c, nil
}

// firstChoice reads a whole answer's members, and gives its first choice.
func (e *envelope) firstChoice(body []byte) ([]byte, error) {
	if err := e.read(body); err != nil {
		return nil, fmt.Errorf("read completion: %w", err)
	}
	if states(e.failure.of(e.doc)) {
		return nil, relay.Failure{Kind: relay.FailedEvent, Err: errErrorMember}
	}
	var first []byte
	list := e.choices.of(e.doc)
	_ = elementsSaid(list, func(_ int, at span) { // what is not a list has no choices
		if choice := at.of(list); first == nil && choice[0] == '{' {
			first = choice
		}
	})
	if first == nil {
		return nil, errors.New("read completion: it has no choices")
	}
	return first, nil
}

func (c *Completion) readMessage(message []byte) {
	var s said
	if err := s.read(message); err == nil {
		c.Text, c.Refusal = saidText(s.content.of(message)), saidText(s.refusal.of(message))
		for _, call := range appendToolCalls(nil, s.calls.of(message)) {
			c.ToolCalls = append(c.ToolCalls, ToolCall{ID: call.id, Name: call.name, Arguments: string(settle(call.arguments))})
		}
		c.Message = strict(message)
	}
	if c.Message == nil {
		c.Message = assistant(c.Text, c.Refusal, c.ToolCalls)
	}
}

// strict returns a copy of a value for readers that are strict: without names given twice, and with U+FFFD in the place of
// what is not text. It is nil for one that is beyond the bounds of a decoded value.
func strict(value jsontext.Value) jsontext.Value {
	if value.IsValid() {
		return value.Clone()
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

// asUsage returns a copy of a usage object, and nil for anything else.
func asUsage(value []byte) jsontext.Value {
	if jsontext.Value(value).Kind() != '{' {
		return nil
	}
	return strict(value)
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
	_ = membersSaid(usage, func(name []byte, at span) {
		if count, known := counts[string(name)]; known {
			if n := saidInteger(at.of(usage), 0); n <= maxCount {
				*count = int64(n)
			}
		}
	})
	t.Total = max(t.Total, t.Prompt+t.Completion)
	return t
}

// WithAlias returns a whole answer under the name that the client asked for; every other byte is the upstream's. It checks
// only what a relay has to know, as in a stream: that there is a choice, and that no error is stated.
func WithAlias(body []byte, alias string) ([]byte, error) {
	var e envelope
	if _, err := e.firstChoice(body); err != nil {
		return nil, err
	}
	if len(e.models) == 0 {
		return body, nil
	}
	return e.edited(make([]byte, 0, len(body)+len(e.models)*len(alias)), body, quote(alias)), nil
}
