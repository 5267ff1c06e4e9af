package schema

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/llmservice/llmservice/runtime/pattern"
)

const branching = `{"$ref":"#/$defs/n","$defs":{"n":{"anyOf":[
	{"properties":{"c":{"$ref":"#/$defs/n"},"x":{"const":[1]}},"required":["c"]},
	{"properties":{"c":{"$ref":"#/$defs/n"},"x":{"const":[2]}},"required":["c"]},{"required":["z"]}]}}}`

func nested(n int) []byte {
	return []byte(strings.Repeat(`{"x":[3],"c":`, n) + `{}` + strings.Repeat("}", n))
}

// TestWorkIsBounded: both branches of the schema look at every child, so that each level of a body doubles the work; 64
// levels would take longer than the universe has.
func TestWorkIsBounded(t *testing.T) {
	s := mustCompile(t, branching)
	if _, vs, _ := s.Check(t.Context(), nested(5)); len(vs) == 0 || vs[0].Type == "json_invalid" {
		t.Errorf("a modest body: %v", vs)
	}
	for _, body := range [][]byte{nested(60), []byte("[" + string(nested(60)) + "]")} {
		s := s
		if body[0] == '[' {
			s = mustCompile(t, `{"items":`+strings.ReplaceAll(branching, "#/$defs", "#/items/$defs")+`}`)
		}
		if _, vs, err := s.Check(t.Context(), body); err != nil || len(vs) != 1 || vs[0].Ctx["error"] != "Too much work to validate" {
			t.Errorf("got %v, %v", vs, err)
		}
	}
}

