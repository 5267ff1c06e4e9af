package schema

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestDefaults(t *testing.T) {
	const chosen = `{"%s":[{"$ref":"#/$defs/cat"},{"$ref":"#/$defs/dog"}],"$defs":{
		"cat":{"type":"object","properties":{"kind":{"const":"cat"},"lives":{"default":9}},"required":["kind"]},
		"dog":{"type":"object","properties":{"kind":{"enum":["dog"]},"tail":{"default":true}},"required":["kind"]}}}`
	tests := map[string]struct{ schema, body, want string }{
		"absent":                 {`{"properties":{"a":{"default":1}}}`, `{}`, `{"a":1}`},
		"present":                {`{"properties":{"a":{"default":1}}}`, `{"a":2}`, `{"a":2}`},
		"present null":           {`{"properties":{"a":{"default":1}}}`, `{"a":null}`, `{"a":null}`},
		"null":                   {`{"properties":{"a":{"default":null}}}`, `{}`, `{"a":null}`},
		"required":               {`{"properties":{"a":{"type":"integer","default":1}},"required":["a"]}`, `{}`, `{"a":1}`},
		"not an object":          {`{"properties":{"a":{"default":1}}}`, `3`, `3`},
		"nested":                 {`{"properties":{"a":{"properties":{"b":{"default":1}}}}}`, `{"a":{}}`, `{"a":{"b":1}}`},
		"of an absent one":       {`{"properties":{"a":{"properties":{"b":{"default":1}}}}}`, `{}`, `{}`},
		"within a default":       {`{"properties":{"a":{"default":{},"properties":{"b":{"default":[1]}},"required":["b"]}}}`, `{}`, `{"a":{"b":[1]}}`},
		"items":                  {`{"items":{"properties":{"a":{"default":1}}}}`, `[{},{"a":2},3]`, `[{"a":1},{"a":2},3]`},
		"prefixItems":            {`{"prefixItems":[true,{"properties":{"a":{"default":1}}}],"items":{"properties":{"a":{"default":2}}}}`, `[{},{},{}]`, `[{},{"a":1},{"a":2}]`},
		"ref":                    {`{"$ref":"#/$defs/o","$defs":{"o":{"properties":{"a":{"default":1}}}}}`, `{}`, `{"a":1}`},
		"ref of a property":      {`{"properties":{"a":{"$ref":"#/$defs/n"}},"$defs":{"n":{"default":1}}}`, `{}`, `{"a":1}`},
		"nearest wins":           {`{"properties":{"a":{"$ref":"#/$defs/n","default":2}},"$defs":{"n":{"default":1}}}`, `{}`, `{"a":2}`},
		"allOf":                  {`{"allOf":[{"properties":{"a":{"default":1}}},{"properties":{"b":{"default":2}}}]}`, `{}`, `{"a":1,"b":2}`},
		"allOf in arrays":        {`{"allOf":[{"items":{"properties":{"a":{"default":1}}}},{"items":{"properties":{"b":{"default":2}}}}]}`, `[{}]`, `[{"a":1,"b":2}]`},
		"additional":             {`{"properties":{"x":true},"additionalProperties":{"properties":{"a":{"default":1}}}}`, `{"x":{},"y":{}}`, `{"x":{},"y":{"a":1}}`},
		"patterns":               {`{"patternProperties":{"^x":{"properties":{"a":{"default":1}}},"^z":true},"additionalProperties":{"properties":{"b":{"default":1}}}}`, `{"x":{},"y":{},"z":{}}`, `{"x":{"a":1},"y":{"b":1},"z":{}}`},
		"nullable, null":         {`{"anyOf":[{"properties":{"a":{"default":1}}},{"type":"null"}]}`, `null`, `null`},
		"nullable, object":       {`{"properties":{"o":{"anyOf":[{"properties":{"a":{"default":1}}},{"type":"null"}]}}}`, `{"o":{}}`, `{"o":{"a":1}}`},
		"anyOf":                  {`{"anyOf":[{"properties":{"a":{"default":1}}},{"properties":{"b":{"default":1}}}]}`, `{}`, `{}`},
		"only form of an object": {`{"anyOf":[{"type":"object","properties":{"a":{"default":1}}},{"type":"string"},{"$ref":"#/$defs/n"}],"$defs":{"n":{"enum":[1,2]}}}`, `{}`, `{"a":1}`},
		"only form of an array":  {`{"oneOf":[{"type":"array","items":{"properties":{"a":{"default":1}}}},{"type":"string"},{"const":1}]}`, `[{}]`, `[{"a":1}]`},
		"two forms of an object": {`{"anyOf":[{"type":"object","properties":{"a":{"default":1}}},{"type":"string"},{"type":"object"}]}`, `{}`, `{}`},
		"anyOf by tag":           {fmt.Sprintf(chosen, "anyOf"), `{"kind":"dog"}`, `{"kind":"dog","tail":true}`},
		"oneOf by tag":           {fmt.Sprintf(chosen, "oneOf"), `{"kind":"cat"}`, `{"kind":"cat","lives":9}`},
		"if":                     {`{"if":{"properties":{"a":{"default":1}}},"then":{"properties":{"b":{"default":1}}}}`, `{}`, `{}`},
		"not":                    {`{"not":{"required":["b"],"properties":{"a":{"default":1}}}}`, `{}`, `{}`},
		"recursive":              {`{"properties":{"n":{"$ref":"#"},"a":{"default":1}}}`, `{"n":{"n":{}}}`, `{"a":1,"n":{"a":1,"n":{"a":1}}}`},
		"dynamic":                {`{"$dynamicAnchor":"n","properties":{"n":{"$dynamicRef":"#n"},"a":{"default":1}}}`, `{"n":{}}`, `{"a":1,"n":{}}`},
		"large":                  {`{"properties":{"a":{"default":18446744073709551616}}}`, `{}`, `{"a":18446744073709552000}`},
		"metaschema":             {`{"properties":{"s":{"$ref":"https://json-schema.org/draft/2020-12/schema"}}}`, `{"s":{"type":"object"}}`, `{"s":{"type":"object"}}`},
		"seen by conditions":     {`{"properties":{"m":{"default":"x"}},"if":{"properties":{"m":{"const":"x"}}},"then":{"properties":{"n":{"default":1}}}}`, `{}`, `{"m":"x"}`},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got, vs, _ := mustCompile(t, tt.schema).Check(t.Context(), []byte(tt.body))
			want, _, _ := Decode(t.Context(), []byte(tt.want))
			if diff := cmp.Diff(want, got); diff != "" || vs != nil {
				t.Error(diff, lines(t, vs))
			}
		})
	}
}

