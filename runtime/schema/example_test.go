package schema

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestExample(t *testing.T) {
	for schema, want := range map[string]string{
		// What the schema gives.
		`{"type":"string","examples":[7,"of examples"],"default":"d"}`:   `"of examples"`,
		`{"type":"string","example":"of OpenAPI","default":"d"}`:         `"of OpenAPI"`,
		`{"type":"string","default":"of default"}`:                       `"of default"`,
		`{"const":{"b":1,"a":[null]}}`:                                   `{"a":[null],"b":1}`,
		`{"enum":["low","high"],"not":{"const":"low"}}`:                  `"high"`,
		`{"type":"string","example":"long","maxLength":3}`:               `"Exa"`,
		`{"$ref":"#/$defs/a","$defs":{"a":{"examples":["of the ref"]}}}`: `"of the ref"`,
		// Texts.
		`{"type":"string"}`:                                  `"Example"`,
		`{"type":"string","minLength":10}`:                   `"Example and more"`,
		`{"type":"string","pattern":"^[A-Z]{2}-\\d+$"}`:      `"AB-3"`,
		`{"type":"string","format":"email"}`:                 `"ada@example.com"`,
		`{"type":"string","format":"date-time"}`:             `"2026-01-31T09:30:00Z"`,
		`{"allOf":[{"minLength":3},{"pattern":"^[0-9]+$"}]}`: `"1234"`,
		// Numbers.
		`{"type":"integer"}`: `1`, `{"type":"integer","minimum":18}`: `18`, `{"type":"integer","exclusiveMaximum":-4}`: `-5`,
		`{"type":"number","minimum":0.5,"maximum":0.75}`: `0.625`, `{"multipleOf":7,"minimum":8}`: `14`,
		`{"type":"integer","multipleOf":0.5,"minimum":2.2}`: `3`, `{"type":"number","exclusiveMinimum":0,"exclusiveMaximum":0.5}`: `0.25`,
		// Objects: in the order of the schema.
		`{"properties":{"question":{"type":"string"},"a_b":{"type":"boolean"}},"required":["question"]}`:                       `{"question":"Example question","a_b":true}`,
		`{"type":"object","oneOf":[{"required":["a"]},{"required":["b"]}],"properties":{"a":{"const":1},"b":{"const":2}}}`:     `{"a":1}`,
		`{"type":"object","additionalProperties":{"type":"integer"}}`:                                                          `{"key":1}`,
		`{"type":"object","patternProperties":{"^x-":{"type":"integer"}},"additionalProperties":false}`:                        `{"x-":1}`,
		`{"type":"object","propertyNames":{"enum":["en","de"]},"minProperties":2,"additionalProperties":{"type":"null"}}`:      `{"de":null,"en":null}`,
		`{"required":["a"],"dependentRequired":{"a":["b"]},"properties":{"a":{"const":1}},"additionalProperties":{"const":2}}`: `{"a":1,"b":2}`,
		`{"type":"object","properties":{"a":{"not":{}}}}`:                                                                      `{}`,
		// Lists.
		`{"type":"array","items":{"type":"string"}}`:                                              `["Example"]`,
		`{"items":{"enum":["a","b","c"]},"minItems":3,"uniqueItems":true,"type":"array"}`:         `["a","b","c"]`,
		`{"items":{"type":"integer","maximum":0},"minItems":3,"uniqueItems":true,"type":"array"}`: `[0,-1,-2]`,
		`{"prefixItems":[{"type":"integer"},{"type":"boolean"}],"items":false}`:                   `[1,true]`,
		`{"type":"array","contains":{"const":"x"},"minContains":2,"items":{"type":"string"}}`:     `["x","x"]`,
		// Unions: what can be null is not.
		`{"anyOf":[{"type":"null"},{"type":"integer"}]}`: `1`, `{"type":["null","integer"]}`: `1`,
		`{"oneOf":[{"type":"integer"},{"minimum":2}],"type":"number"}`:                                                                                      `1`,
		`{"if":{"properties":{"k":{"const":"a"}}},"then":{"required":["x"]},"properties":{"k":{"enum":["a","b"]},"x":{"type":"integer"}},"required":["k"]}`: `{"k":"a","x":1}`,
		// Recursion.
		`{"type":"object","properties":{"n":{"type":"integer"},"next":{"$ref":"#"}},"required":["n"]}`:         `{"n":1,"next":{"n":1}}`,
		`{"type":"object","required":["next"],"properties":{"next":{"anyOf":[{"$ref":"#"},{"type":"null"}]}}}`: `{"next":null}`,
	} {
		s, err := Compile([]byte(schema), AssertFormats())
		if err != nil {
			t.Fatalf("%s: %v", schema, err)
		}
		if got, ok := s.Example(); !ok || string(got) != want {
			t.Errorf("%s:\ngot  %s, %v\nwant %s", schema, got, ok, want)
		}
	}
}

