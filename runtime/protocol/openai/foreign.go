package openai

import (
	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/llmservice/llmservice/runtime/llm"
	"github.com/llmservice/llmservice/runtime/problem"
	"github.com/llmservice/llmservice/runtime/rawjson"
)

// Chat implements llm.ClientRequest.
func (r *chatRequest) Chat() (*llm.Chat, *problem.Error) {
	chat := &llm.Chat{Stream: r.Stream}
	var wrong *problem.Error
	err := rawjson.Members(r.body, func(raw []byte, at rawjson.Span) {
		name, value := rawjson.Unescaped(raw), jsontext.Value(at.Of(r.body))
		if wrong != nil || rawjson.IsNull(value) || name == "model" || name == "stream" {
			return
		}
		if name == "messages" {
			chat.Messages, wrong = llm.ParseMessages(value)
			return
		}
		read, known := translated[name]
		if !known {
			wrong = untranslated(name)
			return
		}
		if !read(chat, value) {
			wrong = problem.WrongValue(name, "of the type that the API defines, and of a form that other protocols have, too")
		}
	})
	if err != nil {
		return nil, problem.Unreadable(err)
	}
	return chat, wrong
}

// untranslated is the problem of a member that an upstream of another protocol would not be told of.
func untranslated(name string) *problem.Error {
	const message = "What serves the model has no member like this one."
	e := problem.New(problem.InvalidRequest).WithMessage(message)
	e.Param = name
	return e
}

// translated are the members that other dialects have words for. Each says whether a value could be read.
var translated = map[string]func(c *llm.Chat, value jsontext.Value) bool{
	"tools":               readTools,
	"tool_choice":         readToolChoice,
	"parallel_tool_calls": func(c *llm.Chat, value jsontext.Value) bool { return strictly(value, &c.ParallelToolCalls) },
	"response_format":     readOutput,
	"temperature":         func(c *llm.Chat, value jsontext.Value) bool { return strictly(value, &c.Temperature) },
	"top_p":               func(c *llm.Chat, value jsontext.Value) bool { return strictly(value, &c.TopP) },
	"stop":                readStop,
	"max_tokens":          readLimit,
	limits[1]:             readLimit,
	streamOptions:         readStreamOptions,
	// These values are what stands where nothing is said, and some clients send them always.
	"n": says("1"), "logprobs": says("false"), "presence_penalty": says("0"), "frequency_penalty": says("0"),
	// These say nothing to the model: OpenAI keeps them, or counts by them.
	"user": ignored, "metadata": ignored, "store": ignored, "safety_identifier": ignored, "prompt_cache_key": ignored,
}

// says reads a member that has this value, and no other.
func says(text string) func(*llm.Chat, jsontext.Value) bool {
	return func(_ *llm.Chat, value jsontext.Value) bool { return string(value) == text }
}

func ignored(*llm.Chat, jsontext.Value) bool { return true }

// strictly reads a value, and refuses members that are not asked for.
func strictly(value jsontext.Value, into any) bool {
	return json.Unmarshal(value, into, json.RejectUnknownMembers(true)) == nil
}

func readTools(c *llm.Chat, value jsontext.Value) bool {
	var tools []struct {
		Type     string `json:"type"`
		Function struct {
			Name        string         `json:"name"`
			Description string         `json:"description"`
			Parameters  jsontext.Value `json:"parameters"`
			Strict      *bool          `json:"strict"` // another protocol may hold the model to the schema, or not
		} `json:"function"`
	}
	if !strictly(value, &tools) {
		return false
	}
	for i := range tools {
		t := &tools[i].Function
		if tools[i].Type != "function" {
			return false
		}
		c.Tools = append(c.Tools, llm.Tool{Name: t.Name, Description: t.Description, Parameters: t.Parameters})
	}
	return true
}

func readToolChoice(c *llm.Chat, value jsontext.Value) bool {
	if value.Kind() == '"' {
		return strictly(value, &c.ToolChoice)
	}
	var choice struct {
		Type     string `json:"type"`
		Function struct {
			Name string `json:"name"`
		} `json:"function"`
	}
	if !strictly(value, &choice) || choice.Type != "function" {
		return false
	}
	c.ToolChoice = choice.Function.Name
	return true
}

func readOutput(c *llm.Chat, value jsontext.Value) bool {
	var format struct {
		Type   string `json:"type"`
		Schema struct {
			Name        string         `json:"name"`
			Description string         `json:"description"`
			Schema      jsontext.Value `json:"schema"`
			Strict      *bool          `json:"strict"`
		} `json:"json_schema"`
	}
	if !strictly(value, &format) {
		return false
	}
	switch format.Type {
	case "text":
	case "json_object":
		c.Output = &llm.Output{}
	case "json_schema":
		s := &format.Schema
		c.Output = &llm.Output{Name: s.Name, Schema: s.Schema, Strict: s.Strict != nil && *s.Strict}
	default:
		return false
	}
	return true
}

func readStop(c *llm.Chat, value jsontext.Value) bool {
	if value.Kind() == '"' {
		c.Stop = make([]string, 1)
		return strictly(value, &c.Stop[0])
	}
	return strictly(value, &c.Stop)
}

// readLimit takes the lower of both limits.
func readLimit(c *llm.Chat, value jsontext.Value) bool {
	var limit int64
	if !strictly(value, &limit) || limit < 1 {
		return false
	}
	if c.MaxTokens == 0 || limit < c.MaxTokens {
		c.MaxTokens = limit
	}
	return true
}

func readStreamOptions(c *llm.Chat, value jsontext.Value) bool {
	var options struct {
		IncludeUsage       bool  `json:"include_usage"`
		IncludeObfuscation *bool `json:"include_obfuscation"` // pads chunks of OpenAI's own
	}
	read := strictly(value, &options)
	c.IncludeUsage = options.IncludeUsage
	return read
}
