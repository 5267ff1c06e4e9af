package openai

import (
	"github.com/llmservice/llmservice/runtime/llm"
	"github.com/llmservice/llmservice/runtime/rawjson"
)

// choice is where the members of a choice are that the gateway itself uses. If a member is given twice, the last counts.
type choice struct {
	position      int // in the list
	index, reason rawjson.Span
	message       rawjson.Span // or the delta
	text          rawjson.Span // of a completion that is not a chat's
	said
}

// said is where the members of a message are, or of a part of one.
type said struct {
	content, refusal    rawjson.Span
	firstCall, lastCall int  // among the envelope's calls, the last excluded
	isObject            bool // otherwise it is ignored
	any                 bool // member other than the role is there, and not empty
}

// call is where the members of a tool call are, or of a part of one: both have the same.
type call struct{ index, id, name, arguments rawjson.Span }

func (e *envelope) readChoices(d *rawjson.Descent) rawjson.Span {
	e.given, e.calls = e.given[:0], e.calls[:0]
	if e.most == 0 {
		return d.Value()
	}
	return d.Elements(func(i int) { // a value that is not a list has no choices
		if len(e.given) < e.most && d.Kind() == '{' {
			e.given = append(e.given, choice{position: i})
			e.readChoice(d, &e.given[len(e.given)-1])
		}
	})
}

func (e *envelope) readChoice(d *rawjson.Descent, c *choice) {
	d.Members(func(name []byte) {
		switch string(name) {
		case "index":
			c.index = d.Value()
		case "finish_reason":
			c.reason = d.Value()
		case "text":
			c.text = d.Value()
		case e.part:
			e.readMessage(d, c)
		}
	})
}

// readMessage reads a message or a delta. Servers send one with only a role, or with empty members, before the model has begun
// to answer.
func (e *envelope) readMessage(d *rawjson.Descent, c *choice) {
	c.said = said{isObject: d.Kind() == '{'}
	c.message = d.Members(func(name []byte) {
		var at rawjson.Span
		switch string(name) {
		case "role":
			return
		case "content":
			at = d.Value()
			c.content = at
		case "refusal":
			at = d.Value()
			c.refusal = at
		case "tool_calls":
			at = e.readCalls(d, c)
		default:
			at = d.Value()
		}
		c.any = c.any || !empty(at.Of(e.doc))
	})
}

// readCalls reads a list of calls, or a single one. It reads at most one more than llm.MaxToolCalls, which is the most that
// anyone keeps.
func (e *envelope) readCalls(d *rawjson.Descent, c *choice) (at rawjson.Span) {
	c.firstCall = len(e.calls)
	if d.Kind() == '[' {
		at = d.Elements(func(int) {
			if len(e.calls)-c.firstCall <= llm.MaxToolCalls {
				e.readCall(d)
			}
		})
	} else {
		at = e.readCall(d)
	}
	c.lastCall = len(e.calls)
	return at
}

// readCall reads a call; a value that is not an object is not a call.
func (e *envelope) readCall(d *rawjson.Descent) rawjson.Span {
	if d.Kind() != '{' {
		return d.Value()
	}
	e.calls = append(e.calls, call{})
	c := &e.calls[len(e.calls)-1]
	return d.Members(func(name []byte) {
		switch string(name) {
		case "index":
			c.index = d.Value()
		case "id":
			c.id = d.Value()
		case "function":
			c.readFunction(d)
		}
	})
}

func (c *call) readFunction(d *rawjson.Descent) {
	d.Members(func(name []byte) {
		switch string(name) {
		case "name":
			c.name = d.Value()
		case "arguments":
			c.arguments = d.Value()
		}
	})
}

// appendCalls appends the tool calls of a choice.
func (e *envelope) appendCalls(dst []llm.ToolCallDelta, c *choice) []llm.ToolCallDelta {
	for i := range e.calls[c.firstCall:c.lastCall] {
		call := &e.calls[c.firstCall+i]
		part := llm.ToolCallDelta{
			Index: -1, ID: saidWord(call.id.Of(e.doc)), Name: saidWord(call.name.Of(e.doc)),
			Arguments: appendArguments(nil, call.arguments.Of(e.doc)),
		}
		if call.index.Found() {
			part.Index = rawjson.Count(call.index.Of(e.doc), -1)
		}
		dst = append(dst, part)
	}
	return dst
}
