package schema

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// typedForm is a form with a field of each kind, and two files.
const typedForm = `{"type":"object","required":["title","photo"],"properties":{
	"title":{"type":"string","maxLength":5},"count":{"type":"integer","minimum":1},"ratio":{"type":"number"},"keep":{"type":"boolean","default":false},
	"tags":{"type":"array","items":{"type":"string"}},"scores":{"anyOf":[{"type":"array","items":{"type":"integer"}},{"type":"null"}]},
	"any":{},"photo":{"type":"string"},"pages":{"type":"array","items":{"type":"string"},"maxItems":2,"default":[]}},
	"$defs":{"id":{"type":"integer"}},"allOf":[{"properties":{"id":{"$ref":"#/$defs/id"}}}]}`

func mustForm(t testing.TB, raw string, files map[string]bool, options ...Option) *Form {
	t.Helper()
	f, err := CompileForm([]byte(raw), files, options...)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

var typedFiles = map[string]bool{"photo": false, "pages": true}

// texts are the values of a field.
func texts(all ...string) []Sent {
	sent := make([]Sent, len(all))
	for i, text := range all {
		sent[i].Text = text
	}
	return sent
}

var aFile = []Sent{{IsFile: true}}

func TestFormIsRead(t *testing.T) {
	f := mustForm(t, typedForm, typedFiles)
	for name, tt := range map[string]struct {
		sent map[string][]Sent
		want map[string]any
	}{
		"each type": {
			map[string][]Sent{
				"title": texts("a"), "count": texts(" 7 "), "ratio": texts(".5"), "keep": texts("on"), "tags": texts("x", "", "x"), "scores": texts("1", "2.0"),
				"any": texts("3"), "id": texts("007"), "photo": aFile,
			},
			map[string]any{
				"title": "a", "count": int64(7), "ratio": 0.5, "keep": true, "tags": []any{"x", "", "x"}, "scores": []any{int64(1), int64(2)},
				"any": "3", "id": int64(7),
			},
		},
		"the last of several":    {map[string][]Sent{"title": texts("", "b"), "photo": {{IsFile: true}, {IsFile: true}}}, map[string]any{"title": "b", "keep": false}},
		"empty texts are absent": {map[string][]Sent{"title": texts("a"), "count": texts(""), "keep": texts("true", ""), "photo": aFile}, map[string]any{"title": "a", "keep": false}},
		"unknown fields": {
			map[string][]Sent{"title": texts("a"), "photo": aFile, "one": texts(""), "two": texts("1", "2"), "file": aFile, "both": {{IsFile: true}, {Text: "x"}}},
			map[string]any{"title": "a", "keep": false, "one": "", "two": []any{"1", "2"}, "both": "x"},
		},
		"files of a list": {map[string][]Sent{"title": texts("a"), "photo": aFile, "pages": {{IsFile: true}, {IsFile: true}}}, map[string]any{"title": "a", "keep": false}},
	} {
		t.Run(name, func(t *testing.T) {
			got, wrong, err := f.Check(t.Context(), tt.sent)
			if diff := cmp.Diff(tt.want, got); err != nil || len(wrong) > 0 || diff != "" {
				t.Errorf("%v %s\n%s", err, lines(t, wrong), diff)
			}
		})
	}
}

// The lines are what FastAPI 0.165 answers to the like form, in the order of a body's violations.
func TestFormIsRefused(t *testing.T) {
	for name, tt := range map[string]struct {
		more string // of the schema
		sent map[string][]Sent
		want []string
	}{
		"nothing": {``, nil, []string{`{"type":"missing","loc":["body","title"],"msg":"Field required"}`, `{"type":"missing","loc":["body","photo"],"msg":"Field required"}`}},
		"an empty text that is required": {
			``,
			map[string][]Sent{"title": texts(""), "photo": aFile},
			[]string{`{"type":"missing","loc":["body","title"],"msg":"Field required"}`},
		},
		"an empty text for a file": {
			``,
			map[string][]Sent{"title": texts("a"), "photo": texts("")},
			[]string{`{"type":"missing","loc":["body","photo"],"msg":"Field required"}`},
		},
		"texts of other types": {
			``,
			map[string][]Sent{
				"title": texts("too long"), "photo": aFile, "count": texts("x"), "ratio": texts("nan"), "keep": texts("maybe"), "scores": texts("1", "x"), "id": texts("x"),
			},
			[]string{
				`{"type":"string_too_long","loc":["body","title"],"msg":"String should have at most 5 characters","ctx":{"max_length":5}}`,
				`{"type":"int_parsing","loc":["body","count"],"msg":"Input should be a valid integer, unable to parse string as an integer"}`,
				`{"type":"int_parsing","loc":["body","id"],"msg":"Input should be a valid integer, unable to parse string as an integer"}`,
				`{"type":"bool_parsing","loc":["body","keep"],"msg":"Input should be a valid boolean, unable to interpret input"}`,
				`{"type":"finite_number","loc":["body","ratio"],"msg":"Input should be a finite number"}`,
				`{"type":"int_parsing","loc":["body","scores",1],"msg":"Input should be a valid integer, unable to parse string as an integer"}`,
			},
		},
		"a file for a text": {
			``,
			map[string][]Sent{"title": aFile, "photo": aFile, "count": aFile, "any": aFile},
			[]string{
				`{"type":"string_type","loc":["body","title"],"msg":"Input should be a valid string"}`,
				`{"type":"int_type","loc":["body","count"],"msg":"Input should be a valid integer"}`,
				`{"type":"string_type","loc":["body","any"],"msg":"Input should be a valid string"}`,
			},
		},
		"a text for a file": {
			``,
			map[string][]Sent{"title": texts("a"), "photo": texts("x"), "pages": {{IsFile: true}, {Text: ""}}},
			[]string{
				`{"type":"value_error","loc":["body","pages",1],"msg":"Value error, Expected UploadFile, received: \u003cclass 'str'\u003e","ctx":{"error":{}}}`,
				`{"type":"value_error","loc":["body","photo"],"msg":"Value error, Expected UploadFile, received: \u003cclass 'str'\u003e","ctx":{"error":{}}}`,
			},
		},
		"more files than allowed": {
			``,
			map[string][]Sent{"title": texts("a"), "photo": aFile, "pages": {{IsFile: true}, {IsFile: true}, {IsFile: true}}},
			[]string{`{"type":"too_long","loc":["body","pages"],"msg":"List should have at most 2 items after validation, not 3","ctx":{"actual_length":3,"field_type":"List","max_length":2}}`},
		},
		"unknown fields": {
			`,"additionalProperties":false`,
			map[string][]Sent{"title": texts("a"), "photo": aFile, "more": texts("x"), "file": aFile},
			[]string{
				`{"type":"extra_forbidden","loc":["body","file"],"msg":"Extra inputs are not permitted"}`,
				`{"type":"extra_forbidden","loc":["body","more"],"msg":"Extra inputs are not permitted"}`,
			},
		},
		"other fields by their schema": {
			`,"additionalProperties":{"type":"integer"}`,
			map[string][]Sent{"title": texts("a"), "photo": aFile, "more": texts("x")},
			[]string{`{"type":"int_parsing","loc":["body","more"],"msg":"Input should be a valid integer, unable to parse string as an integer"}`},
		},
	} {
		t.Run(name, func(t *testing.T) {
			raw := strings.Replace(typedForm, `"$defs"`, `"x":0`+tt.more+`,"$defs"`, 1)
			if tt.more != "" {
				raw = strings.Replace(raw, `"allOf":[{"properties":{"id":{"$ref":"#/$defs/id"}}}]`, `"x-a":0`, 1)
			}
			_, wrong, err := mustForm(t, raw, typedFiles).Check(t.Context(), tt.sent)
			if diff := cmp.Diff(strings.Join(tt.want, "\n")+"\n", lines(t, wrong)); err != nil || diff != "" {
				t.Errorf("%v\n%s", err, diff)
			}
		})
	}
}

// Texts are echoed as they were sent, and nothing of files.
func TestFormIsEchoed(t *testing.T) {
	f := mustForm(t, typedForm, typedFiles, EchoInputs())
	_, wrong, _ := f.Check(t.Context(), map[string][]Sent{"count": texts("0"), "scores": texts("x"), "photo": texts("canary"), "tags": texts("a")})
	want := `{"type":"missing","loc":["body","title"],"msg":"Field required","input":{"count":"0","scores":["x"],"tags":["a"]}}
{"type":"greater_than_equal","loc":["body","count"],"msg":"Input should be greater than or equal to 1","input":"0","ctx":{"ge":1}}
{"type":"int_parsing","loc":["body","scores",0],"msg":"Input should be a valid integer, unable to parse string as an integer","input":"x"}
{"type":"value_error","loc":["body","photo"],"msg":"Value error, Expected UploadFile, received: \u003cclass 'str'\u003e","ctx":{"error":{}}}
`
	if diff := cmp.Diff(want, lines(t, wrong)); diff != "" {
		t.Error(diff)
	}
}

// Every schema that no form can satisfy is refused, with its place.
func TestFormsThatNoFormSatisfies(t *testing.T) {
	for raw, want := range map[string]string{
		`{"type":"array"}`:                                                                      "schema: accepts no object",
		`{"type":["string","null"]}`:                                                            "schema: accepts no object",
		`{"properties":{"a":{"type":"object"}}}`:                                                "schema at /properties/a: accepts an object, which text cannot represent",
		`{"properties":{"a":{"type":"null"}}}`:                                                  "schema at /properties/a: accepts no value that text can represent",
		`{"properties":{"a":{"type":["array","string"]}}}`:                                      "schema at /properties/a: accepts a list and a single value",
		`{"properties":{"a":{"type":"array","items":{"type":"array"}}}}`:                        "schema at /properties/a/items: accepts an array",
		`{"additionalProperties":{"type":"object"}}`:                                            "schema at /additionalProperties: accepts an object",
		`{"allOf":[{"properties":{"a":{"$ref":"#/$defs/o"}}}],"$defs":{"o":{"type":"object"}}}`: "accepts an object",
		`{"type":"object","properties":{"a":{"pattern":"("}}}`:                                  "schema at /properties/a/pattern",
	} {
		if _, err := CompileForm([]byte(raw), nil); err == nil || !strings.HasPrefix(err.Error(), want) && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", raw, err, want)
		}
	}
}
