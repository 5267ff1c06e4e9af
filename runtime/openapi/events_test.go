package openapi

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/llmservice/llmservice/runtime/config"
	"github.com/llmservice/llmservice/runtime/format"
	"github.com/llmservice/llmservice/runtime/problem"
	"github.com/llmservice/llmservice/runtime/protocol/openai"
	"github.com/llmservice/llmservice/runtime/schema"
)

// TestEventsAreAsDescribed: each event that the gateway writes is of exactly one kind that the document has for its stream, and each
// kind is that of some event.
func TestEventsAreAsDescribed(t *testing.T) {
	c := service()
	found := config.Route{
		Method: "GET", Path: "/marked", Steps: []config.Step{
			{Name: "draft", Action: everyStep()[0].Action}, {Name: "found", Set: &config.Set{Value: jsontext.Value(`1`)}},
		},
		Response: &config.Response{
			Events: &config.Events{Steps: []string{"draft", "found"}, Progress: true, IDs: true, Retry: config.Duration(2 * time.Second)},
			Body:   jsontext.Value(`{"n":1}`), Schema: jsontext.Value(`{"type":"object","required":["n"],"properties":{"n":{"type":"integer"}}}`),
		},
	}
	c.Routes = append(c.Routes, found)
	d := describedBy(t, build(t, c))

	var events format.Events
	failed := problem.New(problem.UpstreamTimeout)
	answered := problem.New(problem.InvalidRequest)
	answered.Answer = &problem.Answer{Status: 410, Body: json.RawMessage(`{"detail":"Gone."}`)}
	usage, text := jsontext.Value(`{"total_tokens":3}`), []byte("one\ntwo")
	progress := events.Progress(events.Progress(nil, jsontext.Value(`{"step":"draft","state":"started"}`)),
		jsontext.Value(`{"step":"draft","tool":"find","id":"call_1","state":"failed"}`))
	for _, f := range format.All {
		w := f.New()
		stream := w.Done(w.Delta(nil, text), "stop", usage)
		stream = w.Error(w.Error(w.Done(stream, "", nil), failed), answered)
		if f.Progress != nil {
			stream = append(stream, progress...)
		}
		d.describes(t, f.Schema, stream)
	}
	chunk := `data: {"id":"1","object":"chat.completion.chunk","created":0,"model":"m","choices":[{"index":0,"delta":{"content":"x"},"finish_reason":null}]}` + "\n\n"
	d.describes(t, "EventStream", openai.Dialect{}.AppendError(openai.Dialect{}.AppendDone([]byte(chunk), "stop", nil), failed))

	named := slices.Concat(format.NewStep("draft").Delta(nil, text), progress, events.Value(nil, "found", jsontext.Value(`[null]`)),
		events.Result(nil, jsontext.Value(`{"n":2}`)), events.Done(nil, usage), events.Done(nil, nil), events.Error(nil, answered))
	marked, _ := format.Fields{IDs: true, Retry: 2 * time.Second}.Add(nil, named)
	d.describes(t, "get_marked_events", marked)
	var stream struct {
		Examples []string `json:"examples"`
	}
	const example = "event: draft\ndata: {\"text\":\"Hello\"}\nid: 1\nretry: 2000\n\nevent: found\ndata: {}\nid: 2\n\n" +
		"event: result\ndata: {\"n\":1}\nid: 3\n\nevent: done\ndata: {\"usage\":null}\nid: 4\n\n"
	if err := json.Unmarshal(d.schemas["get_marked_events"], &stream); err != nil || !slices.Equal(stream.Examples, []string{example}) {
		t.Errorf("the examples are %q, want %q", stream.Examples, example)
	}
	plain := slices.Concat(format.NewStep("draft").Delta(nil, text), format.NewStep("votes.one").Delta(nil, text), progress,
		events.Result(nil, jsontext.Value(`"all"`)), events.Done(nil, usage), events.Error(nil, failed))
	d.describes(t, "get_named_events", plain)

	for stream, wrong := range map[string]string{
		"get_marked_events": "event: found\ndata: 1\n\n",                   // no id
		"get_named_events":  "event: votes.two\ndata: {\"text\":\"\"}\n\n", // another name
		"JSONStream":        "event: done\ndata: {\"usage\":null}\n\n",     // no reason
		"TextStream":        "event: other\ndata: one\n\n",
		"EventStream":       "data: DONE\n\n",
	} {
		if kinds := d.kindsOf(t, stream, fieldsOf(t, wrong)); len(kinds) > 0 {
			t.Errorf("%s: %q is of the kinds %v", stream, wrong, kinds)
		}
	}
}

