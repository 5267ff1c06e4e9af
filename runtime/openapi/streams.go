package openapi

import (
	_ "embed" // for the schemas of data
	"fmt"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/llmservice/llmservice/runtime/config/program"
	"github.com/llmservice/llmservice/runtime/format"
)

// dataPart has the schemas of the data of events, by name.
//
//go:embed streams.json
var dataPart []byte

// chunks is how a model's own events are described. Their data stands in the same file.
var chunks = format.Format{
	Schema: "EventStream",
	Description: "Server-sent events. The data of each is a chat completion chunk of OpenAI's API. The last one is [DONE]; a stream " +
		"that fails after it began ends with an event whose data is {\"error\": {\"message\", \"type\", \"param\", \"code\"}} instead.",
	Example: `data: {"id":"chatcmpl-1","object":"chat.completion.chunk","created":0,"model":"m",` +
		`"choices":[{"index":0,"delta":{"content":"Hello"},"finish_reason":null}]}` + "\n\ndata: [DONE]\n\n",
	Events: []format.Event{{Data: "StreamChunk"}, {Data: format.DataError}, {Text: "[DONE]"}},
}

// useData defines the schema of an event's data, once it is needed.
func (d *document) useData(name string) error {
	var all object
	if err := json.Unmarshal(dataPart, &all); err != nil {
		return fmt.Errorf("read the schemas of data: %w", err)
	}
	schema, ok := all.find(name)
	if !ok {
		return fmt.Errorf("there is no schema %s of data", name)
	}
	d.defineOnce(name, *schema)
	return nil
}

func (d *document) defineOnce(name string, schema jsontext.Value) {
	if _, ok := d.Components.Schemas.find(name); !ok {
		d.Components.Schemas.add(name, schema)
	}
}

// useStream defines the schema of a format, once it is needed.
func (d *document) useStream(f format.Format) error {
	kinds, err := d.kinds(f.Events)
	if err != nil {
		return err
	}
	schema, err := encode(eventStream(f.Schema, f.Description, kinds, f.Example))
	if err != nil {
		return err
	}
	d.defineOnce(f.Schema, schema)
	return nil
}

// streamSchema is the schema of a stream: a text, and the list of events that it stands for.
type streamSchema struct {
	Title       string    `json:"title"`
	Type        string    `json:"type"`
	Description string    `json:"description"`
	MediaType   string    `json:"contentMediaType"`
	Events      eventList `json:"contentSchema"`
	Examples    []string  `json:"examples,omitempty"`
}

type eventList struct {
	Type  string `json:"type"`
	Items anyOf  `json:"items"`
}

func eventStream(title, description string, kinds []any, examples ...string) streamSchema {
	return streamSchema{title, "string", description, eventsType, eventList{"array", anyOf{kinds}}, examples}
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
	f, ok := format.Named(r.Format)
	if !ok {
		f = chunks
	}
	return &response{Description: description, Content: content(eventsType, schemaRef(f.Schema))}, d.useStream(f)
}

// events describes an answer of named events, with a schema of its own: the names are the route's.
func (d *document) events(r *program.Response, name, promised string) (*response, error) {
	kinds, err := d.namedKinds(r, promised)
	if err != nil {
		return nil, err
	}
	schema, err := encode(eventStream(name, describeEvents(r, promised), kinds, exampleOf(r)))
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
	for _, step := range r.Values {
		lines = append(lines, fmt.Sprintf("- `%s`: the value of a step, as JSON", step))
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

// exampleOf is a short stream of the route. The result is an example of its schema; an empty object stands for a value without one.
func exampleOf(r *program.Response) string {
	var events format.Events
	var stream []byte
	unknown := jsontext.Value(`{}`)
	for _, step := range r.Sources {
		stream = format.NewStep(step).Delta(stream, []byte("Hello"))
	}
	for _, step := range r.Values {
		stream = events.Value(stream, step, unknown)
	}
	if r.Response.Body != nil {
		result := unknown
		if r.Satisfies != nil {
			if example, ok := r.Satisfies.Example(); ok {
				result = example
			}
		}
		stream = events.Result(stream, result)
	}
	marked, _ := format.Fields{IDs: r.Events.IDs, Retry: r.Events.Retry.Std()}.Add(nil, events.Done(stream, nil))
	return string(marked)
}
