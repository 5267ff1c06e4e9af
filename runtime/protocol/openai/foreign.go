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
		member, known := chatMembers[name]
		if !known {
			wrong = untranslated(name)
			return
		}
		if !member.take(chat, value) {
			wrong = problem.WrongValue(name, "of the type that the API defines, and of a form that other protocols have, too")
		}
	})
	if err != nil {
		return nil, problem.Unreadable(err, maxDepth)
	}
	return chat, wrong
}

// untranslated is the problem of a member that would not reach an upstream of another protocol.
func untranslated(name string) *problem.Error {
	const message = "What serves the model has no member like this one: it must be left out."
	e := problem.New(problem.InvalidRequest).WithMessage(message)
	e.Param = name
	return e
}

// Member is how a member of a client's request is handled if the upstream has to be asked in another protocol. The zero value
// leaves it out, because it means nothing to the model. A member without a Member gets a 400.
type Member struct {
	// Only, if set, is the one value that is allowed. It means the same as leaving the member out, and some clients always send
	// it.
	Only string
	// Reads lists, for documents, the values that can be translated; empty for all.
	Reads string
	// read reads a value into a chat, and reports whether it could.
	read func(c *llm.Chat, value jsontext.Value) bool
}

func (m Member) take(c *llm.Chat, value jsontext.Value) bool {
	switch {
	case m.Only != "":
		return string(value) == m.Only
	case m.read == nil:
		return true
	}
	return m.read(c, value)
}

// Translated reports whether the member's value is translated.
func (m Member) Translated() bool { return m.read != nil }

// Members are those of an endpoint's requests that other dialects can express, by name. An endpoint that is not translated has
// none.
func Members(e llm.Endpoint) map[string]Member {
	switch e.(type) {
	case Dialect:
		return chatMembers
	case Responses:
		return responseMembers
	}
	return nil
}

// Decisive are the members by which the gateway decides how to handle a request of an endpoint.
func Decisive(e llm.Endpoint) []string {
	return map[llm.Endpoint][]string{
		Dialect{}: decidesChat.names, Completions{}: decidesCompletion.names, Embeddings{}: decidesEmbeddings.names,
		Responses{}: decidesResponse.names,
	}[e]
}

const (
	onlyFunctions = "tools of the type `function`"
	namedFunction = "`none`, `auto`, `required`, or a function"
	onlyAbove0    = "a number from 1 up; the lower one of several limits counts"
)

// chatMembers are those of chat completions.
var chatMembers = map[string]Member{
	"tools":               {read: readTools, Reads: onlyFunctions},
	"tool_choice":         {read: readToolChoice, Reads: namedFunction},
	"parallel_tool_calls": {read: func(c *llm.Chat, value jsontext.Value) bool { return strictly(value, &c.ParallelToolCalls) }},
	"response_format":     {read: readOutput},
	"temperature":         {read: func(c *llm.Chat, value jsontext.Value) bool { return strictly(value, &c.Temperature) }},
	"top_p":               {read: func(c *llm.Chat, value jsontext.Value) bool { return strictly(value, &c.TopP) }},
	"stop":                {read: readStop, Reads: "texts, if the upstream's protocol has them: responses do not"},
	"max_tokens":          {read: readLimit, Reads: onlyAbove0},
	limits[1]:             {read: readLimit, Reads: onlyAbove0},
	streamOptions:         {read: readStreamOptions, Reads: "`include_usage`; `include_obfuscation` is left out"},
	"n":                   {Only: "1"},
	"logprobs":            {Only: "false"},
	"presence_penalty":    {Only: "0"},
	"frequency_penalty":   {Only: "0"},
	// OpenAI keeps these, or uses them for its statistics.
	"user": {}, "metadata": {}, "store": {}, "safety_identifier": {}, "prompt_cache_key": {}, "prompt_cache_retention": {},
}

// strictly reads a value, and refuses members that into does not have.
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
		IncludeObfuscation *bool `json:"include_obfuscation"` // pads OpenAI's own chunks
	}
	read := strictly(value, &options)
	c.IncludeUsage = options.IncludeUsage
	return read
}
