package openai

import (
	"errors"
	"fmt"
	"slices"
	"strconv"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/llmservice/llmservice/runtime/llm"
	"github.com/llmservice/llmservice/runtime/rawjson"
)

// outputLimit bounds the tokens of a response.
const outputLimit = "max_output_tokens"

// ownOfResponse are the members of a request for a response that further parameters cannot set.
var ownOfResponse = []string{
	"model", "input", "stream", "store", "tools", "tool_choice", "parallel_tool_calls", "text", streamOptions,
}

var errStop = errors.New("responses have no stop sequences")

// responseBody is the request for a response that the upstream does not keep. Parameters that are not an object are an error.
func responseBody(c *llm.Chat, model string) ([]byte, error) {
	if len(c.Stop) > 0 {
		return nil, errStop
	}
	input, err := inputOf(c.Messages)
	if err != nil {
		return nil, err
	}
	body := rawjson.Object{}.With("model", rawjson.Quote(model)).With("input", input).With("store", []byte("false"))
	if c.Stream {
		body = body.With("stream", []byte("true"))
	}
	body, err = withResponseParameters(withResponseTools(body, c), c)
	if err != nil {
		return nil, fmt.Errorf("parameters: %w", err)
	}
	return body.Done(), nil
}

func withResponseTools(body rawjson.Object, c *llm.Chat) rawjson.Object {
	if len(c.Tools) > 0 {
		body = body.With("tools", rawjson.List(c.Tools, responseTool))
	}
	switch {
	case slices.Contains([]string{"none", "auto", "required"}, c.ToolChoice):
		body = body.With("tool_choice", rawjson.Quote(c.ToolChoice))
	case c.ToolChoice != "":
		body = body.With("tool_choice", members("type", "function", "name", c.ToolChoice))
	}
	if c.ParallelToolCalls != nil {
		body = body.With("parallel_tool_calls", strconv.AppendBool(nil, *c.ParallelToolCalls))
	}
	if c.Output != nil {
		body = body.With("text", rawjson.Object{}.With("format", responseFormat(c.Output)).Done())
	}
	return body
}

// responseTool does not ask for strict arguments, because chat completions do not by default.
func responseTool(t llm.Tool) []byte {
	tool := rawjson.Object{}.With("type", rawjson.Quote("function")).With("name", rawjson.Quote(t.Name))
	if t.Description != "" {
		tool = tool.With("description", rawjson.Quote(t.Description))
	}
	parameters := []byte(t.Parameters)
	if parameters == nil {
		parameters = []byte(`{"type":"object","properties":{}}`)
	}
	return tool.With("parameters", parameters).With("strict", []byte("false")).Done()
}

func responseFormat(o *llm.Output) []byte {
	if o.Schema == nil {
		return members("type", "json_object")
	}
	format := rawjson.Object{}.With("type", rawjson.Quote("json_schema")).With("name", rawjson.Quote(o.Name)).With("schema", o.Schema)
	return format.With("strict", strconv.AppendBool(nil, o.Strict)).Done()
}

func withResponseParameters(body rawjson.Object, c *llm.Chat) (rawjson.Object, error) {
	own := slices.Clone(ownOfResponse)
	if c.Temperature != nil {
		own, body = append(own, "temperature"), body.With("temperature", decimal(*c.Temperature))
	}
	if c.TopP != nil {
		own, body = append(own, "top_p"), body.With("top_p", decimal(*c.TopP))
	}
	limited := false
	err := eachParameter(c.Parameters, func(name string, value []byte) {
		switch {
		case slices.Contains(own, name), rawjson.IsNull(value):
		case name == outputLimit && c.MaxTokens > 0:
			limited = true
			body = body.With(name, lower(value, c.MaxTokens))
		default:
			body = body.With(name, value)
		}
	})
	if c.MaxTokens > 0 && !limited {
		body = body.With(outputLimit, strconv.AppendInt(nil, c.MaxTokens, 10))
	}
	return body, err
}

// TokenLimit implements llm.Dialect.
func (Responses) TokenLimit(parameters jsontext.Value) int64 {
	var limit int64
	_ = eachParameter(parameters, func(name string, value []byte) { // AskChat returns the error
		if n := rawjson.Count(value, 0); name == outputLimit && n <= rawjson.MaxCount {
			limit = int64(n)
		}
	})
	return limit
}

// inputOf writes a conversation as the items of an input.
func inputOf(messages []llm.Message) ([]byte, error) {
	var items [][]byte
	for i := range messages {
		var err error
		if items, err = appendItems(items, &messages[i]); err != nil {
			return nil, fmt.Errorf("messages[%d]: %w", i, err)
		}
	}
	return rawjson.List(items, func(one []byte) []byte { return one }), nil
}

func appendItems(items [][]byte, m *llm.Message) ([][]byte, error) {
	plain, err := m.Read()
	if err != nil {
		return appendParts(items, m)
	}
	if plain.Role == "tool" {
		return append(items, rawjson.Object{}.With("type", rawjson.Quote("function_call_output")).
			With("call_id", rawjson.Quote(plain.ToolCallID)).With("output", rawjson.Quote(plain.Content)).Done()), nil
	}
	text := plain.Content + plain.Refusal
	if text != "" || len(plain.ToolCalls) == 0 {
		items = append(items, rawjson.Object{}.With("role", rawjson.Quote(plain.Role)).With("content", rawjson.Quote(text)).Done())
	}
	for _, call := range plain.ToolCalls {
		items = append(items, rawjson.Object{}.With("type", rawjson.Quote("function_call")).With("call_id", rawjson.Quote(call.ID)).
			With("name", rawjson.Quote(call.Name)).With("arguments", rawjson.Quote(call.Arguments)).Done())
	}
	return items, nil
}

var errMedia = errors.New("the content has parts that responses do not have")

// appendParts writes a message whose content is more than text.
func appendParts(items [][]byte, m *llm.Message) ([][]byte, error) {
	var given struct {
		Role    string `json:"role"`
		Content []struct {
			Type  string `json:"type"`
			Text  string `json:"text"`
			Image struct {
				URL    string `json:"url"`
				Detail string `json:"detail"`
			} `json:"image_url"`
			Audio jsontext.Value `json:"input_audio"`
			File  struct {
				FileID   string `json:"file_id"`
				FileData string `json:"file_data"`
				Filename string `json:"filename"`
			} `json:"file"`
		} `json:"content"`
	}
	if json.Unmarshal(m.Raw, &given) != nil || given.Role == "assistant" || given.Role == "tool" {
		return nil, errMedia
	}
	var parts [][]byte
	for i := range given.Content {
		switch p := &given.Content[i]; p.Type {
		case "text":
			parts = append(parts, members("type", "input_text", "text", p.Text))
		case "image_url":
			parts = append(parts, members("type", "input_image", "image_url", p.Image.URL, "detail", p.Image.Detail))
		case "input_audio":
			parts = append(parts, rawjson.Object{}.With("type", rawjson.Quote(p.Type)).With(p.Type, p.Audio).Done())
		case "file":
			f := &p.File
			parts = append(parts, members("type", "input_file", "file_id", f.FileID, "file_data", f.FileData, "filename", f.Filename))
		default:
			return nil, errMedia
		}
	}
	content := rawjson.List(parts, func(part []byte) []byte { return part })
	return append(items, rawjson.Object{}.With("role", rawjson.Quote(given.Role)).With("content", content).Done()), nil
}
