package schema

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/llmservice/llmservice/runtime/pattern"
	"github.com/llmservice/llmservice/runtime/problem"
)

func mustCompile(t testing.TB, raw string) *Schema {
	t.Helper()
	s, err := Compile([]byte(raw))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// lines writes violations as FastAPI's detail, one a line, so that a difference is easy to read.
func lines(t testing.TB, vs []problem.Violation) string {
	t.Helper()
	var b strings.Builder
	for _, v := range vs {
		text, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		b.Write(text)
		b.WriteByte('\n')
	}
	return b.String()
}

// TestViolations: one case for every keyword. Where Pydantic knows the type, the lines are what FastAPI 0.165 with
// Pydantic 2.14 answers to the like model and body, without `input`.
func TestViolations(t *testing.T) {
	tests := map[string]struct{ schema, body, want string }{
		"string":   {`{"type":"string"}`, `1`, `{"type":"string_type","loc":["body"],"msg":"Input should be a valid string"}`},
		"integer":  {`{"type":"integer"}`, `"1"`, `{"type":"int_type","loc":["body"],"msg":"Input should be a valid integer"}`},
		"fraction": {`{"type":"integer"}`, `1.5`, `{"type":"int_from_float","loc":["body"],"msg":"Input should be a valid integer, got a number with a fractional part"}`},
		"number":   {`{"type":"number"}`, `[]`, `{"type":"float_type","loc":["body"],"msg":"Input should be a valid number"}`},
		"boolean":  {`{"type":"boolean"}`, `0`, `{"type":"bool_type","loc":["body"],"msg":"Input should be a valid boolean"}`},
		"array":    {`{"type":"array"}`, `{}`, `{"type":"list_type","loc":["body"],"msg":"Input should be a valid list"}`},
		"object":   {`{"type":"object"}`, `[]`, `{"type":"dict_type","loc":["body"],"msg":"Input should be a valid dictionary"}`},
		"null":     {`{"type":"null"}`, `0`, `{"type":"none_required","loc":["body"],"msg":"Input should be None"}`},
		"nullable": {`{"type":["string","null"]}`, `0`, `{"type":"string_type","loc":["body"],"msg":"Input should be a valid string"}`},
		"types": {`{"type":["string","integer"]}`, `1.5`, `{"type":"int_from_float","loc":["body"],"msg":"Input should be a valid integer, got a number with a fractional part"}
{"type":"string_type","loc":["body"],"msg":"Input should be a valid string"}`},

		"enum":         {`{"enum":["a","b","c"]}`, `"z"`, `{"type":"literal_error","loc":["body"],"msg":"Input should be 'a', 'b' or 'c'","ctx":{"expected":"'a', 'b' or 'c'"}}`},
		"enum of many": {`{"enum":[1,true,null,"it's",[1]]}`, `"z"`, `{"type":"literal_error","loc":["body"],"msg":"Input should be 1, True, None, \"it's\" or [1]","ctx":{"expected":"1, True, None, \"it's\" or [1]"}}`},
		"const":        {`{"const":"a"}`, `"z"`, `{"type":"literal_error","loc":["body"],"msg":"Input should be 'a'","ctx":{"expected":"'a'"}}`},

		"required": {`{"required":["a","b"]}`, `{}`, `{"type":"missing","loc":["body","a"],"msg":"Field required"}
{"type":"missing","loc":["body","b"],"msg":"Field required"}`},
		"dependentRequired": {`{"dependentRequired":{"a":["b"]}}`, `{"a":1}`, `{"type":"missing","loc":["body","b"],"msg":"Field required"}`},
		"dependencies":      {`{"dependencies":{"a":["b"]}}`, `{"a":1}`, `{"type":"missing","loc":["body","b"],"msg":"Field required"}`},
		"dependentSchemas":  {`{"dependentSchemas":{"a":{"required":["b"]}}}`, `{"a":1}`, `{"type":"missing","loc":["body","b"],"msg":"Field required"}`},
		"additionalProperties": {`{"properties":{"a":true},"additionalProperties":false}`, `{"a":1,"c":1,"b":1}`, `{"type":"extra_forbidden","loc":["body","c"],"msg":"Extra inputs are not permitted"}
{"type":"extra_forbidden","loc":["body","b"],"msg":"Extra inputs are not permitted"}`},
		"additionalProperties with a schema": {`{"additionalProperties":{"type":"integer"}}`, `{"a":[]}`, `{"type":"int_type","loc":["body","a"],"msg":"Input should be a valid integer"}`},
		"unevaluatedProperties":              {`{"properties":{"a":true},"unevaluatedProperties":false}`, `{"a":1,"b":1}`, `{"type":"extra_forbidden","loc":["body","b"],"msg":"Extra inputs are not permitted"}`},
		"unevaluatedItems":                   {`{"prefixItems":[true],"unevaluatedItems":false}`, `[1,2]`, `{"type":"extra_forbidden","loc":["body",1],"msg":"Extra inputs are not permitted"}`},
		"false":                              {`{"properties":{"a":false}}`, `{"a":1}`, `{"type":"extra_forbidden","loc":["body","a"],"msg":"Extra inputs are not permitted"}`},
		"propertyNames":                      {`{"propertyNames":{"minLength":3}}`, `{"a":1,"abc":1}`, `{"type":"string_too_short","loc":["body","a","[key]"],"msg":"String should have at least 3 characters","ctx":{"min_length":3}}`},
		"patternProperties":                  {`{"patternProperties":{"^a":{"type":"string"}}}`, `{"a1":1,"b":1}`, `{"type":"string_type","loc":["body","a1"],"msg":"Input should be a valid string"}`},

		"minLength":     {`{"minLength":3}`, `"éé"`, `{"type":"string_too_short","loc":["body"],"msg":"String should have at least 3 characters","ctx":{"min_length":3}}`},
		"minLength one": {`{"minLength":1}`, `""`, `{"type":"string_too_short","loc":["body"],"msg":"String should have at least 1 character","ctx":{"min_length":1}}`},
		"maxLength":     {`{"maxLength":5}`, `"aaaaaa"`, `{"type":"string_too_long","loc":["body"],"msg":"String should have at most 5 characters","ctx":{"max_length":5}}`},
		"pattern":       {`{"pattern":"^a$"}`, `"zz"`, `{"type":"string_pattern_mismatch","loc":["body"],"msg":"String should match pattern '^a$'","ctx":{"pattern":"^a$"}}`},

		"minimum":          {`{"minimum":1}`, `0`, `{"type":"greater_than_equal","loc":["body"],"msg":"Input should be greater than or equal to 1","ctx":{"ge":1}}`},
		"minimum fraction": {`{"minimum":1.25}`, `1`, `{"type":"greater_than_equal","loc":["body"],"msg":"Input should be greater than or equal to 1.25","ctx":{"ge":1.25}}`},
		"exclusiveMinimum": {`{"exclusiveMinimum":1}`, `1`, `{"type":"greater_than","loc":["body"],"msg":"Input should be greater than 1","ctx":{"gt":1}}`},
		"maximum":          {`{"maximum":5}`, `6`, `{"type":"less_than_equal","loc":["body"],"msg":"Input should be less than or equal to 5","ctx":{"le":5}}`},
		"exclusiveMaximum": {`{"exclusiveMaximum":5}`, `5`, `{"type":"less_than","loc":["body"],"msg":"Input should be less than 5","ctx":{"lt":5}}`},
		"multipleOf":       {`{"multipleOf":5}`, `7`, `{"type":"multiple_of","loc":["body"],"msg":"Input should be a multiple of 5","ctx":{"multiple_of":5}}`},

		"minItems":      {`{"minItems":2}`, `[1]`, `{"type":"too_short","loc":["body"],"msg":"List should have at least 2 items after validation, not 1","ctx":{"actual_length":1,"field_type":"List","min_length":2}}`},
		"maxItems":      {`{"maxItems":3}`, `[1,2,3,4]`, `{"type":"too_long","loc":["body"],"msg":"List should have at most 3 items after validation, not 4","ctx":{"actual_length":4,"field_type":"List","max_length":3}}`},
		"minProperties": {`{"minProperties":1}`, `{}`, `{"type":"too_short","loc":["body"],"msg":"Dictionary should have at least 1 item after validation, not 0","ctx":{"actual_length":0,"field_type":"Dictionary","min_length":1}}`},
		"maxProperties": {`{"maxProperties":1}`, `{"a":1,"b":2}`, `{"type":"too_long","loc":["body"],"msg":"Dictionary should have at most 1 item after validation, not 2","ctx":{"actual_length":2,"field_type":"Dictionary","max_length":1}}`},
		"uniqueItems":   {`{"uniqueItems":true}`, `[1,2,1.0]`, `{"type":"items_not_unique","loc":["body"],"msg":"List items 0 and 2 should not be equal","ctx":{"first":0,"second":2}}`},
		"contains":      {`{"contains":{"const":1}}`, `[2]`, `{"type":"contains_too_few","loc":["body"],"msg":"List should have at least 1 matching item, not 0","ctx":{"actual_matches":0,"min_matches":1}}`},
		"minContains":   {`{"contains":{"const":1},"minContains":2}`, `[1]`, `{"type":"contains_too_few","loc":["body"],"msg":"List should have at least 2 matching items, not 1","ctx":{"actual_matches":1,"min_matches":2}}`},
		"maxContains":   {`{"contains":{"const":1},"maxContains":1}`, `[1,1]`, `{"type":"contains_too_many","loc":["body"],"msg":"List should have at most 1 matching item, not 2","ctx":{"actual_matches":2,"max_matches":1}}`},
		"prefixItems":   {`{"prefixItems":[{"type":"integer"}],"items":false}`, `[null,2]`, `{"type":"too_long","loc":["body"],"msg":"Tuple should have at most 1 item after validation, not 2","ctx":{"actual_length":2,"field_type":"Tuple","max_length":1}}`},

		"not":       {`{"not":{"type":"string"}}`, `"a"`, `{"type":"not_allowed","loc":["body"],"msg":"Input should not match the forbidden form"}`},
		"oneOf two": {`{"oneOf":[{"type":"integer"},{"minimum":1}]}`, `2`, `{"type":"one_of_ambiguous","loc":["body"],"msg":"Input should match exactly one of the allowed forms, not several"}`},
		"allOf": {`{"allOf":[{"required":["a"]},{"required":["b"]}]}`, `{}`, `{"type":"missing","loc":["body","a"],"msg":"Field required"}
{"type":"missing","loc":["body","b"],"msg":"Field required"}`},
		"same twice":   {`{"allOf":[{"required":["a"]},{"required":["a"]}]}`, `{}`, `{"type":"missing","loc":["body","a"],"msg":"Field required"}`},
		"if then":      {`{"if":{"required":["a"]},"then":{"required":["b"]}}`, `{"a":1}`, `{"type":"missing","loc":["body","b"],"msg":"Field required"}`},
		"if else":      {`{"if":{"required":["a"]},"else":{"required":["b"]}}`, `{}`, `{"type":"missing","loc":["body","b"],"msg":"Field required"}`},
		"ref":          {`{"$ref":"#/$defs/n","$defs":{"n":{"minimum":1}}}`, `0`, `{"type":"greater_than_equal","loc":["body"],"msg":"Input should be greater than or equal to 1","ctx":{"ge":1}}`},
		"ref to an id": {`{"$ref":"n","$defs":{"n":{"$id":"n","minimum":1}}}`, `0`, `{"type":"greater_than_equal","loc":["body"],"msg":"Input should be greater than or equal to 1","ctx":{"ge":1}}`},
		"anchor":       {`{"$ref":"#n","$defs":{"n":{"$anchor":"n","minimum":1}}}`, `0`, `{"type":"greater_than_equal","loc":["body"],"msg":"Input should be greater than or equal to 1","ctx":{"ge":1}}`},

		"anyOf of types": {`{"anyOf":[{"type":"integer"},{"type":"string"}]}`, `[]`, `{"type":"int_type","loc":["body"],"msg":"Input should be a valid integer"}
{"type":"string_type","loc":["body"],"msg":"Input should be a valid string"}`},
		"anyOf with null": {`{"anyOf":[{"type":"integer"},{"type":"null"}]}`, `{}`, `{"type":"int_type","loc":["body"],"msg":"Input should be a valid integer"}`},
		"anyOf, the branch of the right type": {
			`{"anyOf":[{"type":"string"},{"type":"array","items":{"type":"integer"}}]}`, `[1,{}]`,
			`{"type":"int_type","loc":["body",1],"msg":"Input should be a valid integer"}`,
		},
		"oneOf, the branch with the right tag": {
			`{"oneOf":[{"properties":{"type":{"const":"text"}},"required":["text"]},{"properties":{"type":{"const":"url"}},"required":["url"]}]}`, `{"type":"url"}`,
			`{"type":"missing","loc":["body","url"],"msg":"Field required"}`,
		},
		"oneOf, no such tag": {
			`{"oneOf":[{"properties":{"type":{"const":"text"}}},{"properties":{"type":{"const":"url"}}}]}`, `{"type":"x"}`,
			`{"type":"literal_error","loc":["body","type"],"msg":"Input should be 'text'","ctx":{"expected":"'text'"}}
{"type":"literal_error","loc":["body","type"],"msg":"Input should be 'url'","ctx":{"expected":"'url'"}}`,
		},

		"index and name": {`{"properties":{"0":{"items":{"type":"string"}}}}`, `{"0":["a",1]}`, `{"type":"string_type","loc":["body","0",1],"msg":"Input should be a valid string"}`},
		"sorted": {
			`{"properties":{"b":{"type":"string"},"a":{"items":{"type":"string"}}},"required":["c"]}`, `{"b":1,"a":[1,"",2,"","","","","","","",3]}`,
			`{"type":"missing","loc":["body","c"],"msg":"Field required"}
{"type":"string_type","loc":["body","a",0],"msg":"Input should be a valid string"}
{"type":"string_type","loc":["body","a",2],"msg":"Input should be a valid string"}
{"type":"string_type","loc":["body","a",10],"msg":"Input should be a valid string"}
{"type":"string_type","loc":["body","b"],"msg":"Input should be a valid string"}`,
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			s := mustCompile(t, tt.schema)
			for range 5 { // the validator walks maps in random order
				value, vs, _ := s.Check(t.Context(), []byte(tt.body))
				if diff := cmp.Diff(tt.want+"\n", lines(t, vs)); diff != "" {
					t.Fatal(diff)
				}
				if value != nil {
					t.Errorf("got a value with the violations: %v", value)
				}
			}
		})
	}
}

