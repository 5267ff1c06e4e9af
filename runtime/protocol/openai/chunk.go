package openai

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/llmservice/llmservice/runtime/relay"
	"github.com/llmservice/llmservice/runtime/wire"
)

// delta is what one event adds to the answer: to its first choice, where it has several. The slices are the reader's,
// until it reads the next event.
type delta struct {
	kind         relay.Kind
	text         []byte
	refusal      []byte
	toolCalls    []toolCallDelta
	finishReason string
	usage        jsontext.Value
	model        span // in the event's data
}

// toolCallDelta is a part of one tool call.
type toolCallDelta struct {
	index     int // -1 where the upstream leaves it out
	id        string
	name      string
	arguments string
}

// reader reads the events of one stream.
type reader struct {
	// deep reads what the deltas hold; otherwise they are only told from empty ones, until the first that is not.
	deep    bool
	content bool // some has come
	delta   delta
}

var doneMarker = []byte("[DONE]")

func (r *reader) read(f *wire.Frame) *delta {
	d := &r.delta
	*d = delta{text: d.text[:0], refusal: d.refusal[:0], toolCalls: d.toolCalls[:0]}
	switch {
	case !f.HasData:
		d.kind = relay.Preamble
	case bytes.Equal(f.Data, doneMarker):
		d.kind = relay.Done
	case len(f.Event) > 0 && string(f.Event) != "message":
		d.kind = relay.Broken
	default:
		d.kind = r.chunk(f.Data)
	}
	return d
}

func (r *reader) chunk(data []byte) relay.Kind {
	var failure, choices, usage span
	err := members(data, func(name []byte, value span) {
		switch string(name) {
		case "model":
			r.delta.model = value
		case "error":
			failure = value
		case "choices":
			choices = value
		case "usage":
			usage = value
		}
	})
	if err != nil || !isNull(failure.of(data)) {
		return relay.Broken
	}
	if r.deep || !r.content {
		if err := r.choices(choices.of(data)); err != nil && r.deep {
			return relay.Broken
		}
	}
	if r.deep {
		r.delta.usage = asUsage(usage.of(data))
	}
	if r.content {
		return relay.Content
	}
	return relay.Preamble
}

func (r *reader) choices(list []byte) error {
	if isNull(list) {
		return nil
	}
	var wrong error
	err := elements(list, func(i int, value span) { wrong = errors.Join(wrong, r.choice(i, value.of(list))) })
	return errors.Join(err, wrong)
}

func (r *reader) choice(position int, choice []byte) error {
	var given, index, reason span
	err := members(choice, func(name []byte, value span) {
		switch string(name) {
		case "index":
			index = value
		case "delta":
			given = value
		case "finish_reason":
			reason = value
		}
	})
	if err != nil {
		return fmt.Errorf("choices[%d]: %w", position, err)
	}
	first, err := r.choiceHead(position, index.of(choice), reason.of(choice))
	if err != nil {
		return fmt.Errorf("choices[%d]: %w", position, err)
	}
	return r.members(given.of(choice), first)
}

// choiceHead reads why the choice ended, and says whether it is the first one.
func (r *reader) choiceHead(position int, index, reason []byte) (first bool, err error) {
	if !r.deep {
		return false, nil
	}
	number, err := integer(index, position)
	if err != nil {
		return false, fmt.Errorf("index: %w", err)
	}
	if number != 0 {
		return false, nil
	}
	if r.delta.finishReason, err = text(reason); err != nil {
		return false, fmt.Errorf("finish_reason: %w", err)
	}
	return true, nil
}

// A delta of nothing but a role, or of empty members, is what servers send before the model has said anything.
func (r *reader) members(given []byte, first bool) error {
	if isNull(given) {
		return nil
	}
	var wrong error
	err := members(given, func(name []byte, at span) {
		value := at.of(given)
		if string(name) == "role" || empty(value) {
			return
		}
		r.content = true
		if first {
			wrong = errors.Join(wrong, r.member(name, value))
		}
	})
	return errors.Join(err, wrong)
}

func (r *reader) member(name, value []byte) (err error) {
	d := &r.delta
	switch string(name) {
	case "content":
		d.text, err = appendText(d.text, value)
	case "refusal":
		d.refusal, err = appendText(d.refusal, value)
	case "tool_calls":
		err = r.toolCalls(value)
	}
	if err != nil {
		return fmt.Errorf("delta.%s: %w", name, err)
	}
	return nil
}

func (r *reader) toolCalls(list []byte) error {
	var wrong error
	err := elements(list, func(_ int, at span) {
		part, err := readToolCall(at.of(list))
		r.delta.toolCalls = append(r.delta.toolCalls, part)
		wrong = errors.Join(wrong, err)
	})
	return errors.Join(err, wrong)
}

// readToolCall reads a tool call, or a part of one: both have the same members.
func readToolCall(call []byte) (toolCallDelta, error) {
	part := toolCallDelta{index: -1}
	var wrong error
	err := members(call, func(name []byte, at span) {
		var err error
		switch value := at.of(call); string(name) {
		case "index":
			part.index, err = integer(value, -1)
		case "id":
			part.id, err = text(value)
		case "function":
			err = part.function(value)
		}
		wrong = errors.Join(wrong, err)
	})
	return part, errors.Join(err, wrong)
}

func (c *toolCallDelta) function(object []byte) error {
	if isNull(object) {
		return nil
	}
	var wrong error
	err := members(object, func(name []byte, at span) {
		var err error
		switch value := at.of(object); string(name) {
		case "name":
			c.name, err = text(value)
		case "arguments":
			c.arguments, err = text(value)
		}
		wrong = errors.Join(wrong, err)
	})
	return errors.Join(err, wrong)
}

func empty(value []byte) bool {
	switch string(value) {
	case "null", `""`, "[]", "{}":
		return true
	}
	return false
}

func text(value []byte) (string, error) {
	unquoted, err := appendText(nil, value)
	return string(unquoted), err
}

// appendText appends what a JSON string says; null says nothing.
func appendText(dst, value []byte) ([]byte, error) {
	if isNull(value) {
		return dst, nil
	}
	if value[0] != '"' {
		return dst, errors.New("want a string or null")
	}
	dst, err := jsontext.AppendUnquote(dst, value)
	if err != nil {
		return dst, fmt.Errorf("read string: %w", err)
	}
	return dst, nil
}

// integer reads a number from 0 up; null and nothing give the number otherwise.
func integer(value []byte, otherwise int) (int, error) {
	if isNull(value) {
		return otherwise, nil
	}
	n, err := strconv.Atoi(string(value))
	if err != nil || n < 0 {
		return 0, errors.New("want an integer from 0 up")
	}
	return n, nil
}
