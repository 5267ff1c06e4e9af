package openai

import (
	"bytes"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/llmservice/llmservice/runtime/relay"
	"github.com/llmservice/llmservice/runtime/wire"
)

// Tap reads the chunks of one stream. With an alias it puts it in place of the upstream's model name; everything
// else passes byte for byte.
type Tap struct {
	alias   []byte // quoted; nil for none
	content bool   // some has come
}

// NewTap returns a tap; an empty alias leaves the model's name alone.
func NewTap(alias string) *Tap {
	if alias == "" {
		return &Tap{}
	}
	return &Tap{alias: quote(alias)}
}

var doneMarker = []byte("[DONE]")

// Frame implements relay.Tap.
func (t *Tap) Frame(dst []byte, f *wire.Frame) ([]byte, relay.Kind) {
	switch {
	case !f.HasData:
		return append(dst, f.Raw...), relay.Preamble
	case bytes.Equal(f.Data, doneMarker):
		return append(dst, f.Raw...), relay.Done
	case len(f.Event) > 0 && string(f.Event) != "message":
		return dst, relay.Broken
	}
	var model, failure, choices span
	err := members(f.Data, func(name []byte, value span) {
		switch string(name) {
		case "model":
			model = value
		case "error":
			failure = value
		case "choices":
			choices = value
		}
	})
	if err != nil || (failure.found() && string(failure.of(f.Data)) != "null") {
		return dst, relay.Broken
	}
	kind := relay.Preamble
	if t.content = t.content || hasContent(choices.of(f.Data)); t.content {
		kind = relay.Content
	}
	return t.edit(dst, f, model), kind
}

func (t *Tap) edit(dst []byte, f *wire.Frame, model span) []byte {
	if t.alias == nil || !model.found() {
		return append(dst, f.Raw...)
	}
	if at := bytes.Index(f.Raw, f.Data); at >= 0 {
		return splice(dst, f.Raw, span{start: at + model.start, end: at + model.end}, t.alias)
	}
	// Data over several lines does not stand in the frame as it reads.
	return wire.AppendEvent(dst, string(f.Event), splice(nil, f.Data, model, t.alias))
}

// A delta of nothing but a role, or of empty members, is what servers send before the model has said anything.
func hasContent(choices []byte) bool {
	var parsed []struct {
		Delta map[string]jsontext.Value `json:"delta"`
	}
	if len(choices) == 0 || json.Unmarshal(choices, &parsed) != nil {
		return false
	}
	for _, choice := range parsed {
		for name, value := range choice.Delta {
			if name != "role" && !empty(value) {
				return true
			}
		}
	}
	return false
}

func empty(value jsontext.Value) bool {
	switch string(value) {
	case "null", `""`, "[]", "{}":
		return true
	}
	return false
}
