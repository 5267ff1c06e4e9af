package openai

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/llmservice/llmservice/runtime/llm"
	"github.com/llmservice/llmservice/runtime/rawjson"
	"github.com/llmservice/llmservice/runtime/relay"
)

// readCompletion reads a whole answer as the events of a stream are read. An answer without a choice is an error, and so is one
// that reports an error (a relay.Failure, FailedEvent). No error repeats the upstream's words.
func readCompletion(body []byte) (*llm.Completion, error) {
	e := envelopes.Get().(*envelope) //nolint:forcetypeassert // the pool holds nothing else
	defer e.release()
	first, err := e.firstChoice(body, "message")
	if err != nil {
		return nil, err
	}
	c := &llm.Completion{FinishReason: saidWord(first.reason.Of(e.doc)), Usage: asUsage(e.usage.Of(e.doc))}
	c.Tokens = llm.TokensOf(c.Usage)
	c.Text, c.Refusal = saidText(first.content.Of(e.doc)), saidText(first.refusal.Of(e.doc))
	for _, call := range e.appendCalls(nil, first) {
		c.ToolCalls = append(c.ToolCalls, llm.ToolCall{ID: call.ID, Name: call.Name, Arguments: string(rawjson.Settle(call.Arguments))})
	}
	if len(c.ToolCalls) > llm.MaxToolCalls {
		return nil, fmt.Errorf("read completion: %w", llm.ErrTooManyCalls)
	}
	if first.isObject {
		c.Message = bytes.Clone(first.message.Of(e.doc))
	}
	return c, nil
}

// firstChoice reads a whole answer, and returns its first choice, with the given part of it.
func (e *envelope) firstChoice(body []byte, part string) (*choice, error) {
	if err := e.readPart(body, 1, part); err != nil {
		return nil, fmt.Errorf("read completion: %w", err)
	}
	if states(e.failure.Of(e.doc)) {
		return nil, relay.Failure{Kind: relay.FailedEvent, Err: errErrorMember}
	}
	if len(e.given) == 0 {
		return nil, errors.New("read completion: it has no choices")
	}
	return &e.given[0], nil
}

// asUsage returns a copy of a usage object, and nil for anything else.
func asUsage(value []byte) jsontext.Value {
	if jsontext.Value(value).Kind() != '{' {
		return nil
	}
	return llm.Strictly(bytes.Clone(value))
}

// Rename implements llm.Endpoint. As in a stream, it checks only what a relay has to know: that there is a choice, and that no
// error is reported.
func (Dialect) Rename(body []byte, alias string, used *llm.Used) ([]byte, error) {
	e := envelopes.Get().(*envelope) //nolint:forcetypeassert // the pool holds nothing else
	defer e.release()
	if _, err := e.firstChoice(body, ""); err != nil {
		return nil, err
	}
	used.Count(llm.TokensOf(e.usage.Of(e.doc)), len(e.choices.Of(e.doc)))
	return rawjson.Edited(body, e.edits(nil, quoted(alias), llm.Place{})...), nil
}