// TestWorkEndsWithItsContext, and gives its cause, wherever the work is.
func TestWorkEndsWithItsContext(t *testing.T) {
	gone := errors.New("the client has gone")
	letters := `"` + strings.Repeat("a", 1<<20) + `"`
	numbers := "[" + strings.Repeat("1.5,", 50_000) + "2]"
	for name, tt := range map[string]struct{ schema, body string }{
		"decoding": {`true`, numbers}, "items": {`{"items":{"type":"integer"}}`, numbers}, "uniqueItems": {`{"uniqueItems":true}`, numbers},
		"patterns": {`{"pattern":"[a-z]{1,1000}@"}`, letters}, "branches": {branching, string(nested(60))},
		"names": {`{"patternProperties":{"(a|b)*c":true}}`, `{` + letters + `:1}`}, "defaults": {`{"items":{"properties":{"a":{"default":1}}}}`, "[" + strings.Repeat("{},", 50_000) + "{}]"},
	} {
		ctx, cancel := context.WithCancelCause(t.Context())
		cancel(gone)
		value, vs, err := mustCompile(t, tt.schema).Check(ctx, []byte(tt.body))
		if !errors.Is(err, gone) || value != nil || name != "decoding" && len(vs) > 1 {
			t.Errorf("%s: %v, %d violations", name, err, len(vs))
		}
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(gone)
	if value, vs, err := Decode(ctx, []byte(numbers)); !errors.Is(err, gone) || value != nil || vs != nil {
		t.Errorf("without a schema: %v, %d violations", err, len(vs))
	}
	if value, err := DecodeLenient(ctx, []byte(numbers)); !errors.Is(err, gone) || value != nil {
		t.Errorf("leniently: %v", err)
	}
	p := mustParameter(t, `{"type":"string","pattern":"[a-z]{1,1000}@"}`, Query, true)
	if _, _, err := p.Parse(NewWorkBudget(ctx), []string{strings.Repeat("a", 60_000)}); !errors.Is(err, gone) {
		t.Errorf("a parameter: %v", err)
	}
}

// allocated is how many bytes are allocated meanwhile.
func allocated(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

// TestViolationsCostLittle: a body in which everything is wrong takes hardly more memory than decoding it.
func TestViolationsCostLittle(t *testing.T) {
	const parts = `{"oneOf":[{"type":"object","required":["type","text"],"properties":{"type":{"const":"text"},"text":{"type":"string"}}},
		{"type":"object","required":["type","image_url"],"properties":{"type":{"const":"image"},"image_url":{"type":"object","required":["url"]}}}]}`
	empties := "[" + strings.Repeat("{},", 199_000) + "{}]"
	var members strings.Builder
	for i := range 9999 {
		fmt.Fprintf(&members, `,"n%d":[]`, i)
	}
	object := "{" + members.String()[1:] + "}"
	tests := map[string]struct {
		schema, body string
		violations   int
	}{
		"too long":               {`{"maxItems":20,"items":` + parts + `}`, empties, 1},
		"as long as one likes":   {`{"items":` + parts + `}`, empties, MaxViolations},
		"tagged":                 {`{"items":{"discriminator":{"propertyName":"type"},` + parts[1:] + `}`, empties, MaxViolations},
		"unique":                 {`{"uniqueItems":true,"items":` + parts + `}`, empties, MaxViolations},
		"nested unions":          {`{"items":{"anyOf":[` + parts + `,{"anyOf":[` + parts + `,{"oneOf":[` + parts + `,false]}]}]}}`, empties, MaxViolations},
		"many branches":          {`{"items":{"anyOf":[` + strings.Repeat(parts+",", 100) + `false]}}`, empties, MaxViolations},
		"each branch is long":    {`{"anyOf":[` + strings.Repeat(`{"items":`+parts+`},`, 50) + `false]}`, empties, MaxViolations},
		"all of many":            {`{"allOf":[` + strings.Repeat(`{"items":`+parts+`},`, 50) + `true]}`, empties, MaxViolations},
		"members":                {`{"additionalProperties":{"type":"string"}}`, object, MaxViolations},
		"forbidden members":      {`{"additionalProperties":false}`, object, MaxViolations},
		"unevaluated members":    {`{"unevaluatedProperties":false}`, object, MaxViolations},
		"names":                  {`{"propertyNames":{"maxLength":1,"pattern":"^x"}}`, object, MaxViolations},
		"unevaluated items":      {`{"unevaluatedItems":{"type":"string"}}`, empties, MaxViolations},
		"contains":               {`{"contains":{"type":"string"}}`, empties, 1},
		"contains too many":      {`{"contains":{"type":"object"},"maxContains":3}`, empties, 1},
		"lists of lists":         {`{"items":{"items":{"type":"string"}}}`, "[" + strings.Repeat("[1,1,1,1,1,1,1,1,1],", 15_000) + "[]]", MaxViolations},
		"not":                    {`{"items":{"not":{}}}`, empties, MaxViolations},
		"formats":                {`{"items":{"type":"string","format":"uuid"}}`, `["` + strings.Repeat("-", 4<<20) + `"]`, 1},
		"a tag of another kind":  {`{"items":{"discriminator":{"propertyName":"type"},` + parts[1:] + `}`, `[{"type":` + empties[:300_000] + `{}]}]`, 1},
		"required of everything": {`{"items":{"required":["a","b","c","d","e","f","g","h"]}}`, empties, MaxViolations},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			s, err := Compile([]byte(tt.schema), AssertFormats(), EchoInputs())
			if err != nil {
				t.Fatal(err)
			}
			body := []byte(tt.body)
			decoding := allocated(func() { _, _, _ = Decode(t.Context(), body) })
			used := allocated(func() {
				_, vs, err := s.Check(t.Context(), body)
				if err != nil || len(vs) != tt.violations {
					t.Errorf("%d violations, %v", len(vs), err)
				}
			})
			most := decoding + 8<<20
			if strings.Contains(name, "branch") { // each has to be looked at, one after the other
				most += 16 << 20
			}
			if used > most {
				t.Errorf("%d bytes, of which decoding takes %d", used, decoding)
			}
		})
	}
}

// TestTooLongIsNotLookedInto, neither for the answer nor for what is told.
func TestTooLongIsNotLookedInto(t *testing.T) {
	list := make([]any, 1000)
	for i := range list {
		list[i] = strings.Repeat("a", 100)
	}
	for schema, value := range map[string]any{
		`{"maxItems":20,"items":{"pattern":"[a-z]{1,1000}@"},"uniqueItems":true,"contains":{"pattern":"[a-z]{1,1000}@"}}`: list,
		`{"maxLength":20,"pattern":"[a-z]{1,1000}@"}`: strings.Repeat("a", 1000),
	} {
		w := NewWorkBudget(t.Context())
		e := evaluation{work: w, room: maxRanked}
		var errs tally
		if e.apply(mustCompile(t, schema).root, value, nil, nil, nil) || e.apply(mustCompile(t, schema).root, value, nil, nil, &errs) {
			t.Errorf("%s: accepted", schema)
		}
		if len(errs) != 1 || w.matches != maxMatches || w.visits < maxVisits-50 {
			t.Errorf("%s: %d errors, %d steps of matching, %d others", schema, len(errs), maxMatches-w.matches, maxVisits-w.visits)
		}
	}
}

