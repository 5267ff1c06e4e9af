package front

import (
	"encoding/json"
	"regexp"

	"github.com/llmservice/llmservice/runtime/llm"
	"github.com/llmservice/llmservice/runtime/problem"
	"github.com/llmservice/llmservice/runtime/redact"
)

// Bounds of what an upstream may tell a client of its mistake, in bytes.
const (
	maxSaid     = 2 << 10
	maxSaidName = 256 // of a type, a code and a parameter
)

// explain makes of an upstream's refusal what may be told to the client whose request was refused: nothing that is a secret
// of this gateway, of whichever upstream, or looks like a key. Agents and SDKs act on the code.
func (e *Endpoints) explain(said llm.Rejection) *problem.Said {
	secrets := e.Secrets()
	return &problem.Said{
		Message: redact.Text(said.Message, secrets, maxSaid),
		Type:    name(said.Type, secrets),
		Param:   redact.Text(said.Param, secrets, maxSaidName),
		Code:    code(said.Code, secrets),
	}
}

// What programs compare is a word.
var word = regexp.MustCompile(`^[A-Za-z0-9_.:-]{1,128}$`)

// name is a type or code where it is one, as it was; empty where it is none, or was not to be told.
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
