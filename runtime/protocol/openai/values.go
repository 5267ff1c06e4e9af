package openai

import (
	"bytes"
	"strconv"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/llmservice/llmservice/runtime/rawjson"
)

// How an upstream's values are read if the API has a string, a number or an object in their place. A value of another type is
// not a failure: it is ignored, or read as clients in JavaScript would read it.

// appendSaid appends the text of a value that should be a string. Of a list of parts, which Mistral's models return, it takes
// the text of those of type text.
func appendSaid(dst, value []byte) []byte {
	switch jsontext.Value(value).Kind() {
	case '"':
		return rawjson.AppendString(dst, value)
	case '[':
		_ = rawjson.ElementsSaid(value, func(_ int, at rawjson.Span) { // it has been read once already
			dst = appendPart(dst, at.Of(value))
		})
	case '{':
		return appendPart(dst, value)
	case '0', 't', 'f':
		return append(dst, value...)
	default:
	}
	return dst
}

func appendPart(dst, part []byte) []byte {
	if jsontext.Value(part).Kind() == '"' {
		return rawjson.AppendString(dst, part)
	}
	var kind, text rawjson.Span
	err := rawjson.MembersSaid(part, func(name []byte, value rawjson.Span) {
		switch string(name) {
		case "type":
			kind = value
		case "text":
			text = value
		}
	})
	if err != nil || kind.Found() && string(kind.Of(part)) != `"text"` || jsontext.Value(text.Of(part)).Kind() != '"' {
		return dst
	}
	return rawjson.AppendString(dst, text.Of(part))
}

// saidText is the text of a value that nothing follows.
func saidText(value []byte) string { return string(rawjson.Settle(appendSaid(nil, value))) }

// saidWord is the text of a value that is not made of parts, such as an id.
func saidWord(value []byte) string {
	if kind := jsontext.Value(value).Kind(); kind == '[' || kind == '{' || kind == 'n' {
		return ""
	}
	return saidText(value)
}

// appendArguments appends the arguments of a tool call. They should be a string of JSON; some servers send the JSON itself, or
// an empty object or list if there are none.
func appendArguments(dst, value []byte) []byte {
	switch kind := jsontext.Value(value).Kind(); {
	case kind != '{' && kind != '[':
		return appendSaid(dst, value)
	case empty(value):
		return dst
	}
	return append(dst, value...)
}

// empty reports whether a value of any type has no content.
func empty(value []byte) bool {
	switch string(value) {
	case "", "null", `""`, "[]", "{}":
		return true
	}
	return false
}

// states reports whether a member error reports an error. As in openai-python, a value that is false or empty in any type does
// not.
func states(failure []byte) bool {
	if empty(failure) || string(failure) == "false" {
		return false
	}
	if jsontext.Value(failure).Kind() != '0' {
		return len(bytes.Trim(failure, "[{ \t\r\n}]")) > 0
	}
	f, err := strconv.ParseFloat(string(failure), 64)
	return err != nil || f != 0
}
