package schema

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestEcho: where Pydantic has the type, the lines are what FastAPI 0.165 with Pydantic 2.14 answers to the like model and
// body.
func TestEcho(t *testing.T) {
	const model = `{"type":"object","additionalProperties":false,"required":["i"],"properties":{
		"i":{"type":"object","properties":{"a":{"type":"integer","default":1},"b":{"type":"string"}},"required":["b"]},
		"n":{"type":["integer","null"],"default":null}}}`
	tests := map[string]struct{ schema, body, want string }{
		"no body":   {model, ``, `{"type":"missing","loc":["body"],"msg":"Field required","input":null}`},
		"malformed": {model, `{`, `{"type":"json_invalid","loc":["body",1],"msg":"JSON decode error","input":{},"ctx":{"error":"Expecting property name enclosed in double quotes"}}`},
		"value and extra": {model, `{"i":{"b":1},"x":[1]}`, `{"type":"string_type","loc":["body","i","b"],"msg":"Input should be a valid string","input":1}
{"type":"extra_forbidden","loc":["body","x"],"msg":"Extra inputs are not permitted","input":[1]}`},
		"missing, without defaults": {model, `{"i":{}}`, `{"type":"missing","loc":["body","i","b"],"msg":"Field required","input":{}}`},
		"null":                      {model, `{"i":null}`, `{"type":"model_attributes_type","loc":["body","i"],"msg":"Input should be a valid dictionary or object to extract fields from","input":null}`},
		"name":                      {`{"propertyNames":{"minLength":3}}`, `{"a":1}`, `{"type":"string_too_short","loc":["body","a","[key]"],"msg":"String should have at least 3 characters","input":"a","ctx":{"min_length":3}}`},
		"a member called [key]":     {`{"properties":{"[key]":{"type":"string"}}}`, `{"[key]":1}`, `{"type":"string_type","loc":["body","[key]"],"msg":"Input should be a valid string","input":1}`},
		"large":                     {`{"items":{"maxLength":1}}`, `["` + strings.Repeat("a", MaxInputBytes) + `"]`, `{"type":"string_too_long","loc":["body",0],"msg":"String should have at most 1 character","ctx":{"max_length":1}}`},
		"as large as may be":        {`{"maxLength":1}`, `"` + strings.Repeat("a", MaxInputBytes-2) + `"`, `{"type":"string_too_long","loc":["body"],"msg":"String should have at most 1 character","input":"` + strings.Repeat("a", MaxInputBytes-2) + `","ctx":{"max_length":1}}`},
		"large object":              {`{"required":["x"]}`, `{"a":[` + strings.Repeat("[],", MaxInputBytes) + `1]}`, `{"type":"missing","loc":["body","x"],"msg":"Field required"}`},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			s, err := Compile([]byte(tt.schema), EchoInputs())
			if err != nil {
				t.Fatal(err)
			}
			_, vs, _ := s.Check(t.Context(), []byte(tt.body))
			if diff := cmp.Diff(tt.want+"\n", lines(t, vs)); diff != "" {
				t.Error(diff)
			}
			_, vs, _ = mustCompile(t, tt.schema).Check(t.Context(), []byte(tt.body))
			if strings.Contains(lines(t, vs), `"input"`) {
				t.Errorf("echoed without being asked: %s", lines(t, vs))
			}
		})
	}
}

// TestEchoOfParameters: a parameter's input is its text, as in FastAPI.
func TestEchoOfParameters(t *testing.T) {
	const number, list = `{"type":"integer","minimum":3}`, `{"type":"array","items":{"type":"integer"},"minItems":2}`
	tests := map[string]struct {
		schema string
		values []string
		want   string
	}{
		"value":   {number, []string{"1"}, `{"type":"greater_than_equal","loc":["query","p"],"msg":"Input should be greater than or equal to 3","input":"1","ctx":{"ge":3}}`},
		"text":    {number, []string{"x"}, `{"type":"int_parsing","loc":["query","p"],"msg":"Input should be a valid integer, unable to parse string as an integer","input":"x"}`},
		"missing": {number, nil, `{"type":"missing","loc":["query","p"],"msg":"Field required","input":null}`},
		"list":    {list, []string{"1"}, `{"type":"too_short","loc":["query","p"],"msg":"List should have at least 2 items after validation, not 1","input":["1"],"ctx":{"actual_length":1,"field_type":"List","min_length":2}}`},
		"item":    {list, []string{"1", "y"}, `{"type":"int_parsing","loc":["query","p",1],"msg":"Input should be a valid integer, unable to parse string as an integer","input":"y"}`},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			_, vs, _ := mustParameter(t, tt.schema, Query, true, EchoInputs()).Parse(NewWorkBudget(t.Context()), tt.values)
			if diff := cmp.Diff(tt.want+"\n", lines(t, vs)); diff != "" {
				t.Error(diff)
			}
		})
	}
}
