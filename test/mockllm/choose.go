package mockllm

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
)

// ScriptHeader is the request header that carries a script.
const ScriptHeader = "X-Mock-Script"

// A script inside a message: it gets through gateways that pass on no header.
const (
	embedOpen  = "[[mock "
	embedClose = "]]"
)

// chooseScript returns what to do with a request: the header's script, else the
// one in the last user message that has one, laid over the server's defaults;
// and of that what is for the model, and for this turn.
func chooseScript(base Script, header http.Header, messages []message, model string) (Script, error) {
	source, from := header.Get(ScriptHeader), 0
	if source == "" {
		var err error
		if source, from, err = findScript(messages); err != nil {
			return Script{}, err
		}
	}
	script, err := overlay(base, source)
	if err != nil {
		return Script{}, err
	}
	return script.resolve(model, turn(messages[from:]))
}

// findScript returns the last script in a user message, and where that is.
func findScript(messages []message) (source string, at int, err error) {
	for i, m := range slices.Backward(messages) {
		if m.Role != "user" {
			continue
		}
		if source, _, err = cutScript(string(m.Content)); source != "" || err != nil {
			return source, i, err
		}
	}
	return "", 0, nil
}

// turn is how often the assistant has spoken.
func turn(messages []message) int {
	n := 0
	for _, m := range messages {
		if m.Role == "assistant" {
			n++
		}
	}
	return n
}

// resolve lays over the script what it has for a model and a turn.
func (s Script) resolve(model string, turn int) (Script, error) {
	script := s
	if own, ok := s.Models[model]; ok {
		var err error
		if script, err = overlay(s.withoutModels(), string(own)); err != nil {
			return Script{}, err
		}
	}
	if n := len(script.Turns); n > 0 {
		return overlay(script.plain(), string(script.Turns[min(turn, n-1)]))
	}
	return script.plain(), nil
}

func (s Script) withoutModels() Script {
	s.Models = nil
	return s
}

// overlay reads a script's JSON over base; fields that it leaves out stay.
func overlay(base Script, source string) (Script, error) {
	if source == "" {
		return base, nil
	}
	script := base
	// Decoding into what base has would write to the memory that both share.
	script.JSON, script.ToolCalls, script.Turns, script.Models = nil, nil, nil, nil
	dec := json.NewDecoder(strings.NewReader(source))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&script); err != nil {
		return Script{}, fmt.Errorf("read script: %w", err)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return Script{}, errors.New("read script: more follows the JSON object")
	}
	script = script.inherit(base)
	return script, script.Validate()
}

func (s Script) inherit(base Script) Script {
	if s.JSON == nil {
		s.JSON = base.JSON
	}
	if s.ToolCalls == nil {
		s.ToolCalls = base.ToolCalls
	}
	if s.Turns == nil {
		s.Turns = base.Turns
	}
	if s.Models == nil {
		s.Models = base.Models
	}
	return s
}

// cutScript returns the JSON of the first script in text, and the text
// without it. If there is none, source is empty.
func cutScript(text string) (source, rest string, err error) {
	before, after, found := strings.Cut(text, embedOpen)
	if !found {
		return "", text, nil
	}
	var raw json.RawMessage
	dec := json.NewDecoder(strings.NewReader(after))
	if err := dec.Decode(&raw); err != nil {
		return "", "", fmt.Errorf("read script in message: %w", err)
	}
	tail, closed := strings.CutPrefix(after[dec.InputOffset():], embedClose)
	if !closed {
		return "", "", fmt.Errorf("read script in message: no %q after the JSON object", embedClose)
	}
	return string(bytes.TrimSpace(raw)), strings.TrimSpace(before + tail), nil
}
