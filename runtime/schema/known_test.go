package schema

import (
	"fmt"
	"strings"
	"testing"
)

// TestCheckKnown: what is told is wrong whatever an Unknown turns out to be.
func TestCheckKnown(t *testing.T) {
	unknown, text, number := UnknownOf(), UnknownOf("string"), UnknownOf("integer", "number")
	object := func(members ...any) map[string]any {
		m := map[string]any{}
		for i := 0; i < len(members); i += 2 {
			m[members[i].(string)] = members[i+1]
		}
		return m
	}
	for name, tt := range map[string]struct {
		schema string
		value  any
		want   string // the first violation; none where empty
	}{
		"anything":                      {`{"type":"integer"}`, unknown, ""},
		"a text for an integer":         {`{"type":"integer"}`, text, "int_type at []"},
		"a text for a nullable integer": {`{"anyOf":[{"type":"integer"},{"type":"null"}]}`, text, "int_type at []"},
		"a nullable text for it":        {`{"anyOf":[{"type":"integer"},{"type":"null"}]}`, text.OrNull(), ""},
		"a number for an integer":       {`{"type":"integer"}`, number, ""},
		"behind a reference":            {`{"$ref":"#/$defs/n","$defs":{"n":{"type":"integer"}}}`, text, "int_type at []"},
		"a number for texts":            {`{"enum":["a","b"]}`, number, "literal_error at []"},
		"a text for one of them":        {`{"enum":["a","b"]}`, text, ""},
		"a number for a constant":       {`{"const":"a"}`, number, "literal_error at []"},
		"nothing allowed":               {`{"type":"object","properties":{"a":false}}`, object("a", unknown), "extra_forbidden at [a]"},
		"a literal beside":              {`{"type":"object","properties":{"a":{"type":"integer"},"b":{"type":"string"}}}`, object("a", "x", "b", unknown), "int_parsing at [a]"},
		"a literal in a list":           {`{"type":"array","items":{"type":"integer"}}`, []any{unknown, "x"}, "int_parsing at [1]"},
		"a member that is missing":      {`{"type":"object","required":["a"]}`, object("b", unknown), "missing at [a]"},
		"one with a default":            {`{"type":"object","required":["a"],"properties":{"a":{"default":1}}}`, object("b", unknown), ""},
		"one too many":                  {`{"type":"object","additionalProperties":false}`, object("b", unknown), "extra_forbidden at [b]"},
		"a list too long":               {`{"type":"array","maxItems":1}`, []any{unknown, unknown}, "too_long at []"},
		"equal items, perhaps":          {`{"type":"array","uniqueItems":true}`, []any{unknown, 1, unknown}, ""},
		"many that are, perhaps":        {`{"type":"array","uniqueItems":true}`, []any{unknown, 1, 2, 3, 4, 5, 6, 7, 8, 9, unknown}, ""},
		"none contained, perhaps":       {`{"type":"array","contains":{"const":1}}`, []any{unknown, 2}, ""},
		"none contained":                {`{"type":"array","contains":{"const":1}}`, []any{text, 2}, "contains_too_few at []"},
		"too many contained, perhaps":   {`{"type":"array","contains":{"const":1},"maxContains":1}`, []any{unknown, 1}, ""},
		"not, perhaps":                  {`{"not":{"properties":{"a":{"const":1}}}}`, object("a", unknown), ""},
		"not":                           {`{"not":{"properties":{"b":{"const":1}}}}`, object("a", unknown, "b", 1), "not_allowed at []"},
		"if, perhaps":                   {`{"if":{"properties":{"a":{"const":1}}},"then":false,"else":false}`, object("a", unknown), ""},
		"if, certainly not":             {`{"if":{"properties":{"a":{"const":1}}},"then":true,"else":{"required":["c"]}}`, object("a", 2, "b", unknown), "missing at [c]"},
		"if, certainly":                 {`{"if":{"properties":{"a":{"const":1}}},"then":{"required":["c"]}}`, object("a", 1, "b", unknown), "missing at [c]"},
		"several forms, perhaps":        {`{"oneOf":[{"required":["a"]},{"properties":{"a":{"const":1}}}]}`, object("a", unknown), ""},
		"several forms":                 {`{"oneOf":[{"required":["b"]},{"properties":{"b":{"const":1}}}]}`, object("a", unknown, "b", 1), "one_of_ambiguous at []"},
		"none of the forms":             {`{"oneOf":[{"required":["b"],"properties":{"b":{"const":2}}},{"properties":{"b":{"const":3}}}]}`, object("a", unknown, "b", 1), "literal_error"},
		"a constant with it in it":      {`{"const":{"a":1}}`, object("a", unknown), ""},
		"a constant beside it":          {`{"const":{"a":1,"b":2}}`, object("a", unknown, "b", 3), "literal_error at []"},
		"unevaluated, perhaps":          {`{"if":{"properties":{"a":{"const":1}}},"then":{"properties":{"b":true}},"properties":{"a":true},"unevaluatedProperties":false}`, object("a", unknown, "b", 1), ""},
		"a default of a form, perhaps": {
			`{"discriminator":{"propertyName":"k"},"oneOf":[{"properties":{"k":{"const":"a"},"d":{"default":1}},"required":["d"]},{"properties":{"k":{"const":"b"}},"required":["e"]}]}`,
			object("k", unknown), "",
		},
		"a form by its tag": {
			`{"discriminator":{"propertyName":"k"},"oneOf":[{"properties":{"k":{"const":"a"}}},{"properties":{"k":{"const":"b"}},"required":["e"]}]}`,
			object("k", "b", "x", unknown), "missing at [b e]",
		},
	} {
		t.Run(name, func(t *testing.T) {
			found := mustCompile(t, tt.schema).CheckKnown(NewWorkBudget(t.Context()), tt.value)
			got := ""
			if len(found) > 0 {
				got = fmt.Sprintf("%s at %v", found[0].Type, found[0].Loc)
			}
			if !strings.HasPrefix(got, tt.want) || (got == "") != (tt.want == "") {
				t.Errorf("%s %v, want %q", got, found, tt.want)
			}
		})
	}
}

// TestChecksOfWhatIsKnownHaveOneWork: once it is used up nothing is found, and nothing takes more.
func TestChecksOfWhatIsKnownHaveOneWork(t *testing.T) {
	s, w := mustCompile(t, `{"type":"array","items":{"type":"integer"}}`), NewWorkBudget(t.Context())
	long := make([]any, MaxBodyNodes-1)
	for i := range long {
		long[i] = UnknownOf("integer")
	}
	long[0] = "x"
	checks := 0
	for ; checks < 1000 && len(s.CheckKnown(w, long)) > 0; checks++ {
	}
	if checks == 0 || checks == 1000 {
		t.Errorf("%d checks", checks)
	}
}