// TestNumbersInEnumsAreLookedUp, and compared by what they are.
func TestNumbersInEnumsAreLookedUp(t *testing.T) {
	s := mustCompile(t, `{"items":{"enum":[`+strings.Repeat("7,", 3000)+`8, 1.50, 1e2, "a", [1.0], {"a":null}]}}`)
	if _, vs, _ := s.Check(t.Context(), []byte("[100.0,1.5,[1],{\"a\":null},8.0,\"a\""+strings.Repeat(",7", 5000)+"]")); vs != nil {
		t.Error(vs)
	}
	if _, vs, _ := s.Check(t.Context(), []byte(`["7"]`)); len(vs) != 1 {
		t.Error(vs)
	}
}

// TestOrdinaryRecursionIsAffordable: a tree is visited once, whatever its depth.
func TestOrdinaryRecursionIsAffordable(t *testing.T) {
	s := mustCompile(t, `{"$ref":"#/$defs/n","$defs":{"n":{"type":"object","properties":{"left":{"$ref":"#/$defs/n"},"right":{"$ref":"#/$defs/n"}}}}}`)
	if _, vs, _ := s.Check(t.Context(), []byte(strings.Repeat(`{"right":{},"left":`, MaxBodyDepth-1)+`{}`+strings.Repeat("}", MaxBodyDepth-1))); vs != nil {
		t.Errorf("got %v", vs)
	}
}

// TestPatternsAreBounded: what takes too long is refused by its place; a text that is too long is not matched at all.
func TestPatternsAreBounded(t *testing.T) {
	const dense = `"[a-z]{1,1000}@"`
	long := strings.Repeat("a", 1<<20)
	var patterns []string
	for i := range 500 {
		patterns = append(patterns, fmt.Sprintf(`"(a|b)*c%d":true`, i))
	}
	names := `{"patternProperties":{` + strings.Join(patterns, ",") + `}}`
	for _, tt := range []struct{ schema, body, want string }{
		{`{"properties":{"mail":{"items":{"pattern":` + dense + `}}}}`, `{"mail":["a@","` + long + `"]}`, `{"type":"value_error","loc":["body","mail",1],"msg":"Input takes too much work to validate"}` + "\n"},
		{`{"properties":{"mail":{"pattern":` + dense + `,"maxLength":100}}}`, `{"mail":"` + long + `"}`, `{"type":"string_too_long","loc":["body","mail"],"msg":"String should have at most 100 characters","ctx":{"max_length":100}}` + "\n"},
		{`{"pattern":` + dense + `}`, `"` + strings.Repeat("a", 4000) + `@"`, ""},
		{names, `{"` + strings.Repeat("a", 1000) + `":1}`, ""},
		{names, `{"` + long + `":1}`, `{"type":"value_error","loc":["body"],"msg":"Input takes too much work to validate"}` + "\n"},
		{`{"propertyNames":{"pattern":` + dense + `}}`, `{"` + long + `":1}`, `{"type":"value_error","loc":["body","` + strings.Repeat("a", maxShownName) + `…"],"msg":"Input takes too much work to validate"}` + "\n"},
		{`{"pattern":"^[^<>]*$"}`, `"` + strings.Repeat("a", 4<<20) + `"`, ""},
		{`{"anyOf":[{"pattern":` + dense + `},{"type":"string"}]}`, `"` + long + `"`, `{"type":"value_error","loc":["body"],"msg":"Input takes too much work to validate"}` + "\n"},
		{`{"items":{"format":"regex"}}`, `["` + strings.Repeat("(a|b)", 3000) + `"` + strings.Repeat(`,"`+strings.Repeat("(a|b)", 3000)+`"`, 40) + `]`, `{"type":"value_error","loc":["body",27],"msg":"Input takes too much work to validate"}` + "\n"},
	} {
		s, err := Compile([]byte(tt.schema), AssertFormats())
		if err != nil {
			t.Fatal(err)
		}
		if _, vs, err := s.Check(t.Context(), []byte(tt.body)); err != nil || lines(t, vs) != tt.want {
			t.Errorf("%.80s on %.20s: %.300s, %v", tt.schema, tt.body, lines(t, vs), err)
		}
	}
}

