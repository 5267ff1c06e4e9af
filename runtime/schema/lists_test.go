package schema

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestTuples: the lines are what Pydantic 2.14 says of tuple[int, str], as which it writes a list with minItems and maxItems; other
// generators write items: false.
func TestTuples(t *testing.T) {
	const first = `{"type":"array","prefixItems":[{"type":"integer"},{"type":"string"}]`
	const tooLong = `{"type":"too_long","loc":["body"],"msg":"Tuple should have at most 2 items after validation, not 3","ctx":{"actual_length":3,"field_type":"Tuple","max_length":2}}` + "\n"
	const second = `{"type":"missing","loc":["body",1],"msg":"Field required"}` + "\n"
	for body, want := range map[string]string{
		`[1,"a"]`:   "",
		`[1]`:       second,
		`[]`:        `{"type":"missing","loc":["body",0],"msg":"Field required"}` + "\n" + second,
		`["x"]`:     `{"type":"int_parsing","loc":["body",0],"msg":"Input should be a valid integer, unable to parse string as an integer"}` + "\n" + second,
		`[1,"a",2]`: tooLong,
		`["x",3,4]`: tooLong,
		`{}`:        `{"type":"tuple_type","loc":["body"],"msg":"Input should be a valid tuple"}` + "\n",
		`null`:      `{"type":"tuple_type","loc":["body"],"msg":"Input should be a valid tuple"}` + "\n",
	} {
		for _, bounds := range []string{`,"minItems":2,"maxItems":2}`, `,"minItems":2,"items":false}`, `,"minItems":2,"maxItems":2,"items":false}`} {
			_, vs, _ := mustCompile(t, first+bounds).Check(t.Context(), []byte(body))
			if diff := cmp.Diff(want, lines(t, vs)); diff != "" {
				t.Errorf("%s of %s: %s", body, bounds, diff)
			}
		}
	}
	for name, tt := range map[string]struct{ schema, body, want string }{
		"nested":            {`{"items":` + first + `,"minItems":2}}`, `[[1,"a"],[1]]`, "missing@1.1"},
		"a model in it":     {`{"prefixItems":[{"required":["b"],"properties":{"b":{}}},true,true],"minItems":3}`, `[{}]`, "missing@0.b missing@1 missing@2"},
		"more than the few": {first + `,"minItems":4}`, `[1]`, "missing@1"},
		"fewer are enough":  {first + `,"minItems":1}`, `[]`, "missing@0"},
		"no minimum":        {first + `}`, `[]`, ""},
		"no items at all":   {`{"items":false}`, `[1]`, "too_long@"},
		"unevaluated":       {first + `,"unevaluatedItems":false}`, `[1,"a",2]`, "extra_forbidden@2"},
		"a property false":  {`{"properties":{"items":false}}`, `{"items":1}`, "extra_forbidden@items"},
	} {
		_, vs, _ := mustCompile(t, tt.schema).Check(t.Context(), []byte(tt.body))
		if brief(vs) != tt.want {
			t.Errorf("%s: got %s, want %s", name, brief(vs), tt.want)
		}
	}
}

// TestSets: what Pydantic 2.14 does with set[int], and with set[int] of two to three items.
func TestSets(t *testing.T) {
	const set = `{"type":"array","items":{"type":"integer"},"uniqueItems":true}`
	const few = `{"type":"array","items":{"type":"integer"},"uniqueItems":true,"minItems":2,"maxItems":3}`
	const pairs = `{"type":"array","uniqueItems":true,"items":{"type":"array","prefixItems":[{"type":"integer"},{"type":"integer"}],"minItems":2,"maxItems":2}}`
	for name, tt := range map[string]struct{ schema, body, value, want string }{
		"repeated":             {set, `[1,2,1,1.0,2]`, `[1,2]`, ""},
		"none repeated":        {set, `[3,1,2]`, `[3,1,2]`, ""},
		"empty":                {set, `[]`, `[]`, ""},
		"many":                 {set, `[9,8,7,6,5,4,3,2,1,0,9,5]`, `[9,8,7,6,5,4,3,2,1,0]`, ""},
		"not a set":            {set, `{}`, ``, "set_type@"},
		"wrong ones, each":     {set, `["x","x",1]`, ``, "int_parsing@0 int_parsing@1"},
		"wrong behind repeats": {set, `[1,1,"x"]`, ``, "int_parsing@2"},
		"too few once counted": {few, `[1,1]`, ``, "too_short@"},
		"enough once counted":  {few, `[1,1,2,2,3,3]`, `[1,2,3]`, ""},
		"too many":             {few, `[1,2,3,4,"x"]`, ``, "too_long@"},
		"of tuples":            {pairs, `[[1,2],[1,2],[2,1]]`, `[[1,2],[2,1]]`, ""},
		"of wrong tuples":      {pairs, `[[1,2],[3],[3]]`, ``, "missing@1.1 missing@2.1"},
		"after defaults": {
			`{"type":"array","uniqueItems":true,"items":{"properties":{"a":{"default":1}}}}`, `[{},{"a":1},{"a":2}]`, `[{"a":1},{"a":2}]`, "",
		},
		"within a member":  {`{"properties":{"s":{"anyOf":[` + set + `,{"type":"null"}]}}}`, `{"s":[1,1]}`, `{"s":[1]}`, ""},
		"one of two types": {`{"anyOf":[` + set + `,{"type":"integer"}]}`, `[1,1]`, `[1]`, ""},
		"a default":        {`{"properties":{"s":{"type":"array","uniqueItems":true,"default":[1,1]}}}`, `{}`, `{"s":[1]}`, ""},
		"in two rules":     {`{"allOf":[` + set + `,{"uniqueItems":true}],"items":{"maximum":5}}`, `[1,1,9,9]`, ``, "less_than_equal@2 less_than_equal@3"},
		"of sets":          {`{"uniqueItems":true,"items":` + set + `}`, `[[1,2,1],[1,2],["x"],["x"]]`, ``, "int_parsing@2.0 int_parsing@3.0"},
	} {
		t.Run(name, func(t *testing.T) {
			s, err := Compile([]byte(tt.schema), DropRepeats(), EchoInputs())
			if err != nil {
				t.Fatal(err)
			}
			got, vs, _ := s.Check(t.Context(), []byte(tt.body))
			if brief(vs) != tt.want {
				t.Errorf("got %s, want %s", brief(vs), tt.want)
			}
			var want any
			if tt.value != "" {
				want, _, _ = Decode(t.Context(), []byte(tt.value))
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
	s, err := Compile([]byte(few), DropRepeats())
	if err != nil {
		t.Fatal(err)
	}
	for body, want := range map[string]string{
		`[1,1]`:     `{"type":"too_short","loc":["body"],"msg":"Set should have at least 2 items after validation, not 1","ctx":{"actual_length":1,"field_type":"Set","min_length":2}}`,
		`[1,2,3,4]`: `{"type":"too_long","loc":["body"],"msg":"Set should have at most 3 items after validation, not more","ctx":{"actual_length":null,"field_type":"Set","max_length":3}}`,
	} {
		_, vs, _ := s.Check(t.Context(), []byte(body))
		if diff := cmp.Diff(want+"\n", lines(t, vs)); diff != "" {
			t.Error(diff)
		}
	}
	if _, vs, _ := mustCompile(t, set).Check(t.Context(), []byte(`[1,1]`)); brief(vs) != "items_not_unique@" {
		t.Errorf("where no sets are wanted: %s", brief(vs))
	}
}
