package schema_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/llmservice/llmservice/runtime/schema"
)

// What a response does not promise is not sent.
func TestCheckResponseDropsWhatIsNotNamed(t *testing.T) {
	const cat = `{"type": "object", "required": ["kind"], "properties": {"kind": {"const": "cat"}, "lives": {"type": "integer"}}}`
	const dog = `{"type": "object", "required": ["kind"], "properties": {"kind": {"const": "dog"}, "good": {"type": "boolean"}}}`
	for name, c := range map[string]struct{ schema, sent, want string }{
		"a member":                {`{"properties": {"id": {}}}`, `{"id": 1, "secret": "internal"}`, `{"id":1}`},
		"nothing":                 {`{"properties": {"id": {}}}`, `{ "id": 1.0 }`, `{ "id": 1.0 }`},
		"a number kept":           {`{"properties": {"id": {}}}`, `{"id": 12345678901234567890, "x": 1}`, `{"id":12345678901234567890}`},
		"all":                     {`{"type": "object", "properties": {}}`, `{"x": 1}`, `{}`},
		"of any object":           {`{"type": "object"}`, `{"x": {"y": 1}}`, `{"x": {"y": 1}}`},
		"of one required":         {`{"required": ["id"]}`, `{"id": 1, "x": 1}`, `{"id": 1, "x": 1}`},
		"required and not listed": {`{"required": ["id"], "properties": {"a": {}}}`, `{"id": 1, "a": 1, "x": 1}`, `{"a":1,"id":1}`},
		"required by a branch": {
			`{"properties": {"a": {}}, "anyOf": [{"required": ["b"]}, {"required": ["c"]}]}`, `{"a": 1, "c": 1, "x": 1}`, `{"a":1,"c":1}`,
		},
		"required by another":   {`{"properties": {"a": {}}, "dependentRequired": {"a": ["b"]}}`, `{"a": 1, "b": 1, "x": 1}`, `{"a":1,"b":1}`},
		"of any value":          {`true`, `{"x": 1}`, `{"x": 1}`},
		"deeper":                {`{"properties": {"a": {"properties": {"b": {}}}}}`, `{"a": {"b": 1, "c": 2}}`, `{"a":{"b":1}}`},
		"in items":              {`{"items": {"properties": {"b": {}}}}`, `[{"b": 1, "c": 2}, 3, {"b": 4}]`, `[{"b":1},3,{"b":4}]`},
		"in a tuple":            {`{"prefixItems": [true, {"properties": {"b": {}}}]}`, `[{"c": 2}, {"c": 2}, {"c": 2}]`, `[{"c":2},{},{"c":2}]`},
		"by pattern":            {`{"patternProperties": {"^x-": {"properties": {"b": {}}}}}`, `{"x-a": {"c": 1}, "y": 1}`, `{"x-a":{}}`},
		"others allowed":        {`{"properties": {"id": {}}, "additionalProperties": true}`, `{"id": 1, "x": 1}`, `{"id": 1, "x": 1}`},
		"others described":      {`{"additionalProperties": {"properties": {"b": {}}}}`, `{"x": {"b": 1, "c": 1}}`, `{"x":{"b":1}}`},
		"unevaluated described": {`{"properties": {"id": {}}, "unevaluatedProperties": {"type": "integer"}}`, `{"id": 1, "x": 1}`, `{"id": 1, "x": 1}`},
		"by a reference":        {`{"$ref": "#/$defs/a", "$defs": {"a": {"properties": {"b": {}}}}}`, `{"b": 1, "c": 1}`, `{"b":1}`},
		"of a tree": {
			`{"properties": {"sub": {"type": "array", "items": {"$ref": "#"}}}}`,
			`{"x": 1, "sub": [{"x": 1, "sub": [{"x": 1}]}]}`, `{"sub":[{"sub":[{}]}]}`,
		},
		"by all of": {`{"allOf": [{"properties": {"a": {}}}, {"properties": {"b": {}}}]}`, `{"a": 1, "b": 1, "c": 1}`, `{"a":1,"b":1}`},
		"named by two": {
			`{"properties": {"a": {}}, "allOf": [{"properties": {"a": {"properties": {"b": {}}}}}]}`,
			`{"a": {"b": 1, "c": 1}}`, `{"a":{"b":1}}`,
		},
		"of a branch":           {`{"oneOf": [` + cat + `, ` + dog + `]}`, `{"kind": "dog", "lives": 9, "good": true}`, `{"good":true,"kind":"dog"}`},
		"of none":               {`{"anyOf": [{"properties": {"a": {}}}, {"type": "null"}]}`, `null`, `null`},
		"of a nullable":         {`{"anyOf": [{"properties": {"a": {}}}, {"type": "null"}]}`, `{"b": 1}`, `{}`},
		"the fullest branch":    {`{"anyOf": [{"properties": {"a": {}}}, {"properties": {"a": {}, "b": {}}}]}`, `{"a": 1, "b": 1, "c": 1}`, `{"a":1,"b":1}`},
		"the first branch":      {`{"anyOf": [{"properties": {"a": {}}}, {"properties": {"b": {}}}]}`, `{"a": 1, "b": 1}`, `{"a":1}`},
		"a branch of any":       {`{"anyOf": [{"properties": {"a": {}}}, {"type": "object"}]}`, `{"a": 1, "b": 1}`, `{"a":1}`},
		"a branch of any first": {`{"anyOf": [{"type": "object"}, {"properties": {"a": {}}}]}`, `{"a": 1, "b": 1}`, `{"a": 1, "b": 1}`},
		"a branch of any number": {
			`{"anyOf": [{"properties": {"a": {}}}, {"type": "object", "additionalProperties": {"type": "integer"}}]}`,
			`{"a": 1, "b": 1}`, `{"a": 1, "b": 1}`,
		},
		"a branch of anything": {
			`{"anyOf": [{"properties": {"a": {}}}, {"type": "object", "additionalProperties": {}}]}`, `{"a": 1, "b": 1}`, `{"a":1}`,
		},
		"the fullest branch below": {
			`{"anyOf": [{"properties": {"a": {"properties": {"b": {}}}}}, {"properties": {"a": {"properties": {"b": {}, "c": {}}}}}]}`,
			`{"a": {"b": 1, "c": 1, "d": 1}}`, `{"a":{"b":1,"c":1}}`,
		},
		"the fullest list": {
			`{"anyOf": [{"items": {"properties": {"b": {}}}}, {"items": {"properties": {"b": {}, "c": {}}}}]}`,
			`[{"b": 1, "c": 1, "d": 1}]`, `[{"b":1,"c":1}]`,
		},
		"a list of any":  {`{"anyOf": [{"items": {"properties": {"b": {}}}}, {"type": "array"}]}`, `[{"b": 1, "c": 1}]`, `[{"b": 1, "c": 1}]`},
		"if":             {`{"if": {"properties": {"a": {"const": 1}}}, "then": {"properties": {"b": {}}}}`, `{"a": 1, "b": 1, "c": 1}`, `{"a":1,"b":1}`},
		"else":           {`{"if": {"properties": {"a": {"const": 1}}}, "else": {"properties": {"b": {}}}}`, `{"a": 2, "b": 1}`, `{"b":1}`},
		"dependent":      {`{"properties": {"a": {}}, "dependentSchemas": {"a": {"properties": {"b": {}}}}}`, `{"a": 1, "b": 1, "c": 1}`, `{"a":1,"b":1}`},
		"with a default": {`{"properties": {"a": {"default": 7}}}`, `{"b": 1}`, `{"a":7}`},
		"a dynamic reference": {
			`{"$ref": "tree", "$defs": {
				"tree": {"$id": "tree", "$dynamicAnchor": "node", "properties": {"sub": {"$dynamicRef": "#node"}}}}}`,
			`{"sub": {"sub": {"x": 1}}}`, `{"sub":{"sub":{}}}`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			s, err := schema.Compile([]byte(c.schema))
			if err != nil {
				t.Fatal(err)
			}
			got, violations, err := s.CheckResponse(t.Context(), []byte(c.sent), "response")
			if err != nil || len(violations) > 0 {
				t.Fatal(violations, err)
			}
			if diff := cmp.Diff(c.want, string(got)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// Unions within unions, each of which has more than one branch that fits, take no more work than their size.
func TestCheckResponseOfNestedUnions(t *testing.T) {
	s, err := schema.Compile([]byte(`{"anyOf": [
		{"properties": {"a": {"$ref": "#"}}, "required": ["a"]},
		{"properties": {"a": {"$ref": "#"}, "b": {}}, "required": ["a"]},
		{"type": "integer"}]}`))
	if err != nil {
		t.Fatal(err)
	}
	sent := strings.Repeat(`{"b":1,"a":`, 60) + "1" + strings.Repeat("}", 60)
	got, violations, err := s.CheckResponse(t.Context(), []byte(sent), "response")
	if err != nil || len(violations) > 0 || string(got) != sent {
		t.Error(string(got), violations, err)
	}
}