// TestNamesAtTheirObject: jsonschema v6.0.3 on its own gives propertyNames errors the path of a sibling.
func TestNamesAtTheirObject(t *testing.T) {
	s := mustCompile(t, `{"properties":{"a":{"properties":{"x":{"propertyNames":{"maxLength":2}},"y":{"type":"integer"}}},"b":true}}`)
	for range 20 {
		_, vs, _ := s.Check(t.Context(), []byte(`{"a":{"x":{"long":1},"y":1},"b":{}}`))
		want := `{"type":"string_too_long","loc":["body","a","x","long","[key]"],"msg":"String should have at most 2 characters","ctx":{"max_length":2}}` + "\n"
		if diff := cmp.Diff(want, lines(t, vs)); diff != "" {
			t.Fatal(diff)
		}
	}
}

func TestFormatIsAnAnnotation(t *testing.T) {
	s := mustCompile(t, `{"format":"email","contentMediaType":"application/json"}`)
	if _, vs, _ := s.Check(t.Context(), []byte(`"not an address"`)); vs != nil {
		t.Errorf("got %v", vs)
	}
}

func TestAnswersAreBounded(t *testing.T) {
	values := make([]string, 2000)
	for i := range values {
		values[i] = fmt.Sprintf("value-%d", i)
	}
	enum, _ := json.Marshal(values)
	s := mustCompile(t, `{"additionalProperties":{"items":{"enum":`+string(enum)+`}}}`)
	body := `{"` + strings.Repeat("é", 10_000) + `":[` + strings.Repeat("1,", 999) + `1]}`
	_, vs, _ := s.Check(t.Context(), []byte(body))
	if len(vs) != MaxViolations {
		t.Fatalf("%d violations, want %d", len(vs), MaxViolations)
	}
	for i, v := range vs {
		if v.Loc[2] != i || len(v.Loc[1].(string)) > maxShownName+4 || len(v.Msg) > maxShownValues+100 {
			t.Fatalf("violation %d: %d bytes of name, %d of message, at %v", i, len(v.Loc[1].(string)), len(v.Msg), v.Loc[2])
		}
	}
}

