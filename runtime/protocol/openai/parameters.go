package openai

import (
	"slices"
	"strconv"
)

// limits are the members that bound an answer's tokens: the older one, and the one that counts reasoning too.
var limits = []string{"max_tokens", "max_completion_tokens"}

// parameters adds the further members of the request to those that it has.
func (c *Chat) parameters(body object) (object, error) {
	own := c.own()
	var limited bool
	var options []byte
	err := eachParameter(c.Parameters, func(name string, value []byte) {
		switch {
		case slices.Contains(own, name):
		case name == "stream_options":
			options = value
		case slices.Contains(limits, name) && c.MaxTokens > 0:
			if !isNull(value) {
				limited = true
				body = body.with(name, lower(value, c.MaxTokens))
			}
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

// streamOptions adds to what the parameters say; OpenAI's API refuses the member in a request that does not stream.
func (c *Chat) streamOptions(body object, given []byte) (object, error) {
	switch {
	case !c.Stream:
		return body, nil
	case !c.IncludeUsage && given == nil:
		return body, nil
	case !c.IncludeUsage:
		return body.with("stream_options", given), nil
	}
	options := object{}.with("include_usage", []byte("true"))
	if !isNull(given) {
		if err := eachParameter(given, func(name string, value []byte) {
			if name != "include_usage" {
				options = options.with(name, value)
			}
		}); err != nil {
			return nil, err
		}
	}
	return body.with("stream_options", options.done()), nil
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