// described are the schemas of a document.
type described struct {
	schemas  map[string]json.RawMessage
	all      string // as $defs
	compiled map[string]*schema.Schema
}

func describedBy(t *testing.T, document []byte) *described {
	t.Helper()
	var whole struct {
		Components struct {
			Schemas map[string]json.RawMessage `json:"schemas"`
		} `json:"components"`
	}
	if err := json.Unmarshal(bytes.ReplaceAll(document, []byte("#/components/schemas/"), []byte("#/$defs/")), &whole); err != nil {
		t.Fatal(err)
	}
	all, err := json.Marshal(whole.Components.Schemas)
	if err != nil {
		t.Fatal(err)
	}
	return &described{whole.Components.Schemas, string(all), map[string]*schema.Schema{}}
}

// describes fails the test unless the events of a stream and the kinds of the document are for each other.
func (d *described) describes(t *testing.T, name string, stream []byte) {
	t.Helper()
	seen := map[int]bool{}
	for event := range strings.SplitAfterSeq(string(stream), "\n\n") {
		if event == "" {
			continue
		}
		kinds := d.kindsOf(t, name, fieldsOf(t, event))
		if len(kinds) != 1 {
			t.Errorf("%s: %q is of the kinds %v", name, event, kinds)
			continue
		}
		seen[kinds[0]] = true
	}
	if all := len(d.kinds(t, name)); len(seen) != all {
		t.Errorf("%s: %d of %d kinds are written: %v", name, len(seen), all, seen)
	}
}

func (d *described) kinds(t *testing.T, name string) []json.RawMessage {
	t.Helper()
	var stream struct {
		Media  string `json:"contentMediaType"`
		Events struct {
			Items struct {
				AnyOf []json.RawMessage `json:"anyOf"`
			} `json:"items"`
		} `json:"contentSchema"`
	}
	if err := json.Unmarshal(d.schemas[name], &stream); err != nil || stream.Media != eventsType {
		t.Fatalf("%s: %v in %s", name, err, d.schemas[name])
	}
	return stream.Events.Items.AnyOf
}

// kindsOf are the kinds of an event, by their place: those whose schema it satisfies, and its data what is said of that.
func (d *described) kindsOf(t *testing.T, name string, fields map[string]any) []int {
	t.Helper()
	event, err := json.Marshal(fields)
	if err != nil {
		t.Fatal(err)
	}
	var found []int
	for i, kind := range d.kinds(t, name) {
		var of struct {
			Properties struct {
				Data struct {
					Schema json.RawMessage `json:"contentSchema"`
				} `json:"data"`
			} `json:"properties"`
		}
		if err := json.Unmarshal(kind, &of); err != nil {
			t.Fatal(err)
		}
		data, _ := fields["data"].(string)
		content := of.Properties.Data.Schema
		if d.accepts(t, kind, event) && (content == nil || json.Valid([]byte(data)) && d.accepts(t, content, []byte(data))) {
			found = append(found, i)
		}
	}
	return found
}

func (d *described) accepts(t *testing.T, kind json.RawMessage, value []byte) bool {
	t.Helper()
	s := d.compiled[string(kind)]
	if s == nil {
		var err error
		if s, err = schema.Compile([]byte(`{"allOf":[` + string(kind) + `],"$defs":` + d.all + `}`)); err != nil {
			t.Fatalf("%v in %s", err, kind)
		}
		d.compiled[string(kind)] = s
	}
	violations, err := s.CheckAsSent(t.Context(), value, "event")
	if err != nil {
		t.Fatal(err)
	}
	return len(violations) == 0
}

// fieldsOf are those of an event, as OpenAPI 3.2.0, section 4.14.4, makes JSON of them.
func fieldsOf(t *testing.T, event string) map[string]any {
	t.Helper()
	fields := map[string]any{}
	for line := range strings.SplitSeq(strings.TrimSpace(event), "\n") {
		name, value, _ := strings.Cut(line, ": ")
		before, again := fields[name].(string)
		switch {
		case name == "retry":
			fields[name] = json.Number(value)
		case again:
			fields[name] = before + "\n" + value
		default:
			fields[name] = value
		}
	}
	return fields
}
