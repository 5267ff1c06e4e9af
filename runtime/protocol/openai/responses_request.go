package openai

import (
	"github.com/go-json-experiment/json/jsontext"

	"github.com/llmservice/llmservice/runtime/llm"
	"github.com/llmservice/llmservice/runtime/problem"
	"github.com/llmservice/llmservice/runtime/rawjson"
)

// responseRequest is a client's request for a response. It implements llm.Continuing.
type responseRequest struct {
	request

	id string // of the response to continue, as the client knows it; empty for none
	// own is the upstream's name for it, and at where it is kept; both are read from a gateway's id.
	own string
	at  llm.Place
}

var _ llm.Continuing = (*responseRequest)(nil)

// ReadRequest implements llm.Endpoint. A response in the background cannot be requested, because no path would serve it later.
func (Responses) ReadRequest(body []byte) (llm.ClientRequest, *problem.Error) {
	r := &responseRequest{}
	if wrong := r.parse(body, decidesResponse); wrong != nil {
		return nil, wrong
	}
	if background := r.value("background"); !rawjson.IsNull(background) && string(background) != "false" {
		return nil, problem.WrongValue("background", "left out: this service keeps no responses")
	}
	var err error
	if r.id, err = rawjson.Text(r.value(previousResponse)); err != nil {
		return nil, problem.WrongValue(previousResponse, "a string")
	}
	r.at, r.own = readKeptID(r.id)
	return r, nil
}

// Chat implements llm.ClientRequest.
func (r *responseRequest) Chat() (*llm.Chat, *problem.Error) {
	chat := &llm.Chat{Stream: r.Stream, IncludeUsage: r.Stream}
	var instructions, input jsontext.Value
	var wrong *problem.Error
	err := rawjson.Members(r.body, func(raw []byte, at rawjson.Span) {
		name, value := rawjson.Unescaped(raw), jsontext.Value(at.Of(r.body))
		member, known := responseMembers[name]
		switch {
		case wrong != nil, rawjson.IsNull(value), name == "model", name == "stream", name == "background":
		case name == "instructions":
			instructions = value
		case name == "input":
			input = value
		case !known:
			wrong = untranslated(name)
		case !member.take(chat, value):
			wrong = problem.WrongValue(name, "of the type that the API defines, and of a form that chat completions have, too")
		}
	})
	if err != nil {
		return nil, problem.Unreadable(err, maxDepth)
	}
	if wrong != nil {
		return nil, wrong
	}
	return chat, r.conversation(chat, instructions, input)
}

func (*responseRequest) conversation(chat *llm.Chat, instructions, input jsontext.Value) *problem.Error {
	if !rawjson.IsNull(instructions) {
		text, err := rawjson.Text(instructions)
		if err != nil {
			return problem.WrongValue("instructions", "a string")
		}
		chat.Messages = append(chat.Messages, llm.Message{Role: "system", Content: text})
	}
	messages, wrong := messagesOf(input)
	chat.Messages = append(chat.Messages, messages...)
	return wrong
}

// responseMembers are those of responses.
var responseMembers = map[string]Member{
	"tools":               {read: readResponseTools, Reads: onlyFunctions},
	"tool_choice":         {read: readResponseToolChoice, Reads: namedFunction},
	"parallel_tool_calls": chatMembers["parallel_tool_calls"],
	"text":                {read: readResponseText, Reads: "`format`"},
	"temperature":         chatMembers["temperature"],
	"top_p":               chatMembers["top_p"],
	"max_output_tokens":   {read: readLimit, Reads: onlyAbove0},
	"include":             {read: readInclude, Reads: "`reasoning.encrypted_content`, which is left out"},
	"reasoning":           {read: readReasoning, Reads: "an object whose members are all null"},
	"truncation":          {Only: `"disabled"`},
	// OpenAI keeps these, or uses them for its statistics, or they concern how it sends and keeps answers.
	"user": {}, "metadata": {}, "store": {}, "safety_identifier": {}, "prompt_cache_key": {}, "prompt_cache_retention": {},
	streamOptions: {},
}

// readReasoning takes an object whose members are all null.
func readReasoning(_ *llm.Chat, object jsontext.Value) bool {
	none := true
	err := rawjson.Members(object, func(_ []byte, at rawjson.Span) { none = none && rawjson.IsNull(at.Of(object)) })
	return err == nil && none
}

// readInclude accepts the parts that only a model with reasoning has.
func readInclude(_ *llm.Chat, value jsontext.Value) bool {
	var include []string
	if !strictly(value, &include) {
		return false
	}
	for _, what := range include {
		if what != "reasoning.encrypted_content" {
			return false
		}
	}
	return true
}

func readResponseTools(c *llm.Chat, value jsontext.Value) bool {
	var tools []struct {
		Type        string         `json:"type"`
		Name        string         `json:"name"`
		Description string         `json:"description"`
		Parameters  jsontext.Value `json:"parameters"`
		Strict      *bool          `json:"strict"` // another API may hold the model to the schema, or not
	}
	if !strictly(value, &tools) {
		return false
	}
	for i := range tools {
		t := &tools[i]
		if t.Type != "function" {
			return false
		}
		if rawjson.IsNull(t.Parameters) {
			t.Parameters = nil
		}
		c.Tools = append(c.Tools, llm.Tool{Name: t.Name, Description: t.Description, Parameters: t.Parameters})
	}
	return true
}

func readResponseToolChoice(c *llm.Chat, value jsontext.Value) bool {
	if value.Kind() == '"' {
		return strictly(value, &c.ToolChoice)
	}
	var choice struct {
		Type string `json:"type"`
		Name string `json:"name"`
	}
	if !strictly(value, &choice) || choice.Type != "function" {
		return false
	}
	c.ToolChoice = choice.Name
	return true
}

func readResponseText(c *llm.Chat, value jsontext.Value) bool {
	var text struct {
		Format *struct {
			Type        string         `json:"type"`
			Name        string         `json:"name"`
			Description string         `json:"description"`
			Schema      jsontext.Value `json:"schema"`
			Strict      *bool          `json:"strict"`
		} `json:"format"`
	}
	if !strictly(value, &text) {
		return false
	}
	if text.Format == nil {
		return true
	}
	switch f := text.Format; f.Type {
	case "text":
	case "json_object":
		c.Output = &llm.Output{}
	case "json_schema":
		c.Output = &llm.Output{Name: f.Name, Schema: f.Schema, Strict: f.Strict != nil && *f.Strict}
	default:
		return false
	}
	return true
}
