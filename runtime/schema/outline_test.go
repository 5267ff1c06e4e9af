package schema

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/llmservice/llmservice/runtime/pattern"
)

// looksLikeSchemas are values that would be refused as schemas, each for another reason and by another walk.
var looksLikeSchemas = map[string]string{
	"another draft":     `{"$schema":"https://charts.example/v5.json","mark":"bar"}`,
	"an older draft":    `{"$schema":"http://json-schema.org/draft-07/schema#"}`,
	"a bad pattern":     `{"patternProperties":{"(?=x)":{"type":"string"}}}`,
	"a long pattern":    `{"pattern":"` + strings.Repeat("x", pattern.MaxBytes+1) + `"}`,
	"a dynamic anchor":  `{"$dynamicAnchor":"5x","type":"nonsense"}`,
	"a recursive ref":   `{"$recursiveRef":"#"}`,
	"a dead ref":        `{"$ref":"#/nowhere"}`,
	"another document":  `{"$ref":"https://example.com/x.json"}`,
	"a discriminator":   `{"discriminator":{"propertyName":"kind"},"oneOf":[{"properties":{"kind":{"const":"a"}}}]}`,
	"two addresses":     `[{"$id":"https://example.com/x"},{"$id":"https://example.com/x"}]`,
	"two anchors":       `[{"$anchor":"x"},{"$anchor":"x"}]`,
	"a list of schemas": `[{"$schema":"https://charts.example/v5.json"},{"$recursiveRef":"#"}]`,
}

// TestDataIsNotASchema: what stands in an instance, or in a keyword that nobody knows, is never compiled, refused, or followed.
func TestDataIsNotASchema(t *testing.T) {
	for what, value := range looksLikeSchemas {
		for _, form := range []string{
			`{"default":%s}`, `{"const":%s}`, `{"enum":[%s]}`, `{"examples":[%s]}`, `{"example":%s}`, `{"properties":{"a":{"default":%s}}}`,
			`{"discriminator":{"propertyName":"kind","mapping":{"a":%s}}}`, `{"x-note":%s}`, `{"unheardOf":{"deep":[%s]}}`,
			`{"allOf":[{"items":{"prefixItems":[{"examples":[%s]}]}}]}`,
		} {
			if _, err := Compile([]byte(fmt.Sprintf(form, value))); err != nil {
				t.Errorf("%s as data: %s: %v", what, form, err)
			}
		}
	}
}

// TestPropertiesMayBeCalledLikeKeywords: names of members are not keywords.
func TestPropertiesMayBeCalledLikeKeywords(t *testing.T) {
	names := slices.Concat(slices.Collect(maps.Keys(vocabulary)), []string{
		"$schema", "$id", "$ref", "$anchor", "$dynamicRef", "$dynamicAnchor", "$recursiveRef", "$recursiveAnchor", "$vocabulary", "$comment",
		"type", "required", "pattern", "format", "title", "properties",
	})
	for _, name := range names {
		for _, holder := range []string{"properties", "$defs", "dependentSchemas"} {
			s := mustCompile(t, fmt.Sprintf(`{%q:{%q:{"type":["object","string"],"properties":{"in":{"default":1}}}}}`, holder, name))
			body := fmt.Sprintf(`{%q:{}}`, name)
			if _, vs, _ := s.Check(t.Context(), []byte(body)); vs != nil {
				t.Errorf("%s in %s: %s", name, holder, lines(t, vs))
			}
		}
		got, _, _ := mustCompile(t, fmt.Sprintf(`{"properties":{%q:{"default":{"%s":7}}}}`, name, name)).Check(t.Context(), []byte(`{}`))
		if diff := cmp.Diff(any(map[string]any{name: map[string]any{name: int64(7)}}), got); diff != "" {
			t.Errorf("default of %s: %s", name, diff)
		}
	}
}

