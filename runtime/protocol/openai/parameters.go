package openai

import (
	"slices"
	"strconv"

	"github.com/go-json-experiment/json/jsontext"
)

// limits are the members that bound an answer's tokens: the older one, and the one that counts reasoning too.
var limits = []string{"max_tokens", "max_completion_tokens"}

// parameters adds the further members of the request to those that it has. What is null is left out.
func (c *Chat) parameters(body object) (object, error) {
	own := c.own()
	var limited bool
	var options []byte
	err := eachParameter(c.Parameters, func(name string, value []byte) {
		switch {
		case slices.Contains(own, name):
		case name == streamOptions:
			options = value
		case isNull(value):
		case slices.Contains(limits, name) && c.MaxTokens > 0:
			limited = true
			body = body.with(name, lower(value, c.MaxTokens))
		default:
			body = body.with(name, value)
		}
	})
	if err != nil {
		return nil, err
	}
	if c.MaxTokens > 0 && !limited {
		body = body.with(limits[0], strconv.AppendInt(nil, c.MaxTokens, 10))
	}
	return c.streamOptions(body, options)
}

// TokenLimit is the smallest limit of tokens that the parameters set; 0 where they set none.
func (c *Chat) TokenLimit() int64 {
	var limit int64
	_ = eachParameter(c.Parameters, func(name string, value []byte) { // Body says what is wrong with them
		if !slices.Contains(limits, name) {
			return
		}
		if n, err := strconv.ParseFloat(string(value), 64); err == nil && n >= 1 && n < maxCount {
			if given := int64(n); limit == 0 || given < limit {
				limit = given
			}
		}
	})
	return limit
}

// Size is about how many bytes the request has as JSON.
func (c *Chat) Size() int {
	size := len(c.Parameters)
	for i := range c.Messages {
		size += c.Messages[i].size()
	}
	for i := range c.Tools {
		size += len(c.Tools[i].Description) + len(c.Tools[i].Parameters)
	}
	if c.Output != nil {
		size += len(c.Output.Schema)
	}
	return size
}

// own are the members that the request's fields have set.
func (c *Chat) own() []string {
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
	if c.Output != nil {
		own = append(own, "response_format")
	}
	return own
}

const (
	streamOptions = "stream_options"
	includeUsage  = "include_usage"
)

// streamOptions adds what the parameters say, and asks for the usage where they do not speak of it. Not all servers know the
// member: where it would say no more than that no usage is wanted, it is left out. OpenAI's API refuses it in a request that
// does not stream.
func (c *Chat) streamOptions(body object, given jsontext.Value) (object, error) {
	switch {
	case !c.Stream, given != nil && isNull(given):
		return body, nil
	case given != nil && given.Kind() != '{':
		return body.with(streamOptions, given), nil // the upstream will say what is wrong with it
	}
	options, usage := object{}, c.IncludeUsage
	if err := eachParameter(given, func(name string, value []byte) {
		switch {
		case name == includeUsage && (isNull(value) || string(value) == "false"):
			usage = false
		case name == includeUsage:
			usage = false
			options = options.with(name, value)
		case !isNull(value):
			options = options.with(name, value)
		}
	}); err != nil {
		return nil, err
	}
	if usage {
		options = options.with(includeUsage, []byte("true"))
	}
	if len(options) == 0 {
		return body, nil
	}
	return body.with(streamOptions, options.done()), nil
}

func eachParameter(parameters []byte, visit func(name string, value []byte)) error {
	if len(parameters) == 0 {
		return nil
	}
	return members(parameters, func(name []byte, value span) { visit(string(name), value.of(parameters)) })
}

// lower returns the limit where the value is above it, or is no number.
func lower(value []byte, limit int64) []byte {
	if n, err := strconv.ParseFloat(string(value), 64); err == nil && n <= float64(limit) {
		return value
	}
	return strconv.AppendInt(nil, limit, 10)
}