func TestValue(t *testing.T) {
	tests := map[string]struct {
		body string
		want any
	}{
		"scalars":           {`["a",true,false,null]`, []any{"a", true, false, nil}},
		"empty":             {` {"a":[],"b":{}} `, map[string]any{"a": []any{}, "b": map[string]any{}}},
		"integers":          {`[0,-0,1,-9223372036854775808,9223372036854775807]`, []any{int64(0), int64(0), int64(1), int64(math.MinInt64), int64(math.MaxInt64)}},
		"numbers":           {`[1.0,1e2,0.1,-2.5E-1,0.0e5]`, []any{1.0, 100.0, 0.1, -0.25, 0.0}},
		"over int64":        {`[9223372036854775808]`, []any{9223372036854775808.0}},
		"over float64":      {`{"a":[0.12345678901234567890]}`, map[string]any{"a": []any{0.12345678901234568}}},
		"smallest":          {`[1e-400]`, []any{0.0}},
		"escapes":           {`["\u00e9\ud83d\ude00\n"]`, []any{"é😀\n"}},
		"same name at odds": {`{"a":{"a":1},"b":{"a":2}}`, map[string]any{"a": map[string]any{"a": int64(1)}, "b": map[string]any{"a": int64(2)}}},
	}
	s := mustCompile(t, `{}`)
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got, vs, _ := s.Check(t.Context(), []byte(tt.body))
			if diff := cmp.Diff(tt.want, got); diff != "" || vs != nil {
				t.Error(diff, vs)
			}
			got, vs, _ = Decode(t.Context(), []byte(tt.body))
			if diff := cmp.Diff(tt.want, got); diff != "" || vs != nil {
				t.Error("Decode:", diff, vs)
			}
		})
	}
}

