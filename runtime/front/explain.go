package front

import (
	"encoding/json"
	"regexp"

	"github.com/llmservice/llmservice/runtime/llm"
	"github.com/llmservice/llmservice/runtime/problem"
	"github.com/llmservice/llmservice/runtime/redact"
)

// Bounds of what a client may read of an upstream's refusal, in bytes.
const (
	maxSaid     = 2 << 10
	maxSaidName = 256 // of a type, a code and a parameter
)

// explain turns an upstream's refusal into what the refused client may read: without secrets of this gateway, of any upstream,
// and without anything that looks like a key. Agents and SDKs act on the code.
func (e *Endpoints) explain(said llm.Rejection) *problem.Said {
	secrets := e.Secrets()
	return &problem.Said{
		Message: redact.Text(said.Message, secrets, maxSaid),
		Type:    name(said.Type, secrets),
		Param:   redact.Text(said.Param, secrets, maxSaidName),
		Code:    code(said.Code, secrets),
	}
}

// Values that programs compare are words.
var word = regexp.MustCompile(`^[A-Za-z0-9_.:-]{1,128}$`)

// name returns a type or code unchanged; empty if it is not a word, or had to be redacted.
func name(text string, secrets []string) string {
	if word.MatchString(text) && redact.Text(text, secrets, maxSaidName) == text {
		return text
	}
	return ""
}

// maxCode bounds a code that is a number, in characters.
const maxCode = 16

func code(value []byte, secrets []string) json.RawMessage {
	var text string
	switch {
	case len(value) == 0:
		return nil
	case value[0] != '"':
		if len(value) > maxCode || redact.Text(string(value), secrets, maxSaidName) != string(value) {
			return nil
		}
		return value
	case json.Unmarshal(value, &text) != nil || name(text, secrets) == "":
		return nil
	}
	return value
}