// TestDefaultsAreCopies: what one request does with its value is not seen by the next, and a value given stays as it is.
func TestDefaultsAreCopies(t *testing.T) {
	s := mustCompile(t, `{"properties":{"a":{"default":{"list":[1]}},"o":{"properties":{"b":{"default":1}}},"l":{"items":{"properties":{"c":{"default":1}}}}}}`)
	given := map[string]any{"o": map[string]any{}, "l": []any{map[string]any{}}}
	for range 2 {
		got, vs, _ := s.CheckValue(t.Context(), given)
		want := map[string]any{
			"a": map[string]any{"list": []any{int64(1)}}, "o": map[string]any{"b": int64(1)}, "l": []any{map[string]any{"c": int64(1)}},
		}
		if diff := cmp.Diff(any(want), got); diff != "" || vs != nil {
			t.Fatal(diff, vs)
		}
		got.(map[string]any)["a"].(map[string]any)["list"].([]any)[0] = "changed"
	}
	if diff := cmp.Diff(map[string]any{"o": map[string]any{}, "l": []any{map[string]any{}}}, given); diff != "" {
		t.Error("the value given was changed:", diff)
	}
}

func TestDefaultsThatBreakTheirSchema(t *testing.T) {
	tests := map[string]struct{ schema, pointer, reason string }{
		"type":      {`{"properties":{"a/b":{"type":"integer","default":"1"}}}`, "/properties/a~1b/default", "does not satisfy its own schema: Input should be a valid integer"},
		"within":    {`{"properties":{"a":{"items":{"type":"integer"},"default":[1,[]]}}}`, "/properties/a/default", "Input should be a valid integer, at /1"},
		"missing":   {`{"properties":{"a":{"required":["b"],"default":{}}}}`, "/properties/a/default", "Field required, at /b"},
		"not used":  {`{"anyOf":[{"properties":{"a":{"type":"integer","default":"1"}}},true]}`, "/anyOf/0/properties/a/default", "valid integer"},
		"endless":   {`{"properties":{"n":{"$ref":"#","default":{}}}}`, "/properties/n/default", "cannot be filled in: More than 64 levels deep"},
		"explosive": {`{"properties":{"n":{"$ref":"#/$defs/d0","default":{}}},"$defs":{` + explosive(20) + `"d20":{}}}`, "/properties/n/default", "cannot be filled in: More than 200000 values"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := Compile([]byte(tt.schema))
			e, ok := errors.AsType[*Error](err)
			if !ok || e.Pointer != tt.pointer || !strings.Contains(e.Reason, tt.reason) {
				t.Errorf("got %v, want %q and %q", err, tt.pointer, tt.reason)
			}
		})
	}
}

// explosive gives definitions each of which has the next one as the default of two properties.
func explosive(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, `"d%d":{"properties":{"a":{"$ref":"#/$defs/d%d","default":{}},"b":{"$ref":"#/$defs/d%d","default":{}}}},`, i, i+1, i+1)
	}
	return b.String()
}

// TestDefaultsAreBounded: a small body may not grow without limit.
func TestDefaultsAreBounded(t *testing.T) {
	list := strings.Repeat("1,", 999) + "1"
	s := mustCompile(t, `{"items":{"properties":{"a":{"default":[`+list+`]}}}}`)
	body := func(n int) []byte { return []byte("[{}" + strings.Repeat(",{}", n-1) + "]") }
	if _, vs, _ := s.Check(t.Context(), body(199)); vs != nil { // 1 + 199 * 1002 values
		t.Errorf("at the limit: %v", vs)
	}
	if _, vs, _ := s.Check(t.Context(), body(200)); len(vs) != 1 || vs[0].Ctx["error"] != "More than 200000 values" {
		t.Errorf("above it: %v", vs)
	}
}

// TestDeepDoublingIsNoTrap: far down, where few bodies reach, a schema may lead to another by very many ways.
func TestDeepDoublingIsNoTrap(t *testing.T) {
	var b strings.Builder
	for i := range 40 {
		fmt.Fprintf(&b, `"d%d":{"allOf":[{"$ref":"#/$defs/d%d"},{"$ref":"#/$defs/d%d"}]},`, i, i+1, i+1)
	}
	deep := strings.Repeat(`{"properties":{"p":`, 8) + `{"$ref":"#/$defs/d0"}` + strings.Repeat("}}", 8)
	s := mustCompile(t, `{"allOf":[`+deep+`],"$defs":{`+b.String()+`"d40":{"properties":{"a":{"default":1}}}}}`)
	if _, vs, _ := s.Check(t.Context(), []byte(strings.Repeat(`{"p":`, 8)+`{}`+strings.Repeat("}", 8))); len(vs) != 1 {
		t.Errorf("got %v", vs)
	}
}
