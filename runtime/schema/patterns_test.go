package schema

import (
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"
)

// TestPatternsAreECMA: patterns are in the dialect that JSON Schema names, wherever they stand, and are told as written.
func TestPatternsAreECMA(t *testing.T) {
	for schema, tests := range map[string]map[string]string{
		`{"type":"string","pattern":"^[\\u4e00-\\u9fa5]{2,4}$"}`: {
			`"中文"`:  "",
			`"abc"`: `{"type":"string_pattern_mismatch","loc":["body"],"msg":"String should match pattern '^[\\u4e00-\\u9fa5]{2,4}$'","ctx":{"pattern":"^[\\u4e00-\\u9fa5]{2,4}$"}}` + "\n",
		},
		`{"pattern":"^\\ud83c\\udf75\\s\\/$"}`: {`"🍵\u00a0/"`: "", `"🍵"`: `{"type":"string_pattern_mismatch","loc":["body"],"msg":"String should match pattern '^\\ud83c\\udf75\\s\\/$'","ctx":{"pattern":"^\\ud83c\\udf75\\s\\/$"}}` + "\n"},
		`{"pattern":"^\\\\u0041$"}`:            {`"\\u0041"`: ""},
		`{"patternProperties":{"^\\u00e9":{"type":"integer"}},"additionalProperties":false}`: {
			`{"é1":1}`: "", `{"é":"x"}`: `{"type":"int_parsing","loc":["body","é"],"msg":"Input should be a valid integer, unable to parse string as an integer"}` + "\n",
			`{"e":1}`: `{"type":"extra_forbidden","loc":["body","e"],"msg":"Extra inputs are not permitted"}` + "\n",
		},
		`{"patternProperties":{"^\\u00e9$":{"properties":{"a":{"default":1}}}}}`: {`{"é":{}}`: ""},
	} {
		s := mustCompile(t, schema)
		for body, want := range tests {
			if _, vs, _ := s.Check(t.Context(), []byte(body)); lines(t, vs) != want {
				t.Errorf("%s of %s: got %s", body, schema, lines(t, vs))
			}
		}
	}
	p := mustParameter(t, `{"type":"string","pattern":"^[\\u4e00-\\u9fa5]+$"}`, Query, true)
	if value, vs, _ := p.Parse(NewWorkBudget(t.Context()), []string{"中"}); value != "中" {
		t.Errorf("a parameter: %v", vs)
	}
	if _, vs, _ := p.Parse(NewWorkBudget(t.Context()), []string{"x"}); len(vs) != 1 || vs[0].Ctx["pattern"] != `^[\u4e00-\u9fa5]+$` {
		t.Errorf("a parameter: %v", vs)
	}
	for pattern, reason := range map[string]string{`\\Z`: "invalid escape sequence", `\\p{Script=Greek}`: "invalid character class range", `\\uzz`: "invalid escape sequence"} {
		_, err := Compile([]byte(`{"properties":{"a":{"pattern":"` + pattern + `"}}}`))
		if e, ok := errors.AsType[*Error](err); !ok || e.Pointer != "/properties/a/pattern" || !strings.Contains(e.Reason, reason) {
			t.Errorf("%s: %v", pattern, err)
		}
	}
}

// TestLongPatterns: lists of names, as programs have them.
func TestLongPatterns(t *testing.T) {
	var names []string
	for i := range 600 {
		names = append(names, fmt.Sprintf("Region%d/Town_%03d", i/50, i))
	}
	s := mustCompile(t, `{"required":["zone"],"properties":{"zone":{"type":"string","pattern":"^(`+strings.Join(names, "|")+`)$"}}}`)
	if _, vs, _ := s.Check(t.Context(), []byte(`{"zone":"Region11/Town_599"}`)); vs != nil {
		t.Error(vs)
	}
	if _, vs, _ := s.Check(t.Context(), []byte(`{"zone":"Region11/Town_600"}`)); len(vs) != 1 || vs[0].Type != "string_pattern_mismatch" {
		t.Error(vs)
	}
}

// TestHostilePatternsCostLittle: what a tenant writes is refused before automata are made of it.
func TestHostilePatternsCostLittle(t *testing.T) {
	many := func(n int, pattern string) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, `"p%d":{"type":"string","pattern":"%s%d"},`, i, pattern, i)
		}
		return `{"properties":{` + strings.TrimSuffix(b.String(), ",") + `}}`
	}
	for name, schema := range map[string]string{
		"repeats":            many(40, strings.Repeat("(a|b|c|d){1000}", 60)),
		"nested repeats":     many(40, strings.Repeat("((a|bc){30}x?){33}", 50)),
		"just below a bound": many(40, strings.Repeat("[a-z]{1000}", 19)),
		"Unicode":            many(60, strings.Repeat(`\\pL`, 90)),
		"white space":        many(60, strings.Repeat(`\\S`, 300)),
		"case":               many(60, `(?i)[`+strings.Repeat(`A-\\x{1e942}`, 3)+`]`),
		"names":              `{"patternProperties":{"` + strings.Repeat("(a|b|c|d){1000}", 60) + `":true}}`,
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err := Compile([]byte(schema))
		runtime.ReadMemStats(&after)
		if used := after.TotalAlloc - before.TotalAlloc; err == nil || used > 12<<20 {
			t.Errorf("%s: %d bytes, %v", name, used, err)
		}
	}
}
