package openai

import (
	"bytes"
	"strconv"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/llmservice/llmservice/runtime/rawjson"
)

// What an upstream's values say where the API has a string, a number or an object. A value of another type is not a
// failure: it says nothing, or what clients in JavaScript would make of it.

// appendSaid appends the text of a value that ought to be a string. Of a list of parts, as Mistral's models answer with,
// it is the text of those of type text.
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

// saidText is the text of a value, with nothing to follow.
func saidText(value []byte) string { return string(rawjson.Settle(appendSaid(nil, value))) }

// saidWord is the text of a value that is not made of parts, such as an id.
func saidWord(value []byte) string {
	if kind := jsontext.Value(value).Kind(); kind == '[' || kind == '{' || kind == 'n' {
		return ""
	}
	return saidText(value)
}

// appendArguments appends what a tool is to be called with. It ought to be a string of JSON; some servers send the JSON
// itself, and nothing as an object or a list of nothing.
func appendArguments(dst, value []byte) []byte {
	switch kind := jsontext.Value(value).Kind(); {
	case kind != '{' && kind != '[':
		return appendSaid(dst, value)
	case empty(value):
		return dst
	}
	return append(dst, value...)
}

// empty says whether a value says nothing, in any type.
func empty(value []byte) bool {
	switch string(value) {
	case "", "null", `""`, "[]", "{}":
		return true
	}
	return false
}

// states says whether a member error reports one: what is false or nothing in any type does not, as in openai-python.
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