// TestNumbersAreExact: what CEL will see rounded is still checked as it was written.
func TestNumbersAreExact(t *testing.T) {
	tests := map[string]struct {
		schema, body string
		ok           bool
	}{
		"tenth":             {`{"multipleOf":0.1}`, `0.3`, true},
		"hundredth":         {`{"multipleOf":0.01}`, `4.35`, true},
		"large":             {`{"multipleOf":2}`, `9007199254740993`, false},
		"beyond int64":      {`{"multipleOf":2}`, `18446744073709551617`, false},
		"beyond int64, max": {`{"maximum":18446744073709551616}`, `18446744073709551617`, false},
		"long fraction":     {`{"maximum":0.1}`, `0.10000000000000000000001`, false},
		"whole fraction":    {`{"type":"integer"}`, `1.0`, true},
		"tiny":              {`{"exclusiveMinimum":0}`, `1e-400`, true},
		"enum":              {`{"enum":[1]}`, `1.0`, true},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if _, vs, _ := mustCompile(t, tt.schema).Check(t.Context(), []byte(tt.body)); (vs == nil) != tt.ok {
				t.Errorf("got %v", vs)
			}
		})
	}
}

func TestUnreadable(t *testing.T) {
	deep := func(n int) string { return strings.Repeat("[", n) + strings.Repeat("]", n) }
	tests := map[string]struct {
		body   string
		offset int
		reason string
	}{
		"open object":       {`{`, 1, "Expecting property name enclosed in double quotes"},
		"open string":       {`"a`, 0, "Unterminated string starting at"},
		"no name":           {`{1:2}`, 1, "Expecting property name enclosed in double quotes"},
		"trailing comma":    {`{"a":1,}`, 7, "Expecting property name enclosed in double quotes"},
		"two values":        {`{}x`, 2, "Extra data"},
		"two good values":   {`{} 1`, 3, "Extra data"},
		"white space":       {" \t\r\n", 4, "Expecting value"},
		"after wide ones":   {`["é😀" 1]`, 6, "Expecting ',' delimiter"},
		"wide duplicate":    {`{"é":1,"é":2}`, 7, "Duplicate name in object"},
		"no JSON too deep":  {`{"a":1,"a":` + strings.Repeat("[", 1<<20), 7, "Duplicate name in object"},
		"duplicate":         {`{"a":1,"a":2}`, 7, "Duplicate name in object"},
		"duplicate escaped": {`{"a":1,"\u0061":2}`, 7, "Duplicate name in object"},
		"duplicate below":   {`[{"b":{"a":1,"a":2}}]`, 13, "Duplicate name in object"},
		"bad UTF-8":         {"\"a\xff\"", 2, "Invalid UTF-8"},
		"lone surrogate":    {`"\ud800"`, 1, "Invalid UTF-8"},
		"too large":         {`1e309`, 5, "Number out of range"},
		"absurd exponent":   {`[1e999999999]`, 12, "Number out of range"},
		"absurd small":      {`[1e-999999999]`, 13, "Number out of range"},
		"long number":       {strings.Repeat("9", maxNumberBytes+1), maxNumberBytes + 1, "Number out of range"},
		"too deep":          {deep(MaxBodyDepth + 1), MaxBodyDepth + 1, "More than 64 levels deep"},
		"too many":          {"[" + strings.Repeat("1,", MaxBodyNodes) + "1]", 2*MaxBodyNodes - 2, "More than 200000 values"},
	}
	s := mustCompile(t, `{}`)
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			_, vs, _ := s.Check(t.Context(), []byte(tt.body))
			want := []problem.Violation{{
				Type: problem.TypeJSONInvalid, Loc: []any{"body", tt.offset}, Msg: "JSON decode error",
				Ctx: map[string]any{"error": tt.reason},
			}}
			if diff := cmp.Diff(want, vs); diff != "" {
				t.Error(diff)
			}
			if _, vs, _ := Decode(t.Context(), []byte(tt.body)); !cmp.Equal(want, vs) {
				t.Errorf("Decode says %v", vs)
			}
		})
	}
	for _, body := range []string{deep(MaxBodyDepth), "[" + strings.Repeat("1,", MaxBodyNodes-2) + "1]", strings.Repeat("9", maxNumberBytes)} {
		if _, vs, _ := s.Check(t.Context(), []byte(body)); vs != nil {
			t.Errorf("at the limit: %v", vs)
		}
	}
	want := []problem.Violation{{Type: "missing", Loc: []any{"body"}, Msg: "Field required"}}
	if _, vs, _ := s.Check(t.Context(), nil); !cmp.Equal(want, vs) {
		t.Errorf("no body: %v", vs)
	}
}

