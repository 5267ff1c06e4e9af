package openai

import (
	"slices"
	"strconv"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/llmservice/llmservice/runtime/llm"
	"github.com/llmservice/llmservice/runtime/rawjson"
)

// limits are the members that bound an answer's tokens: the older one, and the one that counts reasoning, too.
var limits = []string{"max_tokens", "max_completion_tokens"}

// withParameters adds the further members of the request. Those that are null are left out.
func withParameters(body rawjson.Object, c *llm.Chat) (rawjson.Object, error) {
	own := ownMembers(c)
	var limited bool
	var options []byte
	err := eachParameter(c.Parameters, func(name string, value []byte) {
		switch {
		case slices.Contains(own, name):
		case name == streamOptions:
			options = value
		case rawjson.IsNull(value):
		case slices.Contains(limits, name) && c.MaxTokens > 0:
			limited = true
			body = body.With(name, lower(value, c.MaxTokens))
		default:
			body = body.With(name, value)
		}
	})
	if err != nil {
		return nil, err
	}
	if c.MaxTokens > 0 && !limited {
		body = body.With(limits[0], strconv.AppendInt(nil, c.MaxTokens, 10))
	}
	return withStreamOptions(body, c, options)
}

// TokenLimit implements llm.Dialect.
func (Dialect) TokenLimit(parameters jsontext.Value) int64 {
	var limit int64
	_ = eachParameter(parameters, func(name string, value []byte) { // AskChat returns the error
		if !slices.Contains(limits, name) {
			return
		}
		if n, err := strconv.ParseFloat(string(value), 64); err == nil && n >= 1 && n < rawjson.MaxCount {
			if given := int64(n); limit == 0 || given < limit {
				limit = given
			}
		}
	})
	return limit
}

// ownMembers are the members that the request's fields have set.
func ownMembers(c *llm.Chat) []string {
	own := []string{"model", "messages", "stream"}
	if len(c.Tools) > 0 {
		own = append(own, "tools")
	}
	if c.ToolChoice != "" {
		own = append(own, "tool_choice")
	}
	if c.ParallelToolCalls != nil {
		own = append(own, "parallel_tool_calls")
	}
	if c.Temperature != nil {
		own = append(own, "temperature")
	}
	if c.TopP != nil {
		own = append(own, "top_p")
	}
	if c.Stop != nil {
		own = append(own, "stop")
	}
	if c.Output != nil {
		own = append(own, "response_format")
	}
	return own
}

const (
	streamOptions = "stream_options"
	includeUsage  = "include_usage"
)

// withStreamOptions adds the parameters' stream options, and asks for the usage if they do not mention it. Not all servers know
// the member, so it is left out if it would only say that no usage is wanted. OpenAI's API refuses it in a request that does
// not stream.
func withStreamOptions(body rawjson.Object, c *llm.Chat, given jsontext.Value) (rawjson.Object, error) {
	switch {
	case !c.Stream, given != nil && rawjson.IsNull(given):
		return body, nil
	case given != nil && given.Kind() != '{':
		return body.With(streamOptions, given), nil // the upstream will report what is wrong with it
	}
	options, usage := rawjson.Object{}, c.IncludeUsage || c.CountUsage
	if err := eachParameter(given, func(name string, value []byte) {
		switch {
		case name == includeUsage && (rawjson.IsNull(value) || string(value) == "false"):
			usage = false
		case name == includeUsage:
			usage = false
			options = options.With(name, value)
		case !rawjson.IsNull(value):
			options = options.With(name, value)
		}
	}); err != nil {
		return nil, err
	}
	if usage {
		options = options.With(includeUsage, []byte("true"))
	}
	if len(options) == 0 {
		return body, nil
	}
	return body.With(streamOptions, options.Done()), nil
}

// asksUsage reports whether parameters ask for a stream's usage themselves.
func asksUsage(parameters jsontext.Value) (asks bool) {
	_ = eachParameter(parameters, func(name string, options []byte) { // AskChat returns the error
		if name == streamOptions && jsontext.Value(options).Kind() == '{' {
			_ = eachParameter(options, func(name string, value []byte) {
				asks = asks || name == includeUsage && !rawjson.IsNull(value) && string(value) != "false"
			})
		}
	})
	return asks
}

func eachParameter(parameters []byte, visit func(name string, value []byte)) error {
	if len(parameters) == 0 {
		return nil
	}
	return rawjson.Members(parameters, func(name []byte, value rawjson.Span) { visit(string(name), value.Of(parameters)) })
}

// lower returns the limit if the value is above it, or is not a number.
func lower(value []byte, limit int64) []byte {
	if n, err := strconv.ParseFloat(string(value), 64); err == nil && n <= float64(limit) {
		return value
	}
	return strconv.AppendInt(nil, limit, 10)
}
