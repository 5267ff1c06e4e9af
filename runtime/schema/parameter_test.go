package schema

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func mustParameter(t testing.TB, raw string, at ParameterPlace, required bool, options ...Option) *Parameter {
	t.Helper()
	name := "p"
	if at == Header {
		name = "P"
	}
	p, err := CompileParameter([]byte(raw), at, name, required, options...)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

const (
	noInteger = "int_parsing: Input should be a valid integer, unable to parse string as an integer"
	noNumber  = "float_parsing: Input should be a valid number, unable to parse string as a number"
	noBoolean = "bool_parsing: Input should be a valid boolean, unable to interpret input"
	notFinite = "finite_number: Input should be a finite number"
	tooLarge  = "int_parsing_size: Unable to parse input string as an integer, exceeded maximum size"
)

// TestCoercion: what Pydantic 2.14 makes of the same text (for numbers with allow_inf_nan=False), as a value, or as type and
// message; but for the size from which an integer is too large, and for 0-1 and 0__1, which Pydantic takes.
//
//nolint:gocritic // keys with space around them are the point
func TestCoercion(t *testing.T) {
	tests := map[string]map[string]any{
		`{"type":"integer"}`: {
			"12": int64(12), "+12": int64(12), "-12": int64(-12), " 12 ": int64(12), "\t12\n": int64(12), "\u00a012": int64(12), "1_000": int64(1000),
			"12.0": int64(12), "12.00": int64(12), " 12.0 ": int64(12), "+12.0": int64(12), "-12.0": int64(-12), "1_0.0": int64(10), "0_1": int64(1),
			"007": int64(7), "00": int64(0), "-0": int64(0), "0.0": int64(0), "-0.0": int64(0),
			"9999999999999999999999999": 1e25, strings.Repeat("9", maxNumberBytes+1): tooLarge,
			"": noInteger, "  ": noInteger, "x": noInteger, "12.": noInteger, "12.5": noInteger, ".0": noInteger, "1e3": noInteger, "1.0e0": noInteger,
			"1__0": noInteger, "_1": noInteger, "1_": noInteger, "12.0_0": noInteger, "0x1": noInteger, "+ 1": noInteger, "--1": noInteger,
			"+-1": noInteger, "0-1": noInteger, "0__1": noInteger, "１２": noInteger, "\x0012": noInteger, "null": noInteger, "true": noInteger,
		},
		`{"type":"number"}`: {
			"12": 12.0, "1.5": 1.5, ".5": 0.5, "5.": 5.0, "1e3": 1000.0, "1E+3": 1000.0, " 1.5 ": 1.5, "\u00a01.5": 1.5, "1_000.5": 1000.5,
			" 1_0": noNumber, "1_0 ": noNumber, "1e-400": 0.0, "1_0e1_0": 1e11, "+1.5": 1.5, "+.5": 0.5, "-.5": -0.5, "1._5": 1.5, "1_.5": 1.5,
			"1e400": notFinite, "-1e400": notFinite, "inf": notFinite, "-inf": notFinite, "infinity": notFinite, "Infinity": notFinite,
			"nan": notFinite, "NaN": notFinite, "+nan": notFinite,
			"1__0": noNumber, "_1": noNumber, "1_": noNumber, "": noNumber, "0x1p3": noNumber, "１": noNumber, "1.5f": noNumber, "1,5": noNumber,
			"-": noNumber, "e5": noNumber, "1e": noNumber,
		},
		`{"type":"boolean"}`: {
			"true": true, "True": true, "TRUE": true, "tRuE": true, "1": true, "yes": true, "on": true, "t": true, "y": true, "Y": true,
			"0": false, "no": false, "off": false, "f": false, "n": false, "False": false,
			" true": noBoolean, "true ": noBoolean, "2": noBoolean, "": noBoolean, "01": noBoolean, "1.0": noBoolean, "0.0": noBoolean,
		},
		`{"type":"string"}`:           {"": "", " b ": " b ", "1": "1", "null": "null"},
		``:                            {"1": "1"},
		`{"minLength":1}`:             {"1": "1", "": "string_too_short: String should have at least 1 character"},
		`{"type":["integer","null"]}`: {"12": int64(12), "null": noInteger, "None": noInteger, "": noInteger},
		`{"anyOf":[{"type":"integer"},{"type":"null"}]}`:        {"12": int64(12), "x": noInteger},
		`{"anyOf":[{"type":"integer"},{"type":"string"}]}`:      {"12": "12", "x": "x"},
		`{"anyOf":[{"type":"integer"},{"type":"boolean"}]}`:     {"1": int64(1), "true": true, "2": int64(2), "x": noBoolean + "\n" + noInteger},
		`{"anyOf":[{"type":"boolean"},{"type":"integer"}]}`:     {"1": true, "true": true, "2": int64(2)},
		`{"anyOf":[{"type":"integer"},{"type":"number"}]}`:      {"12": int64(12), "12.5": 12.5, "12.0": int64(12), "1e2": 100.0, "x": noNumber + "\n" + noInteger},
		`{"anyOf":[{"type":"number"},{"type":"integer"}]}`:      {"12": 12.0},
		`{"type":["boolean","integer"]}`:                        {"1": int64(1), "on": true},
		`{"enum":["a","b"]}`:                                    {"a": "a", "c": "literal_error: Input should be 'a' or 'b'"},
		`{"type":"integer","enum":[1,2]}`:                       {"1": int64(1), "3": "literal_error: Input should be 1 or 2", "x": noInteger},
		`{"enum":[1,"auto"]}`:                                   {"1": int64(1), "auto": "auto"},
		`{"const":true}`:                                        {"yes": true, "no": "literal_error: Input should be True"},
		`{"type":"integer","minimum":3}`:                        {"3": int64(3), "1": "greater_than_equal: Input should be greater than or equal to 3", "x": noInteger},
		`{"$ref":"#/$defs/n","$defs":{"n":{"type":"integer"}}}`: {"1": int64(1)},
		`{"allOf":[{"type":"number"},{"type":"integer"}]}`:      {"1": int64(1), "1.5": noInteger},
		`{"type":"string","pattern":"^a$"}`:                     {"a": "a", "b": "string_pattern_mismatch: String should match pattern '^a$'"},
		`{"type":"number","multipleOf":0.1}`:                    {"0.3": 0.3, "0.35": "multiple_of: Input should be a multiple of 0.1"},
	}
	for schema, texts := range tests {
		p := mustParameter(t, schema, Query, true)
		for text, want := range texts {
			got, vs, _ := p.Parse(NewWorkBudget(t.Context()), []string{text})
			for i, v := range vs {
				if i > 0 {
					got = fmt.Sprintf("%s\n%s: %s", got, v.Type, v.Msg)
				} else {
					got = v.Type + ": " + v.Msg
				}
				if diff := cmp.Diff([]any{"query", "p"}, v.Loc); diff != "" {
					t.Errorf("%s: %q: %s", schema, text, diff)
				}
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%s: %q: %s", schema, text, diff)
			}
		}
	}
}

func TestParameters(t *testing.T) {
	const tags = `{"type":"array","items":{"type":"integer","minimum":0},"minItems":2}`
	tests := map[string]struct {
		schema   string
		at       ParameterPlace
		required bool
		values   []string
		want     any
		lines    string
	}{
		"last of a query's":      {`{"type":"integer"}`, Query, true, []string{"1", "2"}, int64(2), ""},
		"first of the headers":   {`{"type":"integer"}`, Header, true, []string{"1", "2"}, int64(1), ""},
		"last of the cookies":    {`{"type":"integer"}`, Cookie, true, []string{"1", "2"}, int64(2), ""},
		"missing cookie":         {`{"type":"integer"}`, Cookie, true, nil, nil, `{"type":"missing","loc":["cookie","p"],"msg":"Field required"}`},
		"path":                   {`{"type":"integer"}`, Path, false, []string{"7"}, int64(7), ""},
		"absent":                 {`{"type":"integer"}`, Query, false, nil, nil, ""},
		"empty is not absent":    {`{"type":"string"}`, Query, true, []string{""}, "", ""},
		"default":                {`{"type":"integer","default":5}`, Query, true, nil, int64(5), ""},
		"default by ref":         {`{"$ref":"#/$defs/n","$defs":{"n":{"default":5}}}`, Query, true, nil, int64(5), ""},
		"default null":           {`{"type":["integer","null"],"default":null}`, Query, true, nil, nil, ""},
		"default list":           {`{"type":"array","items":{"type":"integer"},"default":[1]}`, Query, true, nil, []any{int64(1)}, ""},
		"missing":                {`{"type":"integer"}`, Query, true, nil, nil, `{"type":"missing","loc":["query","p"],"msg":"Field required"}`},
		"missing list":           {tags, Query, true, nil, nil, `{"type":"missing","loc":["query","p"],"msg":"Field required"}`},
		"missing header":         {`{"type":"integer"}`, Header, true, nil, nil, `{"type":"missing","loc":["header","p"],"msg":"Field required"}`},
		"wrong in a path":        {`{"type":"integer"}`, Path, false, []string{"x"}, nil, `{"type":"int_parsing","loc":["path","p"],"msg":"Input should be a valid integer, unable to parse string as an integer"}`},
		"list":                   {tags, Query, true, []string{"1", "2"}, []any{int64(1), int64(2)}, ""},
		"list of any":            {`{"type":"array"}`, Query, true, []string{"1"}, []any{"1"}, ""},
		"list of headers":        {tags, Header, true, []string{"1", "2"}, []any{int64(1), int64(2)}, ""},
		"list, too long":         {`{"type":"array","items":{"type":"integer"},"maxItems":2}`, Query, true, []string{"1", "x", "y"}, nil, `{"type":"too_long","loc":["query","p"],"msg":"List should have at most 2 items after validation, not 3","ctx":{"actual_length":3,"field_type":"List","max_length":2}}`},
		"list, short and wrong":  {tags, Query, true, []string{"x"}, nil, `{"type":"int_parsing","loc":["query","p",0],"msg":"Input should be a valid integer, unable to parse string as an integer"}`},
		"list, too short":        {tags, Query, true, []string{"1"}, nil, `{"type":"too_short","loc":["query","p"],"msg":"List should have at least 2 items after validation, not 1","ctx":{"actual_length":1,"field_type":"List","min_length":2}}`},
		"list, wrong items":      {tags, Query, true, []string{"a", "-1"}, nil, `{"type":"int_parsing","loc":["query","p",0],"msg":"Input should be a valid integer, unable to parse string as an integer"}` + "\n" + `{"type":"greater_than_equal","loc":["query","p",1],"msg":"Input should be greater than or equal to 0","ctx":{"ge":0}}`},
		"list, an empty item":    {`{"type":"array","items":{"type":"integer"}}`, Query, true, []string{""}, nil, `{"type":"int_parsing","loc":["query","p",0],"msg":"Input should be a valid integer, unable to parse string as an integer"}`},
		"list, prefixItems":      {`{"type":"array","prefixItems":[{"type":"integer"}],"items":{"type":"boolean"}}`, Query, true, []string{"1", "1"}, []any{int64(1), true}, ""},
		"list or null":           {`{"anyOf":[{"type":"array","items":{"type":"integer"}},{"type":"null"}]}`, Query, true, []string{"1"}, []any{int64(1)}, ""},
		"list by ref":            {`{"$ref":"#/$defs/l","$defs":{"l":{"type":"array","items":{"$ref":"#/$defs/n"}},"n":{"type":"number"}}}`, Query, true, []string{"1"}, []any{1.0}, ""},
		"list, one of its items": {`{"type":"array","items":{"anyOf":[{"type":"integer","minimum":5},{"type":"boolean"}]}}`, Query, true, []string{"1", "7"}, []any{true, int64(7)}, ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got, vs, _ := mustParameter(t, tt.schema, tt.at, tt.required).Parse(NewWorkBudget(t.Context()), tt.values)
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Error(diff)
			}
			if diff := cmp.Diff(tt.lines, strings.TrimSuffix(lines(t, vs), "\n")); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestParametersThatTextCannotSatisfy(t *testing.T) {
	tests := map[string]struct {
		schema, pointer, reason string
		at                      ParameterPlace
	}{
		"object":           {`{"type":"object"}`, "", "accepts an object", Query},
		"object or string": {`{"type":["object","string"]}`, "", "accepts an object", Query},
		"null":             {`{"type":"null"}`, "", "no value that text can represent", Query},
		"contradiction":    {`{"type":"string","enum":[1]}`, "", "no value that text can represent", Query},
		"list of lists":    {`{"type":"array","items":{"type":"array"}}`, "/items", "accepts an array", Query},
		"list of objects":  {`{"type":"array","items":{"$ref":"#/$defs/o"},"$defs":{"o":{"type":"object"}}}`, "/items", "accepts an object", Query},
		"list in a path":   {`{"type":"array"}`, "", "which a path cannot hold", Path},
		"list in a cookie": {`{"type":"array"}`, "", "which a cookie cannot hold", Cookie},
		"list or string":   {`{"type":["array","string"]}`, "", "text cannot distinguish", Query},
		"bad default":      {`{"type":"integer","default":"1"}`, "/default", "does not satisfy its own schema", Query},
		"no schema":        {`3`, "", "not valid in a schema", Query},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := CompileParameter([]byte(tt.schema), tt.at, "p", false)
			e, ok := errors.AsType[*Error](err)
			if !ok || e.Pointer != tt.pointer || !strings.Contains(e.Reason, tt.reason) {
				t.Errorf("got %v, want %q and %q", err, tt.pointer, tt.reason)
			}
		})
	}
}

// TestParametersAreBounded: the parameters of a request share its work.
func TestParametersAreBounded(t *testing.T) {
	p := mustParameter(t, `{"type":"array","items":{"pattern":"[a-z]{1,1000}@"}}`, Query, true)
	w, text := NewWorkBudget(t.Context()), strings.Repeat("a", 1000)
	if _, vs, _ := p.Parse(w, slices.Repeat([]string{text + "@"}, 2)); vs != nil {
		t.Errorf("a modest list: %v", vs)
	}
	_, vs, _ := p.Parse(w, slices.Repeat([]string{text + "@"}, 50))
	if want := `{"type":"value_error","loc":["query","p",6],"msg":"Input takes too much work to validate"}` + "\n"; lines(t, vs) != want {
		t.Errorf("got %s", lines(t, vs))
	}
	if _, vs, err := p.Parse(w, []string{"a@"}); vs != nil || err != nil {
		t.Errorf("a parameter after that which was too much: %v, %v", vs, err)
	}
	numbers := mustParameter(t, `{"type":"array","items":{"type":"integer"}}`, Query, true)
	if _, vs, _ := numbers.Parse(NewWorkBudget(t.Context()), slices.Repeat([]string{"x"}, 5000)); len(vs) != MaxViolations {
		t.Errorf("%d violations", len(vs))
	}
}

func BenchmarkParse(b *testing.B) {
	p := mustParameter(b, `{"type":"integer","minimum":1,"maximum":100,"default":10}`, Query, false)
	values := []string{"25"}
	b.ReportAllocs()
	for b.Loop() {
		if _, vs, _ := p.Parse(NewWorkBudget(b.Context()), values); vs != nil {
			b.Fatal(vs)
		}
	}
}
