package openai

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/llmservice/llmservice/runtime/problem"
)

// Message is one turn of a conversation.
type Message struct {
	Role    string
	Content string
	// ToolCalls are what an assistant's message asks for; its content may then be empty.
	ToolCalls []ToolCall
	// ToolCallID says which call the message of a tool answers.
	ToolCallID string
	// Raw, where set, is the message itself, and is sent unchanged: out of a history, or as a model wrote it.
	Raw jsontext.Value
}

// size is about how many bytes the message has as JSON.
func (m *Message) size() int {
	size := len(m.Role) + len(m.Content) + len(m.Raw)
	for i := range m.ToolCalls {
		size += len(m.ToolCalls[i].Arguments)
	}
	return size
}

func (m *Message) json() []byte {
	if m.Raw != nil {
		return m.Raw
	}
	if len(m.ToolCalls) > 0 {
		return assistant(m.Content, "", m.ToolCalls)
	}
	o := object{}.with("role", quote(m.Role)).with("content", quote(m.Content))
	if m.ToolCallID != "" {
		o = o.with("tool_call_id", quote(m.ToolCallID))
	}
	return o.done()
}

// assistant writes what a model said as the message that the API would have answered with.
func assistant(text, refusal string, calls []ToolCall) []byte {
	content := quote(text)
	if text == "" && (refusal != "" || len(calls) > 0) {
		content = []byte("null")
	}
	o := object{}.with("role", quote("assistant")).with("content", content)
	if refusal != "" {
		o = o.with("refusal", quote(refusal))
	}
	if len(calls) > 0 {
		o = o.with("tool_calls", list(calls, ToolCall.json))
	}
	return o.done()
}

func (c ToolCall) json() []byte {
	function := object{}.with("name", quote(c.Name)).with("arguments", quote(c.Arguments)).done()
	return object{}.with("id", quote(c.ID)).with("type", quote("function")).with("function", function).done()
}

// list writes a JSON array.
func list[T any](elements []T, write func(T) []byte) []byte {
	out := []byte{'['}
	for i, e := range elements {
		if i > 0 {
			out = append(out, ',')
		}
		out = append(out, write(e)...)
	}
	return append(out, ']')
}

var roles = []string{"system", "developer", "user", "assistant", "tool"}

// ParseMessages reads a history: a JSON array of messages, each to be sent on unchanged. It checks their shape, which is
// OpenAI's: the role, a content that is text or a list of parts (an assistant's may be null), the tool calls and the
// call that a tool answers. The problem names what is at fault, such as messages[2].role, and repeats nothing of it.
func ParseMessages(history jsontext.Value) ([]Message, *problem.Error) {
	if tooDeep(history, maxDepth) {
		return nil, malformed(nil)
	}
	var messages []Message
	var wrong *problem.Error
	err := elements(history, func(i int, at span) {
		m := Message{Raw: jsontext.Value(at.of(history)).Clone()}
		if e := m.check(fmt.Sprintf("messages[%d]", i)); wrong == nil {
			wrong = e
		}
		messages = append(messages, m)
	})
	if err != nil {
		return nil, invalid("messages", "an array of messages").WithCause(err)
	}
	return messages, wrong
}

func (m *Message) check(path string) *problem.Error {
	fields := map[string]jsontext.Value{}
	err := members(m.Raw, func(name []byte, at span) { fields[unescaped(name)] = jsontext.Value(at.of(m.Raw)) })
	if err != nil {
		return invalid(path, "an object").WithCause(err)
	}
	if m.Role, err = text(fields["role"]); err != nil || !slices.Contains(roles, m.Role) {
		return invalid(path+".role", "one of "+strings.Join(roles, ", "))
	}
	content := fields["content"]
	if mayBeNull := m.Role == "assistant"; !isContent(content) && (!mayBeNull || !isNull(content)) {
		return invalid(path+".content", "a string, or a list of parts that have a type")
	}
	if calls := fields["tool_calls"]; !isNull(calls) && (m.Role != "assistant" || !allObjects(calls, "")) {
		return invalid(path+".tool_calls", "a list of objects in a message of the assistant")
	}
	if m.Role == "tool" && fields["tool_call_id"].Kind() != '"' {
		return invalid(path+".tool_call_id", "a string")
	}
	return nil
}

func isContent(value jsontext.Value) bool { return value.Kind() == '"' || allObjects(value, "type") }

// allObjects says whether a value is an array of objects, each with a string under the name; "" asks for none.
func allObjects(value jsontext.Value, name string) bool {
	good := true
	err := elements(value, func(_ int, at span) {
		named := name == ""
		err := members(at.of(value), func(member []byte, v span) {
			named = named || unescaped(member) == name && jsontext.Value(v.of(at.of(value))).Kind() == '"'
		})
		good = good && named && err == nil
	})
	return good && err == nil
}

// text is what a JSON string says; null says nothing.
func text(value []byte) (string, error) {
	if isNull(value) {
		return "", nil
	}
	if value[0] != '"' {
		return "", errors.New("want a string or null")
	}
	unquoted, err := jsontext.AppendUnquote(nil, value)
	if err != nil {
		return "", fmt.Errorf("read string: %w", err)
	}
	return string(unquoted), nil
}
