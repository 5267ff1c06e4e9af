package openapi

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/llmservice/llmservice/runtime/config"
	"github.com/llmservice/llmservice/runtime/schema"
)

// TestExamplesSatisfyTheirSchemas: each media type of JSON with a schema has an example, which satisfies it.
func TestExamplesSatisfyTheirSchemas(t *testing.T) {
	document := build(t, service())
	d := describedBy(t, document)
	var whole any
	if err := json.Unmarshal(document, &whole); err != nil {
		t.Fatal(err)
	}
	seen := 0
	eachMedia(whole, "", func(at string, schema, example json.RawMessage) {
		seen++
		if example == nil {
			t.Errorf("%s: there is no example of %s", at, schema)
			return
		}
		moved := strings.ReplaceAll(string(schema), "#/components/schemas/", "#/$defs/")
		if !d.accepts(t, json.RawMessage(moved), example) {
			t.Errorf("%s: the example %s does not satisfy %s", at, example, schema)
		}
	})
	if seen < 15 {
		t.Errorf("only %d media types have a schema", seen)
	}
}

// eachMedia calls found for each JSON of a document that is more than any JSON. What the models' endpoints have is described by
// examples in its parts.
func eachMedia(v any, at string, found func(at string, schema, example json.RawMessage)) {
	switch v := v.(type) {
	case []any:
		for _, item := range v {
			eachMedia(item, at, found)
		}
	case map[string]any:
		for _, name := range slices.Sorted(maps.Keys(v)) {
			media, _ := v[name].(map[string]any)
			if of, ok := media["schema"].(map[string]any); ok && name == jsonType && len(of) > 0 && !strings.HasPrefix(at, "/paths//v1/") {
				encoded, _ := json.Marshal(of)
				var example json.RawMessage
				if media["example"] != nil {
					example, _ = json.Marshal(media["example"])
				}
				found(at, encoded, example)
				continue
			}
			eachMedia(v[name], at+"/"+name, found)
		}
	}
}

// TestModelsHaveRealExamples: Swagger UI makes examples of the parts of these schemas, and no part is left to it alone.
func TestModelsHaveRealExamples(t *testing.T) {
	d := describedBy(t, build(t, service()))
	for _, name := range []string{
		"ChatCompletionRequest", "ChatCompletion", "CompletionRequest", "Completion", "EmbeddingRequest", "EmbeddingList",
		"ResponseRequest", "Response", "ResponseStream", "ModelList",
	} {
		s, err := schema.Compile([]byte(`{"$ref":"#/$defs/` + name + `","$defs":` + d.all + `}`))
		if err != nil {
			t.Fatal(err)
		}
		example, ok := s.Example()
		if !ok || strings.Contains(string(example), `"Example`) {
			t.Errorf("%s: the example is %s, want one of examples only", name, example)
		}
	}
}

// TestExamplesThatToolsWouldFollow: many tools take a member $ref for a reference, wherever it is.
func TestExamplesThatToolsWouldFollow(t *testing.T) {
	body := jsontext.Value(`{"const":{"$ref":"#/x"}}`)
	s, err := schema.Compile(body)
	if err != nil {
		t.Fatal(err)
	}
	if c := withExample(jsonType, anyJSON, s); c[0].value.Example != nil {
		t.Errorf("the example is %s, want none", c[0].value.Example)
	}
	c := service()
	c.Routes = []config.Route{route("POST", "/", "", string(body), whole)}
	build(t, c)
}
