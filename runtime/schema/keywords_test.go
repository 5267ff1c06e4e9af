package schema

import (
	"fmt"
	"go/ast"
	"go/build"
	"go/parser"
	"go/token"
	"maps"
	"math/big"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/santhosh-tekuri/jsonschema/v6/kind"
)

// kinds has each of the validator's errors and the type of the violation that it becomes; without one it speaks through its
// causes.
var kinds = map[string]struct {
	kind jsonschema.ErrorKind
	want string
}{
	"Schema":        {&kind.Schema{}, ""},
	"Group":         {&kind.Group{}, ""},
	"AllOf":         {&kind.AllOf{}, ""},
	"Reference":     {&kind.Reference{}, ""},
	"AnyOf":         {&kind.AnyOf{}, ""},
	"PropertyNames": {&kind.PropertyNames{}, ""},

	"OneOf":                {&kind.OneOf{Subschemas: []int{0, 1}}, "one_of_ambiguous"},
	"Not":                  {&kind.Not{}, "not_allowed"},
	"FalseSchema":          {&kind.FalseSchema{}, "extra_forbidden"},
	"Type":                 {&kind.Type{Got: "null", Want: []string{"string"}}, "string_type"},
	"Enum":                 {&kind.Enum{Want: []any{"a"}}, "literal_error"},
	"Const":                {&kind.Const{Want: "a"}, "literal_error"},
	"Format":               {&kind.Format{Want: "date"}, "date_from_datetime_parsing"},
	"MinProperties":        {&kind.MinProperties{}, "too_short"},
	"MaxProperties":        {&kind.MaxProperties{}, "too_long"},
	"MinItems":             {&kind.MinItems{}, "too_short"},
	"MaxItems":             {&kind.MaxItems{}, "too_long"},
	"Required":             {&kind.Required{Missing: []string{"a"}}, "missing"},
	"Dependency":           {&kind.Dependency{Missing: []string{"a"}}, "missing"},
	"DependentRequired":    {&kind.DependentRequired{Missing: []string{"a"}}, "missing"},
	"AdditionalProperties": {&kind.AdditionalProperties{Properties: []string{"a"}}, "extra_forbidden"},
	"UniqueItems":          {&kind.UniqueItems{}, "items_not_unique"},
	"Contains":             {&kind.Contains{}, "contains_too_few"},
	"MinContains":          {&kind.MinContains{}, "contains_too_few"},
	"MaxContains":          {&kind.MaxContains{}, "contains_too_many"},
	"MinLength":            {&kind.MinLength{}, "string_too_short"},
	"MaxLength":            {&kind.MaxLength{}, "string_too_long"},
	"Pattern":              {&kind.Pattern{}, "string_pattern_mismatch"},
	"Minimum":              {&kind.Minimum{Want: new(big.Rat)}, "greater_than_equal"},
	"Maximum":              {&kind.Maximum{Want: new(big.Rat)}, "less_than_equal"},
	"ExclusiveMinimum":     {&kind.ExclusiveMinimum{Want: new(big.Rat)}, "greater_than"},
	"ExclusiveMaximum":     {&kind.ExclusiveMaximum{Want: new(big.Rat)}, "less_than"},
	"MultipleOf":           {&kind.MultipleOf{Want: new(big.Rat)}, "multiple_of"},
}

// neverMet has those that cannot come up, with the reason.
var neverMet = map[string]string{
	"AdditionalItems":  "a keyword of older drafts, which are refused",
	"ContentEncoding":  "an annotation, as no compiler here asserts content",
	"ContentMediaType": "likewise",
	"ContentSchema":    "likewise",
	"RefCycle":         "a schema that refers to itself endlessly is refused",
	"InvalidJsonValue": "values are measured before they are validated",
}

// TestEveryErrorHasAnAnswer: no keyword fails without a type of its own.
func TestEveryErrorHasAnAnswer(t *testing.T) {
	known := slices.Sorted(maps.Keys(kinds))
	known = slices.Sorted(slices.Values(append(known, slices.Collect(maps.Keys(neverMet))...)))
	if diff := cmp.Diff(known, errorKinds(t)); diff != "" {
		t.Errorf("the validator's errors are not those of this table: %s", diff)
	}
	for name, tt := range kinds {
		vs := violations(map[string]any{}, nil, &jsonschema.ValidationError{ErrorKind: tt.kind})
		if tt.want == "" && len(vs) == 0 {
			continue
		}
		if len(vs) != 1 || vs[0].Type != tt.want {
			t.Errorf("%s became %s, want %s", name, lines(t, vs), tt.want)
		}
	}
}

// errorKinds lists the types that package kind exports.
func errorKinds(t *testing.T) []string {
	t.Helper()
	pkg, err := build.Import("github.com/santhosh-tekuri/jsonschema/v6/kind", ".", build.FindOnly)
	if err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(pkg.Dir, "*.go"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no sources in %s: %v", pkg.Dir, err)
	}
	var names []string
	for _, file := range files {
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for node := range ast.Preorder(parsed) {
			if spec, ok := node.(*ast.TypeSpec); ok && spec.Name.IsExported() {
				names = append(names, spec.Name.Name)
			}
		}
	}
	return slices.Sorted(slices.Values(names))
}

