package openapi

import (
	_ "embed" // for the schema of a protocol's events
	"fmt"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/llmservice/llmservice/runtime/config/program"
	"github.com/llmservice/llmservice/runtime/format"
)

// streamsPart is the schema of OpenAI's events, which has this name.
//
//go:embed streams.json
var streamsPart []byte

const openAIStream = "EventStream"

// useChunks defines the schema of OpenAI's events, once it is needed.
func (d *document) useChunks() { d.defineOnce(openAIStream, streamsPart) }

func (d *document) defineOnce(name string, schema jsontext.Value) {
	if _, ok := d.Components.Schemas.find(name); !ok {
		d.Components.Schemas.add(name, schema)
	}
}

// useStream defines the schema of a format, once it is needed, and returns its name.
func (d *document) useStream(name string) (string, error) {
	f, ok := format.Named(name)
	if !ok {
		d.useChunks()
		return openAIStream, nil
	}
	schema, err := encode(eventsSchema{f.Schema, "string", f.Description, []string{f.Example}})
	if err != nil {
		return "", err
	}
	d.defineOnce(f.Schema, schema)
	return f.Schema, nil
}

// eventsSchema is the schema of a stream.
type eventsSchema struct {
	Title       string   `json:"title"`
	Type        string   `json:"type"`
	Description string   `json:"description"`
	Examples    []string `json:"examples,omitempty"`
}

// stream describes an answer of one text, which is the schema's if one is promised.
func (d *document) stream(r *program.Response, promised string) (*response, error) {
	description := "The answer, as it arrives."
	if promised != "" {
		kind := "JSON"
		if r.Satisfies.IsText() {
			kind = "a string"
		}
		description += " All of its text together is " + kind + " of the schema " + promised + "."
	}
	name, err := d.useStream(r.Format)
	return &response{Description: description, Content: content(eventsType, schemaRef(name))}, err
}

// events describes an answer of named events, with a schema of its own: the names are the route's.
func (d *document) events(r *program.Response, name, promised string) (*response, error) {
	schema, err := encode(eventsSchema{Title: name, Type: "string", Description: describeEvents(r, promised)})
	if err != nil {
		return nil, err
	}
	d.Components.Schemas.add(name, schema)
	return &response{Description: "The answer, as named events.", Content: content(eventsType, schemaRef(name))}, nil
}

func describeEvents(r *program.Response, promised string) string {
	lines := []string{"Server-sent events, by their names:", ""}
	for _, step := range r.Sources {
		lines = append(lines, fmt.Sprintf("- `%s`: a piece of a text as it arrives, as {\"text\"}", step))
	}
	if r.Events.Progress {
		lines = append(lines, "- `progress`: a step begins or ends, as {\"step\", \"state\"}, or a tool's call does, as "+
			"{\"step\", \"tool\", \"id\", \"state\"}; the state is started, succeeded, failed or skipped")
	}
	switch {
	case r.Response.Body == nil:
	case promised == "":
		lines = append(lines, "- `result`: the answer, as JSON")
	default:
		lines = append(lines, "- `result`: the answer, as JSON of the schema "+promised)
	}
	return strings.Join(append(lines,
		"- `done`: the end, as {\"usage\"}",
		"- `error`: the end of a stream that failed after it began, as {\"error\": {\"message\", \"type\", \"param\", \"code\"}}",
	), "\n")
}
