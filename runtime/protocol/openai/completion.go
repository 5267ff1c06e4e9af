package openai

import (
	"context"
	"errors"
	"fmt"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/llmservice/llmservice/runtime/llm"
	"github.com/llmservice/llmservice/runtime/rawjson"
	"github.com/llmservice/llmservice/runtime/relay"
	"github.com/llmservice/llmservice/runtime/schema"
)

// readCompletion reads a whole answer as the events of a stream are read. One without a choice is an error, and so is one
// that states an error (a relay.Failure, FailedEvent). No error repeats what the upstream said.
func readCompletion(body []byte) (*llm.Completion, error) {
	var e envelope
	first, err := e.firstChoice(body)
	if err != nil {
		return nil, err
	}
	var message, reason rawjson.Span
	_ = rawjson.MembersSaid(first, func(name []byte, value rawjson.Span) { // it has been read once already
		switch string(name) {
		case "message":
			message = value
		case "finish_reason":
			reason = value
		}
	})
	c := &llm.Completion{FinishReason: saidWord(reason.Of(first)), Usage: asUsage(e.usage.Of(e.doc))}
	c.Tokens = llm.TokensOf(c.Usage)
	readMessage(c, message.Of(first))
	if len(c.ToolCalls) > llm.MaxToolCalls {
		return nil, fmt.Errorf("read completion: %w", llm.ErrTooManyCalls)
	}
	return c, nil
}

// firstChoice reads a whole answer's members, and gives its first choice.
func (e *envelope) firstChoice(body []byte) ([]byte, error) {
	if err := e.read(body); err != nil {
		return nil, fmt.Errorf("read completion: %w", err)
	}
	if states(e.failure.Of(e.doc)) {
		return nil, relay.Failure{Kind: relay.FailedEvent, Err: errErrorMember}
	}
	var first []byte
	list := e.choices.Of(e.doc)
	_ = rawjson.ElementsSaid(list, func(_ int, at rawjson.Span) { // what is not a list has no choices
		if choice := at.Of(list); first == nil && choice[0] == '{' {
			first = choice
		}
	})
	if first == nil {
		return nil, errors.New("read completion: it has no choices")
	}
	return first, nil
}

func readMessage(c *llm.Completion, message []byte) {
	var s said
	if err := s.read(message); err == nil {
		c.Text, c.Refusal = saidText(s.content.Of(message)), saidText(s.refusal.Of(message))
		for _, call := range appendToolCalls(nil, s.calls.Of(message)) {
			c.ToolCalls = append(c.ToolCalls, llm.ToolCall{ID: call.ID, Name: call.Name, Arguments: string(rawjson.Settle(call.Arguments))})
		}
		c.Message = strict(message)
	}
	if c.Message == nil {
		m := llm.Message{Role: "assistant", Content: c.Text, Refusal: c.Refusal, ToolCalls: c.ToolCalls}
		c.Message = m.JSON()
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

// Rename implements llm.Endpoint. It checks only what a relay has to know, as in a stream: that there is a choice, and that no
// error is stated.
func (Dialect) Rename(body []byte, alias string) ([]byte, error) {
	var e envelope
	if _, err := e.firstChoice(body); err != nil {
		return nil, err
	}
	return e.renamed(body, alias), nil
}