// draftFormats are the formats of JSON Schema 2020-12 (Validation, section 7.3).
var draftFormats = []string{
	"date-time", "date", "time", "duration", "email", "idn-email", "hostname", "idn-hostname", "ipv4", "ipv6", "uri",
	"uri-reference", "iri", "iri-reference", "uuid", "uri-template", "json-pointer", "relative-json-pointer", "regex",
}

// TestEveryFormatIsAsserted: each of the draft's formats refuses something, in words of its own; others refuse nothing.
func TestEveryFormatIsAsserted(t *testing.T) {
	answered := map[string]bool{}
	for _, format := range draftFormats {
		s, err := Compile(fmt.Appendf(nil, `{"format":%q}`, format), AssertFormats())
		if err != nil {
			t.Fatal(err)
		}
		_, vs, _ := s.Check(t.Context(), []byte(`"\\ ( {"`))
		if len(vs) != 1 || vs[0].Type == "" || vs[0].Msg == answers["other"].message || strings.Contains(vs[0].Msg, "<nil>") {
			t.Errorf("%s: %s", format, lines(t, vs))
		}
		if _, vs, _ := s.Check(t.Context(), []byte(`7`)); vs != nil {
			t.Errorf("%s refuses a number: %s", format, lines(t, vs))
		}
		answered["format:"+format] = true
	}
	for keyword := range answers {
		if strings.HasPrefix(keyword, "format:") && !answered[keyword] {
			t.Errorf("%s is no format of the draft", keyword)
		}
	}
	for _, format := range []string{"period", "semver", "password", "int32"} {
		s, err := Compile(fmt.Appendf(nil, `{"format":%q}`, format), AssertFormats())
		if err != nil {
			t.Fatal(err)
		}
		if _, vs, _ := s.Check(t.Context(), []byte(`"x"`)); vs != nil {
			t.Errorf("%s: %s", format, lines(t, vs))
		}
	}
}

// TestFormatViolations: types and messages are those of Pydantic 2.14 for the like type, up to its reason.
func TestFormatViolations(t *testing.T) {
	tests := map[string]string{
		"date":      `{"type":"date_from_datetime_parsing","loc":["body"],"msg":"Input should be a valid date or datetime, it is not in the form of RFC 3339, section 5.6, full-date","ctx":{"error":"it is not in the form of RFC 3339, section 5.6, full-date"}}`,
		"date-time": `{"type":"datetime_from_date_parsing","loc":["body"],"msg":"Input should be a valid datetime or date, it is not in the form of RFC 3339, section 5.6, date-time","ctx":{"error":"it is not in the form of RFC 3339, section 5.6, date-time"}}`,
		"time":      `{"type":"time_parsing","loc":["body"],"msg":"Input should be in a valid time format, it is not in the form of RFC 3339, section 5.6, full-time","ctx":{"error":"it is not in the form of RFC 3339, section 5.6, full-time"}}`,
		"duration":  `{"type":"time_delta_parsing","loc":["body"],"msg":"Input should be a valid timedelta, it is not in the form of RFC 3339, appendix A","ctx":{"error":"it is not in the form of RFC 3339, appendix A"}}`,
		"uuid":      `{"type":"uuid_parsing","loc":["body"],"msg":"Input should be a valid UUID, it is not in the form of RFC 4122","ctx":{"error":"it is not in the form of RFC 4122"}}`,
		"uri":       `{"type":"url_parsing","loc":["body"],"msg":"Input should be a valid URL, it is not in the form of RFC 3986","ctx":{"error":"it is not in the form of RFC 3986"}}`,
		"ipv4":      `{"type":"ip_v4_address","loc":["body"],"msg":"Input is not a valid IPv4 address"}`,
		"ipv6":      `{"type":"ip_v6_address","loc":["body"],"msg":"Input is not a valid IPv6 address"}`,
		"email":     `{"type":"value_error","loc":["body"],"msg":"value is not a valid email address: It is not in the form of RFC 5321, section 4.1.2.","ctx":{"reason":"It is not in the form of RFC 5321, section 4.1.2."}}`,
		"hostname":  `{"type":"value_error","loc":["body"],"msg":"value is not a valid hostname"}`,
	}
	for format, want := range tests {
		s, err := Compile(fmt.Appendf(nil, `{"format":%q}`, format), AssertFormats())
		if err != nil {
			t.Fatal(err)
		}
		_, vs, _ := s.Check(t.Context(), []byte(`"x_"`))
		if diff := cmp.Diff(want+"\n", lines(t, vs)); diff != "" {
			t.Errorf("%s: %s", format, diff)
		}
	}
}

// TestValuesInWords: values of enums are written as Python's repr writes them, checked against Pydantic 2.14.
func TestValuesInWords(t *testing.T) {
	tests := map[string]string{
		`["a",1,null,true]`: `'a', 1, None or True`,
		`["it's"]`:          `"it's"`,
		`["a\"b'c"]`:        `'a"b\'c'`,
		`["a\nb"]`:          `'a\nb'`,
		`["a\\b"]`:          `'a\\b'`,
		`["é\u200b\u0000"]`: `'é\u200b\x00'`,
		`["\ud83d\ude00"]`:  `'😀'`,
	}
	for values, want := range tests {
		_, vs, _ := mustCompile(t, `{"enum":`+values+`}`).Check(t.Context(), []byte(`"z"`))
		if len(vs) != 1 || vs[0].Ctx["expected"] != want || vs[0].Msg != "Input should be "+want {
			t.Errorf("%s: got %s, want %s", values, lines(t, vs), want)
		}
	}
}
