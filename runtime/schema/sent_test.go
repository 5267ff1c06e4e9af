package schema

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

// TestMembersAsSent: members that no schema has an order for are told of in the order in which they were sent, as FastAPI
// 0.165 with Pydantic 2.14 does for the like models.
func TestMembersAsSent(t *testing.T) {
	const strict = `{"type":"object","required":["b","a"],"additionalProperties":false,"properties":{"a":{"type":"integer"},"b":{"type":"integer"}}}`
	const numbers = `{"type":"object","additionalProperties":{"type":"integer"}}`
	long := strings.Repeat("a", maxShownName+1)
	tests := map[string]struct{ schema, body, want string }{
		"forbidden":           {strict, `{"z":1,"a":"x","y":2}`, "missing@b int_parsing@a extra_forbidden@z extra_forbidden@y"},
		"values of a list":    {`{"items":` + numbers + `}`, `[{"b":"x","a":null},{"a":"x","b":null}]`, "int_parsing@0.b int_type@0.a int_parsing@1.a int_type@1.b"},
		"models of a mapping": {`{"additionalProperties":` + strict + `}`, `{"q":{"y":1,"a":1,"b":1,"x":1},"o":{"a":1,"b":2},"p":{"a":[],"b":[]}}`, "extra_forbidden@q.y extra_forbidden@q.x int_type@p.b int_type@p.a"},
		"names":               {`{"propertyNames":{"minLength":3},"additionalProperties":{"type":"integer"}}`, `{"b":"x","a":1,"abc":"y"}`, "string_too_short@b.[key] int_parsing@b string_too_short@a.[key] int_parsing@abc"},
		"among right ones":    {numbers, `{"c":1,"b":"x","d":{},"a":"\u0062"}`, "int_parsing@b int_type@d int_parsing@a"},
		"forbidden last":      {`{"properties":{"p":{"type":"integer"}},"patternProperties":{"^s":{"type":"integer"}},"unevaluatedProperties":false}`, `{"y":1,"s2":[],"x":1,"s1":[],"p":[]}`, "int_type@p int_type@s2 int_type@s1 extra_forbidden@y extra_forbidden@x"},
		"below tags": {
			`{"additionalProperties":{"discriminator":{"propertyName":"k"},"oneOf":[{"properties":{"k":{"const":"one"}},"additionalProperties":false},{"properties":{"k":{"const":"two"}},"additionalProperties":false}]}}`,
			`{"d":{"y":1,"k":"one","x":1},"c":{"k":"two","w":1,"v":1}}`,
			"extra_forbidden@d.one.y extra_forbidden@d.one.x extra_forbidden@c.two.w extra_forbidden@c.two.v",
		},
		"names that are cut": {numbers, `{"z":"x","` + long + `":"x"}`, "int_parsing@z int_parsing@" + clip(long)},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			s := mustCompile(t, tt.schema)
			for range 5 { // the validator walks maps in random order
				if _, vs, _ := s.Check(t.Context(), []byte(tt.body)); brief(vs) != tt.want {
					t.Fatalf("got  %s\nwant %s", brief(vs), tt.want)
				}
			}
		})
	}
}

// TestMembersOfValues: what was decoded by others has no order but that of names.
func TestMembersOfValues(t *testing.T) {
	s := mustCompile(t, `{"additionalProperties":false,"required":["n"]}`)
	if _, vs, _ := s.CheckValue(t.Context(), map[string]any{"z": 1, "a": 2}, "body"); brief(vs) != "missing@n extra_forbidden@a extra_forbidden@z" {
		t.Error(brief(vs))
	}
}

// TestOrderOfWideSchemas: where very many schemas apply to a value, the work of finding the order in which they require
// members ends, and always at the same one.
func TestOrderOfWideSchemas(t *testing.T) {
	const branches = 1300
	wide := strings.Repeat(`{"required":["x"]},`, branches)
	raw := `{"additionalProperties":{"$ref":"#/$defs/w"},"$defs":{"w":{"required":["d","c"],"allOf":[` + strings.TrimSuffix(wide, ",") + `]}}}`
	s := mustCompile(t, raw)
	sent := map[string]any{}
	for i := range 20 {
		sent[fmt.Sprintf("k%02d", i)] = map[string]any{"x": 1}
	}
	body, err := json.Marshal(sent)
	if err != nil {
		t.Fatal(err)
	}
	_, first, _ := s.Check(t.Context(), body)
	if len(first) != 40 || !strings.HasPrefix(brief(first), "missing@k00.d missing@k00.c ") || !strings.HasSuffix(brief(first), " missing@k19.c missing@k19.d") {
		t.Errorf("%s", brief(first))
	}
	for range 5 {
		if _, vs, _ := s.Check(t.Context(), body); brief(vs) != brief(first) {
			t.Errorf("got %s\nfirst %s", brief(vs), brief(first))
		}
	}
}