func TestCompileRefuses(t *testing.T) {
	tests := map[string]struct{ schema, pointer, reason string }{
		"not JSON":           {`{`, "", "not acceptable JSON at byte 1"},
		"duplicate":          {`{"a":{"b":1,"b":2}}`, "/a/b", "Duplicate name"},
		"too long":           {`"` + strings.Repeat("a", MaxSchemaBytes) + `"`, "", "at most 65536"},
		"too deep":           {strings.Repeat(`{"not":`, MaxSchemaDepth+1) + `{}` + strings.Repeat(`}`, MaxSchemaDepth+1), strings.Repeat("/not", MaxSchemaDepth), "levels deep"},
		"too many":           {`{"enum":[` + strings.Repeat("1,", MaxSchemaNodes) + `1]}`, fmt.Sprintf("/enum/%d", MaxSchemaNodes-3), "More than 4096 values"},
		"not a schema":       {`3`, "", "not valid in a schema"},
		"wrong type":         {`{"properties":{"a b":{"type":"strin"}}}`, "/properties/a b/type", "'string'"},
		"wrong keyword type": {`{"properties":{"a/b":{"minLength":-1}}}`, "/properties/a~1b/minLength", "greater than or equal to 0"},
		"remote":             {`{"properties":{"a":{"$ref":"https://example.com/s.json"}}}`, "/properties/a/$ref", `"https://example.com/s.json" refers to another document`},
		"remote fragment":    {`{"$ref":"http://example.com/s.json#/a"}`, "/$ref", `"http://example.com/s.json#/a" refers to another document`},
		"file":               {`{"$ref":"file:///etc/passwd"}`, "/$ref", `"file:///etc/passwd" refers to another document`},
		"absolute path":      {`{"$ref":"/etc/passwd"}`, "/$ref", `"/etc/passwd" refers to another document`},
		"relative":           {`{"items":{"$ref":"../other.json#/x"}}`, "/items/$ref", `"../other.json#/x" refers to another document`},
		"dynamic remote":     {`{"$dynamicRef":"other.json#x"}`, "/$dynamicRef", `"other.json#x" refers to another document`},
		"remote under an id": {`{"$id":"https://example.com/","items":{"$ref":"other"}}`, "/items/$ref", `"other" refers to another document`},
		"metaschema":         {`{"$schema":"https://example.com/mine"}`, "/$schema", "only"},
		"older draft":        {`{"$schema":"http://json-schema.org/draft-07/schema#"}`, "/$schema", "only"},
		"older draft by ref": {`{"$ref":"http://json-schema.org/draft-07/schema"}`, "", "another draft"},
		"dangling pointer":   {`{"items":{"$ref":"#/$defs/x"}}`, "/items/$ref", `"#/$defs/x" points at nothing`},
		"dangling anchor":    {`{"items":{"$ref":"#x"}}`, "/items/$ref", `"#x" points at nothing`},
		"recursiveRef":       {`{"items":{"$recursiveRef":"#"}}`, "/items/$recursiveRef", "not part of 2020-12"},
		"pattern":            {`{"items":{"pattern":"(?=a)"}}`, "/items/pattern", "not a regular expression, want RE2's syntax: invalid or unsupported Perl syntax: `(?=`"},
		"pattern of names":   {`{"patternProperties":{"(":{}}}`, "/patternProperties/(", "not a regular expression"},
		"long pattern":       {`{"items":{"pattern":"` + strings.Repeat("a", pattern.MaxBytes+1) + `"}}`, "/items/pattern", "longer than 16384"},
		"long name pattern":  {`{"patternProperties":{"` + strings.Repeat("a", pattern.MaxBytes+1) + `":{}}}`, "/patternProperties", "longer than 16384"},
		"endless":            {`{"properties":{"a":{"$ref":"#/properties/a"}}}`, "/properties/a", "endlessly"},
		"endless by two":     {`{"$ref":"#/$defs/a","$defs":{"a":{"allOf":[{"$ref":"#/$defs/b"}]},"b":{"$ref":"#/$defs/a"}}}`, "/$defs/a", "endlessly"},
		"doubling":           {doubling(15), "", "more than 10000 times"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := Compile([]byte(tt.schema))
			e, ok := errors.AsType[*Error](err)
			if !ok {
				t.Fatalf("got %v, want an *Error", err)
			}
			if e.Pointer != tt.pointer || !strings.Contains(e.Reason, tt.reason) {
				t.Errorf("got %v, want %q and %q", e, tt.pointer, tt.reason)
			}
			if strings.Contains(err.Error(), base) {
				t.Errorf("%v shows the address that schemas are compiled under", err)
			}
		})
	}
}

