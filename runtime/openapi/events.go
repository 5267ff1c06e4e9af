package openapi

import (
	"slices"

	"github.com/llmservice/llmservice/runtime/config/program"
	"github.com/llmservice/llmservice/runtime/format"
)

// eventKind is the schema of one kind of event, as an object with the event's fields (OpenAPI 3.2.0, section 4.14.4). A document of
// OpenAPI 3.1 has no itemSchema for it, and validators refuse one: it is what the text of the stream contains.
type eventKind struct {
	Type       string       `json:"type"`
	Required   []string     `json:"required"`
	Properties members[any] `json:"properties"`
	// Not forbids a name to events that have none.
	Not any `json:"not,omitzero"`
}

// literal is the schema of one value.
type literal struct {
	Const string `json:"const"`
}

// jsonData is the schema of data that is JSON.
type jsonData struct {
	Type      string `json:"type"`
	MediaType string `json:"contentMediaType"`
	Schema    any    `json:"contentSchema"`
}

func dataOf(schema any) jsonData { return jsonData{"string", jsonType, schema} }

// kindOf is the schema of an event with a name, or without one.
func kindOf(name string, data any) eventKind {
	k := eventKind{Type: "object", Required: []string{"data"}}
	if name == "" {
		k.Not = struct {
			Required []string `json:"required"`
		}{[]string{"event"}}
	} else {
		k.Required = []string{"event", "data"}
		k.Properties.add("event", literal{name})
	}
	k.Properties.add("data", data)
	return k
}

// marked is the kind of events with the fields that a route adds to them.
func (k eventKind) marked(e *program.Response) eventKind {
	if e.Events.IDs {
		k.Required = append(slices.Clone(k.Required), "id")
		k.Properties.add("id", ofText)
	}
	if e.Events.Retry > 0 {
		k.Properties.add("retry", struct {
			Const int64 `json:"const"`
		}{e.Events.Retry.Std().Milliseconds()})
	}
	return k
}

// kinds are those of events that the gateway writes alike for every route.
func (d *document) kinds(events []format.Event) ([]any, error) {
	kinds := make([]any, len(events))
	for i, e := range events {
		kind, err := d.kind(e)
		if err != nil {
			return nil, err
		}
		kinds[i] = kind
	}
	return kinds, nil
}

func (d *document) kind(e format.Event) (eventKind, error) {
	switch {
	case e.Text != "":
		return kindOf(e.Name, literal{e.Text}), nil
	case e.Data == "":
		return kindOf(e.Name, ofText), nil
	}
	return kindOf(e.Name, dataOf(schemaRef(e.Data))), d.useData(e.Data)
}

// namedKinds are the kinds of events of a route whose events have names.
func (d *document) namedKinds(r *program.Response, promised string) ([]any, error) {
	var own []eventKind
	for _, step := range r.Values {
		own = append(own, kindOf(step, dataOf(anyJSON)))
	}
	if r.Response.Body != nil {
		result := any(anyJSON)
		if promised != "" {
			result = schemaRef(promised)
		}
		own = append(own, kindOf("result", dataOf(result)))
	}
	var events []format.Event
	for _, step := range r.Sources {
		events = append(events, format.Event{Name: step, Data: format.DataText})
	}
	if r.Events.Progress {
		events = append(events, format.EventProgress)
	}
	for _, e := range append(events, format.EventDone, format.EventError) {
		kind, err := d.kind(e)
		if err != nil {
			return nil, err
		}
		own = append(own, kind)
	}
	kinds := make([]any, len(own))
	for i, k := range own {
		kinds[i] = k.marked(r)
	}
	return kinds, nil
}