// TestVocabularyIsTheCompilers: the compiler knows an anchor where the vocabulary says that schemas are, and nowhere else; and
// what is wrong with a schema is seen there.
func TestVocabularyIsTheCompilers(t *testing.T) {
	for _, holder := range []string{ // of the draft's applicators, and of older ones
		"$defs", "definitions", "allOf", "anyOf", "oneOf", "not", "if", "then", "else", "properties", "patternProperties",
		"additionalProperties", "propertyNames", "unevaluatedProperties", "dependentSchemas", "dependencies", "prefixItems", "items",
		"additionalItems", "contains", "unevaluatedItems", "contentSchema",
	} {
		if holds := Holding(holder); holds == HoldsNothing || holds == HoldsData {
			t.Errorf("%s holds no schema", holder)
		}
	}
	keywords := maps.Clone(vocabulary)
	for _, unknown := range []string{"x-schema", "components", "title", "$comment", "unheardOf", "xml", "externalDocs"} {
		keywords[unknown] = HoldsNothing
	}
	forms := map[Holds]string{HoldsSchema: `%s`, HoldsList: `[%s]`, HoldsNamed: `{"name":%s}`}
	for keyword, holds := range keywords {
		form := forms[holds]
		if form == "" {
			form = `[[%s]]`
		}
		if keyword == "title" || keyword == "$comment" {
			continue // texts
		}
		within := func(schema string) error {
			_, err := Compile([]byte(fmt.Sprintf(`{"if":{%q:%s},"else":{"items":{"$ref":"#there"}}}`, keyword, fmt.Sprintf(form, schema))))
			return err
		}
		known := within(`{"$anchor":"there"}`) == nil
		if want := forms[holds] != ""; known != want {
			t.Errorf("%s: an anchor in it is known: %t, want %t", keyword, known, want)
		}
		if forms[holds] == "" {
			continue
		}
		e, ok := errors.AsType[*Error](within(`{"$anchor":"there","$schema":"https://charts.example/v5.json"}`))
		if !ok || !strings.Contains(e.Reason, "only") {
			t.Errorf("%s: another draft in it: %v", keyword, e)
		}
	}
}

// TestReferencesMakeSchemas: a schema may stand in a keyword that nobody knows, if a reference leads there, but not in data.
func TestReferencesMakeSchemas(t *testing.T) {
	const all = `{"$ref":"#/components/schemas/A","components":{"schemas":{"A":{"properties":{"b":{"$ref":"#/components/schemas/B"}}},"B":%s}}}`
	for name, tt := range map[string]struct{ schema, pointer, reason string }{
		"sound":         {fmt.Sprintf(all, `{"type":"integer","default":1}`), "", ""},
		"another draft": {fmt.Sprintf(all, `{"$schema":"http://json-schema.org/draft-07/schema#"}`), "/components/schemas/B/$schema", "only"},
		"dead":          {fmt.Sprintf(all, `{"$ref":"#/components/schemas/C"}`), "/components/schemas/B/$ref", "points at nothing"},
		"in a resource": {`{"$defs":{"r":{"$id":"https://example.com/r","$ref":"#/x/a","x":{"a":{"$recursiveRef":"#"}}}}}`, "/$defs/r/x/a/$recursiveRef", "not part of"},
		"never used":    {`{"$defs":{"a":{"properties":{"b":{"$ref":"#/$defs/c"}}}}}`, "/$defs/a/properties/b/$ref", "points at nothing"},
		"never loaded":  {`{"$defs":{"a":{"$ref":"https://example.com/x.json"}}}`, "/$defs/a/$ref", "another document"},
		"a default":     {`{"properties":{"a":{"default":{"type":"string"}},"b":{"$ref":"#/properties/a/default"}}}`, "/properties/b/$ref", "data"},
		"an example":    {`{"examples":[{"a":{}}],"items":{"$ref":"#/examples/0/a"}}`, "/items/$ref", "data"},
		"a default that looks like a schema": {
			`{"properties":{"a":{"default":{"$schema":"http://charts.example/v5.json"}},"b":{"$ref":"#/properties/a/default"}}}`, "/properties/b/$ref", "data",
		},
		"an example behind another": {
			`{"properties":{"a":{"examples":[{"$ref":"#/nowhere"}]},"b":{"$ref":"#/properties/a/examples/0"}}}`, "/properties/b/$ref", "data",
		},
		"a property that is called default": {
			`{"properties":{"default":{"type":"string"},"b":{"$ref":"#/properties/default"}}}`, "", "",
		},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Compile([]byte(tt.schema))
			e, failed := errors.AsType[*Error](err)
			if failed != (tt.reason != "") || failed && (e.Pointer != tt.pointer || !strings.Contains(e.Reason, tt.reason)) {
				t.Errorf("got %v, want %q %q", err, tt.pointer, tt.reason)
			}
		})
	}
}

// TestOutlineHasAllThatIsCompiled: no schema is compiled that the walks over its text have not seen.
func TestOutlineHasAllThatIsCompiled(t *testing.T) {
	const text = `{"$ref":"#/x/a","x":{"a":{"not":{"$ref":"#/y"}}},"y":{"items":{"if":true,"then":{"$ref":"deep#/z/1"}}},
		"$defs":{"d":{"$id":"deep","z":[{},{"contains":{"$dynamicAnchor":"n","$dynamicRef":"#n"}}]}}}`
	doc, err := parse([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	root, anchored, err := compile(doc, settings{}, &patterns{})
	if err != nil {
		t.Fatal(err)
	}
	g, err := newGraph(root, anchored)
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range g.nodes {
		if at := pointerOf(n.schema.Location); n.schema.Bool == nil && !doc.IsSchema(at) {
			t.Errorf("%s is compiled, but not in the outline", at)
		}
	}
	if len(g.nodes) < 8 {
		t.Errorf("only %d schemas", len(g.nodes))
	}
}