// doubling gives a schema in which each of n definitions applies the next one twice.
func doubling(n int) string {
	var defs strings.Builder
	for i := range n {
		fmt.Fprintf(&defs, `"d%d":{"allOf":[{"$ref":"#/$defs/d%d"},{"$ref":"#/$defs/d%d"}]},`, i, i+1, i+1)
	}
	return fmt.Sprintf(`{"$ref":"#/$defs/d0","$defs":{%s"d%d":{"type":"object"}}}`, defs.String(), n)
}

func TestDynamicReferences(t *testing.T) {
	s := mustCompile(t, `{"$id":"https://example.com/list","$ref":"generic","$defs":{
		"strings":{"$dynamicAnchor":"item","type":"string","propertyNames":{"maxLength":1}},
		"generic":{"$id":"generic","items":{"$dynamicRef":"#item"},"$defs":{"any":{"$dynamicAnchor":"item"}}}}}`)
	_, vs, _ := s.Check(t.Context(), []byte(`["a",1]`))
	if want := `{"type":"string_type","loc":["body",1],"msg":"Input should be a valid string"}` + "\n"; lines(t, vs) != want {
		t.Errorf("got %s", lines(t, vs))
	}
}

func TestConcurrentUse(t *testing.T) {
	s := mustCompile(t, smallSchema)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for i := range 200 {
				body := fmt.Sprintf(`{"question":"q%d","n":1}`, i)
				value, vs, _ := s.Check(t.Context(), []byte(body))
				if vs != nil || value.(map[string]any)["question"] != fmt.Sprintf("q%d", i) {
					t.Errorf("got %v, %v", value, vs)
				}
				if _, vs, _ := s.Check(t.Context(), []byte(`{"question":1}`)); len(vs) != 1 {
					t.Errorf("got %v", vs)
				}
			}
		})
	}
	wg.Wait()
}

