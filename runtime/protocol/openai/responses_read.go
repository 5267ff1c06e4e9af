package openai

import (
	"fmt"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/llmservice/llmservice/runtime/llm"
	"github.com/llmservice/llmservice/runtime/rawjson"
)

// ReadCompletion implements llm.Dialect. It does not keep the model's reasoning.
func (Responses) ReadCompletion(body []byte) (*llm.Completion, error) {
	var e envelope
	if err := e.readResponse(body); err != nil {
		return nil, err
	}
	c := &llm.Completion{Usage: chatUsage(e.usage.Of(e.doc))}
	c.Tokens = llm.TokensOf(c.Usage)
	output := e.output.Of(e.doc)
	_ = rawjson.ElementsSaid(output, func(_ int, at rawjson.Span) { readItem(c, at.Of(output)) }) // it has been read once already
	if len(c.ToolCalls) > llm.MaxToolCalls {
		return nil, fmt.Errorf("read response: %w", llm.ErrTooManyCalls)
	}
	c.FinishReason = e.finishReason(len(c.ToolCalls) > 0)
	c.Message = (&llm.Message{Role: "assistant", Content: c.Text, Refusal: c.Refusal, ToolCalls: c.ToolCalls}).JSON()
	return c, nil
}

// finishReason is why a response ended, in the words of chat completions.
func (e *envelope) finishReason(calls bool) string {
	reason := ""
	details := e.details.Of(e.doc)
	_ = rawjson.MembersSaid(details, func(name []byte, at rawjson.Span) { // a value that is not an object has no reason
		if string(name) == "reason" {
			reason = saidWord(at.Of(details))
		}
	})
	switch {
	case reason == "max_output_tokens":
		return llm.FinishLength
	case reason != "":
		return reason // content_filter has the same name
	case calls:
		return llm.FinishToolCalls
	}
	return llm.FinishStop
}

// readItem adds an item of the output.
func readItem(c *llm.Completion, item []byte) {
	var s itemSaid
	s.read(item)
	switch s.kind {
	case "message":
		content := s.content.Of(item)
		_ = rawjson.ElementsSaid(content, func(_ int, at rawjson.Span) { // a value that is not a list has no content
			part := at.Of(content)
			switch text, refusal := partSaid(part); {
			case refusal != "":
				c.Refusal += refusal
			default:
				c.Text += text
			}
		})
	case "function_call":
		c.ToolCalls = append(c.ToolCalls, llm.ToolCall{ID: s.callID, Name: s.name, Arguments: string(rawjson.Settle(s.arguments))})
	}
}

// itemSaid is what the gateway needs of an item.
type itemSaid struct {
	kind, callID, name string
	arguments          []byte
	content            rawjson.Span
}

func (s *itemSaid) read(item []byte) {
	_ = rawjson.MembersSaid(item, func(name []byte, at rawjson.Span) { // a value that is not an object is ignored
		switch value := at.Of(item); string(name) {
		case "type":
			s.kind = saidWord(value)
		case "call_id":
			s.callID = saidWord(value)
		case "name":
			s.name = saidWord(value)
		case "arguments":
			s.arguments = appendArguments(nil, value)
		case "content":
			s.content = at
		}
	})
}

func partSaid(part []byte) (text, refusal string) {
	_ = rawjson.MembersSaid(part, func(name []byte, at rawjson.Span) { // a value that is not an object is ignored
		switch string(name) {
		case "text":
			text = saidText(at.Of(part))
		case "refusal":
			refusal = saidText(at.Of(part))
		}
	})
	return text, refusal
}

// deltas reads what an event adds to the answer.
func (r *responseReader) deltas(name string) {
	e, d := &r.event, &r.delta
	value := e.delta.Of(e.doc)
	switch name {
	case "response.output_text.delta":
		d.Text = r.heldText.append(d.Text, value)
	case "response.refusal.delta":
		d.Refusal = r.heldRefusal.append(d.Refusal, value)
	case "response.output_item.added":
		r.item(e.item.Of(e.doc), false)
	case "response.output_item.done":
		r.item(e.item.Of(e.doc), true)
	case "response.function_call_arguments.delta":
		if call := r.calls[r.place()]; call != nil {
			call.streamed = true
			d.ToolCalls = append(d.ToolCalls, llm.ToolCallDelta{Index: call.index, Arguments: appendArguments(nil, value)})
		}
	}
	d.Text, d.Refusal = r.heldText.keep(d.Text), r.heldRefusal.keep(d.Refusal)
}

// streamedCall is one of the functions that a response calls.
type streamedCall struct {
	index    int
	streamed bool // its arguments have come in pieces
}

func (r *responseReader) place() int { return rawjson.Count(r.event.place.Of(r.event.doc), -1) }

// item reads an item that begins or ends: of a call, its name and, unless they came in pieces, its arguments.
func (r *responseReader) item(item jsontext.Value, ended bool) {
	var s itemSaid
	s.read(item)
	if s.kind != "function_call" {
		return
	}
	call := r.calls[r.place()]
	part := llm.ToolCallDelta{}
	if call == nil {
		if len(r.calls) > llm.MaxToolCalls { // nobody keeps more
			return
		}
		call = &streamedCall{index: len(r.calls)}
		if r.calls == nil {
			r.calls = map[int]*streamedCall{}
		}
		r.calls[r.place()] = call
		part.ID, part.Name = s.callID, s.name
	}
	if ended && !call.streamed {
		part.Arguments, call.streamed = s.arguments, true
	}
	if part.Index = call.index; part.Name != "" || len(part.Arguments) > 0 {
		r.delta.ToolCalls = append(r.delta.ToolCalls, part)
	}
}

// endOf reads what the last event adds to the usage: why it is the last.
func (r *responseReader) endOf() {
	d := &r.delta
	d.FinishReason = r.whole.finishReason(len(r.calls) > 0)
	d.Text, d.Refusal = r.heldText.flush(d.Text), r.heldRefusal.flush(d.Refusal)
}