// TestNoExample: nothing satisfies these, or only what is beyond the bounds; looking for it ends.
func TestNoExample(t *testing.T) {
	ways := `{"not":{},"allOf":[true` + strings.Repeat(`,{"anyOf":[{"minimum":1},{"minimum":2},{"minimum":3}]}`, 30) + `]}`
	for name, schema := range map[string]string{
		"never": `false`, "itself": `{"type":"object","required":["next"],"properties":{"next":{"$ref":"#"}}}`,
		"long": `{"type":"string","minLength":5000}`, "many": `{"type":"array","minItems":1000,"items":{"type":"integer"}}`,
		"members": `{"type":"object","minProperties":1000}`, "ways": ways, "contradiction": `{"type":"integer","minimum":5,"maximum":4}`,
		"large": `{"const":"` + strings.Repeat("x", MaxExampleBytes) + `"}`,
	} {
		s, err := Compile([]byte(schema))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if got, ok := s.Example(); ok {
			t.Errorf("%s: got %.100s, want none", name, got)
		}
	}
}

// TestExamplesOfTheSuite: an example satisfies its schema, as the compiler's own validator sees it, too; and nearly every schema of
// the official suite that anything satisfies has one.
func TestExamplesOfTheSuite(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(suite(t), "*.json"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no cases: %v", err)
	}
	satisfiable, found := 0, 0
	for _, file := range files {
		var groups []suiteGroup
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(text, &groups); err != nil {
			t.Fatal(err)
		}
		for _, group := range groups {
			s, err := Compile(group.Schema)
			if err != nil {
				continue // as runSuite has it
			}
			example, ok := s.Example()
			if ok {
				found++
				mustSatisfy(t, s, example)
			}
			if group.isSatisfiable() {
				satisfiable++
				if !ok {
					t.Logf("%s: no example of %s: %s", filepath.Base(file), group.Description, group.Schema)
				}
			}
		}
	}
	if found < satisfiable*97/100 || satisfiable < 200 {
		t.Errorf("%d of %d schemas have an example", found, satisfiable)
	}
	t.Logf("%d of %d", found, satisfiable)
}

func (g suiteGroup) isSatisfiable() bool {
	for _, c := range g.Tests {
		if c.Valid {
			return true
		}
	}
	return false
}

func mustSatisfy(t *testing.T, s *Schema, example []byte) {
	t.Helper()
	if _, wrong, err := s.Check(t.Context(), example); err != nil || len(wrong) > 0 {
		t.Errorf("%s: the example %s has %v, %v", s.JSON(), example, wrong, err)
	}
	doc, fault := decode(nil, example, schemaLimits)
	if fault != nil {
		t.Fatalf("%s is not JSON: %v", example, fault)
	}
	if err := s.compiled.Validate(settle(doc.value)); err != nil {
		t.Errorf("%s: the example %s: %v", s.JSON(), example, err)
	}
}
