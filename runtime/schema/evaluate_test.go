package schema

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/llmservice/llmservice/runtime/problem"
)

// byLibrary is what the compiler's own validator finds.
func byLibrary(s *Schema, doc document, text []byte) []problem.Violation {
	err := s.compiled.Validate(doc.value)
	if err == nil {
		return nil
	}
	f := finder{root: doc.value, text: text, at: inBody, origins: s.origins}
	e, _ := errors.AsType[*jsonschema.ValidationError](err)
	return f.all(s.compiled, e)
}

// agree reports whether both find the same, in words and order. Names' locations the library gets wrong.
func agree(t *testing.T, s *Schema, text []byte, exactly bool) {
	t.Helper()
	doc, violation := read(nil, text, inBody)
	if violation != nil {
		return
	}
	want := byLibrary(s, doc, text)
	_, got, err := s.check(NewWorkBudget(t.Context()), doc, text, inBody)
	if err != nil || (len(got) == 0) != (len(want) == 0) {
		t.Errorf("%.200s: %v, the library says %v", text, got, want)
	}
	if exactly && lines(t, got) != lines(t, want) {
		t.Errorf("%.200s:\n%s the library says\n%s", text, lines(t, got), lines(t, want))
	}
}

// TestEvaluationAgreesWithTheLibrary on every case of the official suite, each value under the schemas of its whole file.
func TestEvaluationAgreesWithTheLibrary(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(suite(t), "*.json"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var groups []suiteGroup
		if err := json.Unmarshal(text, &groups); err != nil {
			t.Fatal(err)
		}
		for _, group := range groups {
			s, err := Compile(group.Schema)
			if err != nil || s.fill != nil {
				continue
			}
			for _, other := range groups {
				for _, c := range other.Tests {
					agree(t, s, c.Data, !strings.Contains(string(group.Schema), "propertyNames"))
				}
			}
		}
	}
}

// FuzzEvaluation holds schemas and bodies of any kind against the library's validator.
func FuzzEvaluation(f *testing.F) {
	for _, seed := range []string{
		`{"type":"object","required":["a"],"properties":{"a":{"type":["integer","null"],"minimum":1,"multipleOf":0.5},"b":{"enum":[1,"x",null,[1]]}},"additionalProperties":false}`,
		`{"oneOf":[{"required":["a"]},{"properties":{"b":{"const":1}},"required":["b"]},{"anyOf":[{"minLength":2},{"maxItems":1,"items":{"type":"string"}}]}]}`,
		`{"allOf":[{"properties":{"a":true}},{"patternProperties":{"^b":true}}],"unevaluatedProperties":{"type":"integer"},"if":{"required":["c"]},"then":{"properties":{"c":true}},"else":{"required":["d"]}}`,
		`{"prefixItems":[{"type":"integer"}],"items":{"not":{"type":"null"}},"contains":{"const":1},"minContains":1,"maxContains":2,"uniqueItems":true,"unevaluatedItems":false}`,
		`{"$ref":"#/$defs/n","$defs":{"n":{"properties":{"a":{"$ref":"#/$defs/n"}},"dependentRequired":{"a":["b"]},"dependentSchemas":{"b":{"minProperties":2}}}}}`,
		`{"anyOf":[{"contains":{"type":"string"}},{"prefixItems":[true,{"type":"string"}]}],"unevaluatedItems":false}`, smallSchema,
		`{"$dynamicAnchor":"n","properties":{"a":{"$dynamicRef":"#n"}},"$ref":"https://json-schema.org/draft/2020-12/schema"}`,
	} {
		for _, body := range []string{`{"a":1,"b":1}`, `{"a":{"a":{}},"bb":null,"c":[]}`, `[1,"x",null,[1],1.0]`, `["a"]`, `"é"`, `0.25`, `{}`, `null`, `{"type":1,"properties":{"x":[]}}`} {
			f.Add([]byte(seed), []byte(body))
		}
	}
	f.Fuzz(func(t *testing.T, schema, body []byte) {
		if len(schema) > 1500 || len(body) > 500 || strings.Contains(string(schema), "propertyNames") || strings.Contains(string(schema), "$dynamicRef") && len(schema) > 200 {
			t.Skip()
		}
		s, err := Compile(schema)
		if err != nil || s.fill != nil {
			return
		}
		agree(t, s, body, true)
	})
}
