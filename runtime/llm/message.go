package llm

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/llmservice/llmservice/runtime/problem"
	"github.com/llmservice/llmservice/runtime/rawjson"
)

// Message is one turn of a conversation.
type Message struct {
	// Role is system, developer, user, assistant or tool.
	Role    string
	Content string
	// Refusal is an assistant's reason for not answering.
	Refusal string
	// ToolCalls are the calls in an assistant's message; its content may then be empty.
	ToolCalls []ToolCall
	// ToolCallID is the ID of the call that a tool's message answers.
	ToolCallID string
	// Raw, if set, is the message itself as JSON, and takes the place of all of the above: from a history, or as a model wrote
	// it. Read returns the rest.
	Raw jsontext.Value
}

// size is the approximate size of the message as JSON, in bytes.
func (m *Message) size() int {
	size := len(m.Role) + len(m.Content) + len(m.Raw)
	for i := range m.ToolCalls {
		size += len(m.ToolCalls[i].Arguments)
	}
	return size
}

// JSON writes the message as templates see it, in the form of OpenAI's API.
func (m *Message) JSON() jsontext.Value {
	if m.Raw != nil {
		return m.Raw
	}
	return m.AppendJSON(nil)
}

// AppendJSON appends the same.
func (m *Message) AppendJSON(dst []byte) []byte {
	if m.Raw != nil {
		return append(dst, m.Raw...)
	}
	o := rawjson.Within(dst).WithText("role", m.Role)
	if m.Content == "" && (m.Refusal != "" || len(m.ToolCalls) > 0) {
		o = o.With("content", []byte("null"))
	} else {
		o = o.WithText("content", m.Content)
	}
	if m.Refusal != "" {
		o = o.WithText("refusal", m.Refusal)
	}
	if len(m.ToolCalls) > 0 {
		o = o.With("tool_calls", rawjson.List(m.ToolCalls, ToolCall.json))
	}
	if m.ToolCallID != "" {
		o = o.WithText("tool_call_id", m.ToolCallID)
	}
	return o.Done()
}

func (c ToolCall) json() []byte {
	function := rawjson.Object{}.With("name", rawjson.Quote(c.Name)).With("arguments", rawjson.Quote(c.Arguments)).Done()
	return rawjson.Object{}.With("id", rawjson.Quote(c.ID)).With("type", rawjson.Quote("function")).With("function", function).Done()
}

// value is the decoded JSON of a message without Raw.
func (m *Message) value() map[string]any {
	value := map[string]any{"role": m.Role, "content": m.Content}
	if m.Content == "" && (m.Refusal != "" || len(m.ToolCalls) > 0) {
		value["content"] = nil
	}
	if m.Refusal != "" {
		value["refusal"] = m.Refusal
	}
	if len(m.ToolCalls) > 0 {
		calls := make([]any, len(m.ToolCalls))
		for i, c := range m.ToolCalls {
			function := map[string]any{"name": c.Name, "arguments": c.Arguments}
			calls[i] = map[string]any{"id": c.ID, "type": "function", "function": function}
		}
		value["tool_calls"] = calls
	}
	return value
}

// Read returns the message without Raw, for dialects that write its parts in another form. Content that is not only text, such
// as an image, is an error: a dialect that supports it finds it in Raw. A message that has not been checked is an error, too.
func (m *Message) Read() (Message, error) {
	if m.Raw == nil {
		return *m, nil
	}
	var read struct {
		Role       string         `json:"role"`
		Content    jsontext.Value `json:"content"`
		Refusal    string         `json:"refusal"`
		ToolCallID string         `json:"tool_call_id"`
		ToolCalls  []struct {
			ID       string `json:"id"`
			Function struct {
				Name      string         `json:"name"`
				Arguments jsontext.Value `json:"arguments"`
			} `json:"function"`
		} `json:"tool_calls"`
	}
	if err := unmarshal(m.Raw, &read); err != nil {
		return Message{}, err
	}
	content, err := textOf(read.Content)
	if err != nil {
		return Message{}, err
	}
	plain := Message{Role: read.Role, Content: content, Refusal: read.Refusal, ToolCallID: read.ToolCallID}
	for _, c := range read.ToolCalls {
		arguments, err := rawjson.Text(c.Function.Arguments)
		if err != nil { // some servers send the JSON itself
			arguments = string(c.Function.Arguments)
		}
		plain.ToolCalls = append(plain.ToolCalls, ToolCall{ID: c.ID, Name: c.Function.Name, Arguments: arguments})
	}
	return plain, nil
}

