package openai

import (
	"fmt"
	"slices"
	"strconv"

	"github.com/go-json-experiment/json/jsontext"
)

// ChatPath is the completion endpoint, relative to an upstream's base URL.
const ChatPath = "/chat/completions"

// Chat is a completion request that the gateway makes itself.
type Chat struct {
	Messages []Message
	// Tools are the functions that the model may ask for.
	Tools []Tool
	// ToolChoice is none, auto or required, or the name of the tool that has to be called; empty says nothing.
	ToolChoice string
	// ParallelToolCalls says whether the model may ask for several at once; nil says nothing.
	ParallelToolCalls *bool
	// Output asks for an answer that is JSON.
	Output *Output
	Stream bool
	// IncludeUsage asks for the usage at the end of a stream, where Parameters say nothing of it.
	IncludeUsage bool
	// MaxTokens, above 0, is the most that the answer may have. It lowers what Parameters say: max_tokens,
	// max_completion_tokens, or both. Where they say nothing it becomes max_tokens, the one that every server
	// knows: many ignore the other without a word (Ollama, llama.cpp before 2026), while the models that refuse this
	// one (OpenAI's with reasoning) say so. For those, Parameters have to set max_completion_tokens.
	MaxTokens int64
	// Parameters is an object of further members; nil for none. One that is null is left out. What the fields above have
	// set takes precedence, but for stream_options.
	Parameters jsontext.Value
}

// Tool describes a function to the model.
type Tool struct {
	Name        string
	Description string
	// Parameters is a JSON Schema; nil for a function without any.
	Parameters jsontext.Value
}

// Output is what an answer shall be: a JSON object of any kind, or of a JSON Schema as OpenAI's structured outputs take it.
type Output struct {
	// Name is of letters, digits, underscores and dashes, 64 at most.
	Name string
	// Schema is nil for any object.
	Schema jsontext.Value
	// Strict makes the upstream refuse schemas that it cannot hold the model to.
	Strict bool
}

// Body returns the request for a model. Parameters that are not an object are an error.
func (c *Chat) Body(model string) ([]byte, error) {
	body := object{}.with("model", quote(model))
	body = body.with("messages", list(c.Messages, func(m Message) []byte { return m.json() }))
	if c.Stream {
		body = body.with("stream", []byte("true"))
	}
	if len(c.Tools) > 0 {
		body = body.with("tools", list(c.Tools, Tool.json))
	}
	if c.ToolChoice != "" {
		body = body.with("tool_choice", toolChoice(c.ToolChoice))
	}
	if c.ParallelToolCalls != nil {
		body = body.with("parallel_tool_calls", strconv.AppendBool(nil, *c.ParallelToolCalls))
	}
	if c.Output != nil {
		body = body.with("response_format", c.Output.json())
	}
	body, err := c.parameters(body)
	if err != nil {
		return nil, fmt.Errorf("parameters: %w", err)
	}
	return body.done(), nil
}

func (t Tool) json() []byte {
	function := object{}.with("name", quote(t.Name))
	if t.Description != "" {
		function = function.with("description", quote(t.Description))
	}
	if t.Parameters != nil {
		function = function.with("parameters", t.Parameters)
	}
	return object{}.with("type", quote("function")).with("function", function.done()).done()
}

func toolChoice(choice string) []byte {
	if slices.Contains([]string{"none", "auto", "required"}, choice) {
		return quote(choice)
	}
	function := object{}.with("name", quote(choice)).done()
	return object{}.with("type", quote("function")).with("function", function).done()
}

func (o *Output) json() []byte {
	if o.Schema == nil {
		return object{}.with("type", quote("json_object")).done()
	}
	schema := object{}.with("name", quote(o.Name)).with("schema", o.Schema)
	if o.Strict {
		schema = schema.with("strict", []byte("true"))
	}
	return object{}.with("type", quote("json_schema")).with("json_schema", schema.done()).done()
}