const smallSchema = `{
	"type": "object", "required": ["question"], "additionalProperties": false,
	"properties": {
		"question": {"type": "string", "minLength": 1, "maxLength": 4000},
		"n": {"type": "integer", "minimum": 1, "maximum": 10},
		"temperature": {"type": "number"},
		"tags": {"type": "array", "items": {"type": "string"}, "uniqueItems": true},
		"mode": {"enum": ["short", "long"]}
	}
}`

const smallBody = `{"question": "What does the contract say about streams that end before their upstream does?", ` +
	`"n": 3, "temperature": 0.7, "tags": ["drain", "contract", "stream"], "mode": "short"}`

func BenchmarkCheck(b *testing.B) {
	s := mustCompile(b, smallSchema)
	b.SetBytes(int64(len(smallBody)))
	b.ReportAllocs()
	for b.Loop() {
		if _, vs, _ := s.Check(b.Context(), []byte(smallBody)); vs != nil {
			b.Fatal(vs)
		}
	}
}

func BenchmarkCheckDefaults(b *testing.B) {
	s := mustCompile(b, `{"type":"object","properties":{"question":{"type":"string"},"n":{"type":"integer","default":3},"opts":{"type":"object","default":{},"properties":{"deep":{"default":true}}}}}`)
	b.ReportAllocs()
	for b.Loop() {
		if _, vs, _ := s.Check(b.Context(), []byte(`{"question":"a"}`)); vs != nil {
			b.Fatal(vs)
		}
	}
}

func BenchmarkCheckInvalid(b *testing.B) {
	s := mustCompile(b, smallSchema)
	b.ReportAllocs()
	for b.Loop() {
		if _, vs, _ := s.Check(b.Context(), []byte(`{"n": 0, "tags": [1], "x": 1}`)); len(vs) != 4 {
			b.Fatal(vs)
		}
	}
}

func BenchmarkDecode(b *testing.B) {
	b.SetBytes(int64(len(smallBody)))
	b.ReportAllocs()
	for b.Loop() {
		if _, vs, _ := Decode(b.Context(), []byte(smallBody)); vs != nil {
			b.Fatal(vs)
		}
	}
}

func BenchmarkCompile(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		mustCompile(b, smallSchema)
	}
}