// textOf is a message's content if it is text or a list of texts.
func textOf(content jsontext.Value) (string, error) {
	if content.Kind() != '[' {
		return rawjson.Text(content) //nolint:wrapcheck // it names what is allowed
	}
	var parts []struct {
		Type string `json:"type"`
		Text string `json:"text"`
	}
	if err := unmarshal(content, &parts); err != nil {
		return "", err
	}
	var text strings.Builder
	for i := range parts {
		if parts[i].Type != "text" {
			return "", errNotText
		}
		text.WriteString(parts[i].Text)
	}
	return text.String(), nil
}

var (
	errNotText  = errors.New("the content has parts that are not text")
	errNotShape = errors.New("the message has members of other types than the API has")
)

// unmarshal reads what may be a model's own words. Its error does not quote them.
func unmarshal(doc []byte, into any) error {
	if json.Unmarshal(doc, into, jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true)) != nil {
		return errNotShape
	}
	return nil
}

// maxDepth bounds the depth of a history.
const maxDepth = 64

var roles = []string{"system", "developer", "user", "assistant", "tool"}

// ParseMessages reads a history: a JSON array of messages as Message.JSON writes them. It checks their shape: the role, a
// content that is text or a list of parts (an assistant's may be null), the tool calls, and the call that a tool answers. The
// problem names the place of the mistake, such as messages[2].role, and repeats nothing else.
func ParseMessages(history jsontext.Value) ([]Message, *problem.Error) {
	if rawjson.TooDeep(history, maxDepth) {
		return nil, problem.Unreadable(nil, maxDepth)
	}
	var messages []Message
	var wrong *problem.Error
	err := rawjson.Elements(history, func(i int, at rawjson.Span) {
		m := Message{Raw: bytes.Clone(at.Of(history))}
		if e := m.check(fmt.Sprintf("messages[%d]", i)); wrong == nil {
			wrong = e
		}
		messages = append(messages, m)
	})
	if err != nil {
		return nil, problem.WrongValue("messages", "an array of messages").WithCause(err)
	}
	return messages, wrong
}

func (m *Message) check(path string) *problem.Error {
	fields := map[string]jsontext.Value{}
	err := rawjson.Members(m.Raw, func(name []byte, at rawjson.Span) { fields[rawjson.Unescaped(name)] = at.Of(m.Raw) })
	if err != nil {
		return problem.WrongValue(path, "an object").WithCause(err)
	}
	if m.Role, err = rawjson.Text(fields["role"]); err != nil || !slices.Contains(roles, m.Role) {
		return problem.WrongValue(path+".role", "one of "+strings.Join(roles, ", "))
	}
	content := fields["content"]
	if mayBeNull := m.Role == "assistant"; !isContent(content) && (!mayBeNull || !rawjson.IsNull(content)) {
		return problem.WrongValue(path+".content", "a string, or a list of parts that have a type")
	}
	if calls := fields["tool_calls"]; !rawjson.IsNull(calls) && (m.Role != "assistant" || !allObjects(calls, "")) {
		return problem.WrongValue(path+".tool_calls", "a list of objects in a message of the assistant")
	}
	if m.Role == "tool" && fields["tool_call_id"].Kind() != '"' {
		return problem.WrongValue(path+".tool_call_id", "a string")
	}
	return nil
}

func isContent(value jsontext.Value) bool { return value.Kind() == '"' || allObjects(value, "type") }

// allObjects reports whether a value is an array of objects, each with a string under the name; if the name is empty, without
// one.
func allObjects(value jsontext.Value, name string) bool {
	good := true
	err := rawjson.Elements(value, func(_ int, at rawjson.Span) {
		named := name == ""
		err := rawjson.Members(at.Of(value), func(member []byte, v rawjson.Span) {
			named = named || rawjson.Unescaped(member) == name && jsontext.Value(v.Of(at.Of(value))).Kind() == '"'
		})
		good = good && named && err == nil
	})
	return good && err == nil
}
