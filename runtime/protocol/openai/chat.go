package openai

import (
	"fmt"
	"slices"
	"strconv"

	"github.com/llmservice/llmservice/runtime/llm"
	"github.com/llmservice/llmservice/runtime/rawjson"
)

// chatBody is the request for a model. Parameters that are not an object are an error.
//
// MaxTokens lowers max_tokens, max_completion_tokens, or both. If the parameters have neither, it becomes max_tokens, which
// every server knows: many silently ignore the other one (Ollama, llama.cpp before 2026), while models that do not accept
// max_tokens (OpenAI's with reasoning) refuse it with an error. For those, the parameters have to set max_completion_tokens.
// stream_options come from the parameters, too.
func chatBody(c *llm.Chat, model string) ([]byte, error) {
	room := c.Size() + len(model) + framing*(len(c.Messages)+len(c.Tools)+1)
	body := make(rawjson.Object, 0, room).WithText("model", model).Name("messages")
	body = rawjson.AppendList(body, c.Messages, func(dst []byte, m llm.Message) []byte { return m.AppendJSON(dst) })
	if c.Stream {
		body = body.With("stream", []byte("true"))
	}
	if len(c.Tools) > 0 {
		body = body.With("tools", rawjson.List(c.Tools, toolJSON))
	}
	if c.ToolChoice != "" {
		body = body.With("tool_choice", toolChoice(c.ToolChoice))
	}
	if c.ParallelToolCalls != nil {
		body = body.With("parallel_tool_calls", strconv.AppendBool(nil, *c.ParallelToolCalls))
	}
	if c.Output != nil {
		body = body.With("response_format", outputJSON(c.Output))
	}
	body = withSampling(body, c)
	body, err := withParameters(body, c)
	if err != nil {
		return nil, fmt.Errorf("parameters: %w", err)
	}
	return body.Done(), nil
}

// framing is about what a message, a tool or the rest of a request takes besides its texts, in bytes.
const framing = 64

// withSampling adds the members that came from another dialect's request.
func withSampling(body rawjson.Object, c *llm.Chat) rawjson.Object {
	if c.Temperature != nil {
		body = body.With("temperature", decimal(*c.Temperature))
	}
	if c.TopP != nil {
		body = body.With("top_p", decimal(*c.TopP))
	}
	if c.Stop != nil {
		body = body.With("stop", rawjson.List(c.Stop, rawjson.Quote))
	}
	return body
}

func decimal(number float64) []byte { return strconv.AppendFloat(nil, number, 'g', -1, 64) }

func toolJSON(t llm.Tool) []byte {
	function := rawjson.Object{}.With("name", rawjson.Quote(t.Name))
	if t.Description != "" {
		function = function.With("description", rawjson.Quote(t.Description))
	}
	if t.Parameters != nil {
		function = function.With("parameters", t.Parameters)
	}
	return rawjson.Object{}.With("type", rawjson.Quote("function")).With("function", function.Done()).Done()
}

func toolChoice(choice string) []byte {
	if slices.Contains([]string{"none", "auto", "required"}, choice) {
		return rawjson.Quote(choice)
	}
	function := rawjson.Object{}.With("name", rawjson.Quote(choice)).Done()
	return rawjson.Object{}.With("type", rawjson.Quote("function")).With("function", function).Done()
}

func outputJSON(o *llm.Output) []byte {
	if o.Schema == nil {
		return rawjson.Object{}.With("type", rawjson.Quote("json_object")).Done()
	}
	schema := rawjson.Object{}.With("name", rawjson.Quote(o.Name)).With("schema", o.Schema)
	if o.Strict {
		schema = schema.With("strict", []byte("true"))
	}
	return rawjson.Object{}.With("type", rawjson.Quote("json_schema")).With("json_schema", schema.Done()).Done()
}