// TestPatternsBesideALength: at load it is known whether the longest text can be matched.
func TestPatternsBesideALength(t *testing.T) {
	for length, want := range map[int]string{100: "", 4000: "", 10_000: "lower maxLength", MaxBodyBytes: "lower maxLength", MaxBodyBytes + 1: ""} {
		_, err := Compile(fmt.Appendf(nil, `{"items":{"maxLength":%d,"pattern":"[a-z]{1,1000}@"}}`, length))
		e, _ := errors.AsType[*Error](err)
		if want == "" && err != nil || want != "" && (e == nil || e.Pointer != "/items/pattern" || !strings.Contains(e.Reason, want)) {
			t.Errorf("%d: %v", length, err)
		}
	}
	if p, _ := pattern.Compile(`[a-z]{1,1000}@`); maxMatches/p.Size() < 4000 {
		t.Errorf("the automaton has %d instructions", p.Size())
	}
}

// TestUniqueItems: equal is what JSON Schema calls so, and nobody can make it slow.
func TestUniqueItems(t *testing.T) {
	s := mustCompile(t, `{"uniqueItems":true}`)
	filler := ""
	for i := range 30 {
		filler += fmt.Sprintf(`"f%d",`, i)
	}
	for _, prefix := range []string{"", filler} {
		for list, repeats := range map[string]bool{
			`1,1.0`: true, `1,true`: false, `0,false`: false, `"1",1`: false, `{"a":1,"b":[2]},{"b":[2.0],"a":1}`: true, `{"a":1},{"a":2}`: false,
			`[1,[2]],[1,[2.0]]`: true, `[1,2],[2,1]`: false, `null,false`: false, `1e18,1000000000000000000`: true, `-0,0`: true, `0.1,0.10`: true,
			`12345678901234567890,12345678901234567891`: false, `12345678901234567890,12345678901234567890.0`: true, `[],{}`: false, `"",null`: false,
			`[["a"],"b"],["a",["b"]]`: false, `["a","b"],["a\u0004b"]`: false, `9007199254740993,9007199254740992.0`: false,
		} {
			_, vs, _ := s.Check(t.Context(), []byte("["+prefix+list+"]"))
			if (len(vs) == 1) != repeats {
				t.Errorf("%s: %v", list, vs)
			}
		}
	}
}

// TestNoHashChains: values that are alike in any one way, of which none is there twice, take steps that are linear in them: all are
// told apart without being compared.
func TestNoHashChains(t *testing.T) {
	bits := func(i int) []any {
		list := make([]any, 14)
		for b := range list {
			list[b] = i&(1<<b) != 0
		}
		return list
	}
	for name, item := range map[string]func(i int) any{
		"texts of one length":       func(i int) any { return fmt.Sprintf("%05d", i) },
		"texts in two pieces":       func(i int) any { return []any{fmt.Sprintf("%05d", i/2) + strings.Repeat("\x04b", i%2), "b"}[:2-i%2] },
		"whole numbers":             func(i int) any { return int64(i) },
		"fractions":                 func(i int) any { return float64(i) + 0.5 },
		"lists of one length":       func(i int) any { return []any{int64(i), int64(1)} },
		"the same in another order": func(i int) any { return []any{int64(i / 2 * (1 - i%2)), int64(i / 2 * (i % 2)), "x", int64(i)} },
		"lists of booleans":         func(i int) any { return bits(i) },
		"lists in lists":            func(i int) any { return []any{[]any{[]any{int64(i)}}} },
		"objects of the same names": func(i int) any { return map[string]any{"a": int64(i), "b": nil} },
		"objects of other names":    func(i int) any { return map[string]any{fmt.Sprintf("%05d", i): int64(1)} },
		"values under other names":  func(i int) any { return map[string]any{"a": int64(i / 2), "b": int64(i/2 + i%2*7919)} },
	} {
		t.Run(name, func(t *testing.T) {
			list := make([]any, 1<<14)
			for i := range list {
				list[i] = item(i)
			}
			w := NewWorkBudget(t.Context())
			_, _, found := w.duplicates(list)
			taken := maxVisits - w.visits
			if found || w.err != nil || taken < len(list) || taken > 20*len(list) {
				t.Errorf("found %v, %v, %d steps", found, w.err, taken)
			}
			w = NewWorkBudget(t.Context())
			kept, _ := w.distinct(slices.Concat(list, list[:1]))
			if taken := maxVisits - w.visits; len(kept) != len(list) || w.err != nil || taken > 50*len(list) {
				t.Errorf("dropped: %d are kept, %v, %d steps", len(kept), w.err, taken)
			}
		})
	}
}
