package openai

import (
	"errors"
	"fmt"
	"slices"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/llmservice/llmservice/runtime/llm"
	"github.com/llmservice/llmservice/runtime/problem"
	"github.com/llmservice/llmservice/runtime/rawjson"
)

// item is an item of a response's input or output.
type item struct {
	Type      string         `json:"type"`
	Role      string         `json:"role"`
	Content   jsontext.Value `json:"content"`
	CallID    string         `json:"call_id"`
	Name      string         `json:"name"`
	Arguments string         `json:"arguments"`
	Output    jsontext.Value `json:"output"`
}

// messagesOf are the messages of a chat for a response's input.
func messagesOf(input jsontext.Value) ([]llm.Message, *problem.Error) {
	if input.Kind() == '"' {
		text, err := rawjson.Text(input)
		if err != nil {
			return nil, problem.WrongValue("input", "text").WithCause(err)
		}
		return []llm.Message{{Role: "user", Content: text}}, nil
	}
	var messages []llm.Message
	var wrong *problem.Error
	err := rawjson.Elements(input, func(i int, at rawjson.Span) {
		var given item
		if wrong != nil {
			return
		}
		if json.Unmarshal(at.Of(input), &given) != nil {
			wrong = problem.WrongValue(fmt.Sprintf("input[%d]", i), "an item of the API")
			return
		}
		messages, wrong = given.appendTo(messages, fmt.Sprintf("input[%d]", i))
	})
	if err != nil {
		return nil, problem.WrongValue("input", "a string or an array").WithCause(err)
	}
	return messages, wrong
}

// appendTo adds an item to a conversation. Calls that follow each other are one turn of the assistant. The model's reasoning is
// left out, because chat completions do not take it back.
func (i *item) appendTo(messages []llm.Message, path string) ([]llm.Message, *problem.Error) {
	switch i.Type {
	case "", "message":
		m, wrong := i.message(path)
		return append(messages, m), wrong
	case "reasoning":
		return messages, nil
	case "function_call":
		call := llm.ToolCall{ID: i.CallID, Name: i.Name, Arguments: i.Arguments}
		if last := len(messages) - 1; last >= 0 && messages[last].Role == "assistant" && messages[last].Raw == nil {
			messages[last].ToolCalls = append(messages[last].ToolCalls, call)
			return messages, nil
		}
		return append(messages, llm.Message{Role: "assistant", ToolCalls: []llm.ToolCall{call}}), nil
	case "function_call_output":
		text, _, err := contentOf(i.Output)
		if err != nil || text == nil {
			return nil, problem.WrongValue(path+".output", "text")
		}
		return append(messages, llm.Message{Role: "tool", ToolCallID: i.CallID, Content: *text}), nil
	}
	return nil, untranslated(path + ".type")
}

func (i *item) message(path string) (llm.Message, *problem.Error) {
	text, parts, err := contentOf(i.Content)
	if err != nil {
		return llm.Message{}, problem.WrongValue(path+".content", "text, images, audio or files").WithCause(err)
	}
	if text != nil {
		return llm.Message{Role: i.Role, Content: *text}, nil
	}
	raw := rawjson.Object{}.With("role", rawjson.Quote(i.Role)).With("content", parts).Done()
	return llm.Message{Role: i.Role, Raw: raw}, nil
}

var errPart = errors.New("a part is of a type that chat completions do not have")

// contentOf is a content as chat completions have it: text, or parts if it is more than text.
func contentOf(content jsontext.Value) (text *string, parts []byte, err error) {
	if content.Kind() == '"' {
		said, err := rawjson.Text(content)
		return &said, nil, err //nolint:wrapcheck // it names what is allowed
	}
	var said string
	var all [][]byte
	onlyText := true
	eachErr := rawjson.Elements(content, func(_ int, at rawjson.Span) {
		part, words, partErr := partOf(at.Of(content))
		if err == nil {
			err = partErr
		}
		onlyText = onlyText && words != nil
		if words != nil {
			said += *words
		}
		all = append(all, part)
	})
	if err = errors.Join(eachErr, err); err != nil {
		return nil, nil, err
	}
	if onlyText {
		return &said, nil, nil
	}
	return nil, rawjson.List(all, func(part []byte) []byte { return part }), nil
}

// partOf is a part of a content as chat completions have it, and its text if it is one.
func partOf(given jsontext.Value) (part []byte, text *string, err error) {
	var p struct {
		Type     string         `json:"type"`
		Text     string         `json:"text"`
		Refusal  string         `json:"refusal"`
		ImageURL string         `json:"image_url"`
		Detail   string         `json:"detail"`
		Audio    jsontext.Value `json:"input_audio"`
		FileID   string         `json:"file_id"`
		FileData string         `json:"file_data"`
		Filename string         `json:"filename"`
	}
	if err := json.Unmarshal(given, &p); err != nil {
		return nil, nil, errPart
	}
	typed := func(kind string, value []byte) []byte {
		return rawjson.Object{}.With("type", rawjson.Quote(kind)).With(kind, value).Done()
	}
	switch p.Type {
	case "input_text", "output_text", "text":
		return typed("text", rawjson.Quote(p.Text)), &p.Text, nil
	case "refusal":
		return typed("text", rawjson.Quote(p.Refusal)), &p.Refusal, nil
	case "input_image":
		if p.ImageURL == "" { // one that OpenAI keeps
			return nil, nil, errPart
		}
		return typed("image_url", members("url", p.ImageURL, "detail", p.Detail)), nil, nil
	case "input_audio":
		return typed("input_audio", p.Audio), nil, nil
	case "input_file":
		return typed("file", members("file_id", p.FileID, "file_data", p.FileData, "filename", p.Filename)), nil, nil
	}
	return nil, nil, errPart
}

// members writes an object of names and texts, without those that are empty.
func members(pairs ...string) []byte {
	o := rawjson.Object{}
	for pair := range slices.Chunk(pairs, 2) {
		if name, text := pair[0], pair[len(pair)-1]; text != "" {
			o = o.With(name, rawjson.Quote(text))
		}
	}
	return o.Done()
}
