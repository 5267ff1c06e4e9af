package expr

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/llmservice/llmservice/runtime/schema"
)

// typeOf is the type of what satisfies a schema.
func typeOf(t testing.TB, raw string) Type {
	t.Helper()
	s, err := schema.Compile([]byte(raw))
	if err != nil {
		t.Fatal(err)
	}
	return FromSchema(s)
}

func TestFromSchema(t *testing.T) {
	point := Open(map[string]Type{"x": Double, "y": Optional(Double)})
	tests := map[string]struct {
		in   string
		want Type
	}{
		"anything":              {`{}`, Dyn},
		"true":                  {`true`, Dyn},
		"string":                {`{"type": "string", "minLength": 1}`, String},
		"integer":               {`{"type": "integer"}`, Int},
		"number":                {`{"type": "number"}`, Double},
		"boolean":               {`{"type": "boolean"}`, Bool},
		"null":                  {`{"type": "null"}`, Null},
		"list":                  {`{"type": "array", "items": {"type": "integer"}}`, List(Int)},
		"list of anything":      {`{"type": "array"}`, List(Dyn)},
		"tuple":                 {`{"type": "array", "prefixItems": [{"type": "string"}], "items": {"type": "integer"}}`, List(Dyn)},
		"object":                {`{"type": "object", "required": ["a"], "properties": {"a": {"type": "string"}, "b": {"type": "integer"}}}`, Open(map[string]Type{"a": String, "b": Optional(Int)})},
		"default":               {`{"type": "object", "properties": {"a": {"type": "string", "default": "x"}}}`, Open(map[string]Type{"a": String})},
		"closed":                {`{"type": "object", "additionalProperties": false, "properties": {"a": true}}`, Object(map[string]Type{"a": Optional(Dyn)})},
		"closed by patterns":    {`{"type": "object", "additionalProperties": false, "patternProperties": {"^x": true}, "properties": {"a": true}}`, Open(map[string]Type{"a": Optional(Dyn)})},
		"empty":                 {`{"type": "object", "additionalProperties": false}`, Object(nil)},
		"any object":            {`{"type": "object"}`, Map(Dyn)},
		"map":                   {`{"type": "object", "additionalProperties": {"type": "integer"}}`, Map(Int)},
		"map, some declared":    {`{"type": "object", "additionalProperties": {"type": "integer"}, "required": ["a"]}`, Open(map[string]Type{"a": Dyn})},
		"required, undeclared":  {`{"type": "object", "required": ["a"]}`, Open(map[string]Type{"a": Dyn})},
		"type not written":      {`{"properties": {"a": {"type": "string"}}}`, Open(map[string]Type{"a": Optional(String)})},
		"nested":                {`{"type": "array", "items": {"type": "object", "properties": {"a": {"type": "array", "items": {"type": "string"}}}}}`, List(Open(map[string]Type{"a": Optional(List(String))}))},
		"nullable":              {`{"type": ["string", "null"]}`, Nullable(String)},
		"nullable list":         {`{"type": ["array", "null"], "items": {"type": "string"}}`, Dyn},
		"nullable, optional":    {`{"type": "object", "properties": {"a": {"anyOf": [{"type": "number"}, {"type": "null"}]}}}`, Open(map[string]Type{"a": Optional(Nullable(Double))})},
		"several types":         {`{"type": ["string", "integer"]}`, Dyn},
		"integer or number":     {`{"type": ["integer", "number"]}`, Double},
		"anyOf, one type":       {`{"anyOf": [{"type": "string", "maxLength": 2}, {"type": "string", "minLength": 5}]}`, String},
		"anyOf":                 {`{"anyOf": [{"type": "string"}, {"type": "boolean"}]}`, Dyn},
		"oneOf beside a type":   {`{"type": "object", "required": ["a"], "properties": {"a": {"type": "string"}}, "oneOf": [{"required": ["b"]}, {"required": ["c"]}]}`, Open(map[string]Type{"a": String})},
		"enum":                  {`{"enum": ["a", "b"]}`, String},
		"enum with null":        {`{"enum": ["a", null]}`, Nullable(String)},
		"enum of numbers":       {`{"enum": [1, 2.5]}`, Double},
		"enum of several":       {`{"enum": ["a", 1]}`, Dyn},
		"enum, narrower":        {`{"type": ["string", "null"], "enum": ["a"]}`, String},
		"const":                 {`{"const": 3}`, Int},
		"const object":          {`{"const": {}}`, Dyn},
		"allOf":                 {`{"allOf": [{"type": "object", "properties": {"a": {"type": "string"}}}, {"required": ["a"]}, {"properties": {"b": {"type": "integer"}}}]}`, Open(map[string]Type{"a": String, "b": Optional(Int)})},
		"allOf, narrower":       {`{"type": "number", "allOf": [{"type": "integer"}]}`, Int},
		"allOf, no longer null": {`{"type": ["string", "null"], "allOf": [{"type": "string"}]}`, String},
		"allOf, closed":         {`{"type": "object", "properties": {"a": true}, "allOf": [{"type": "object", "additionalProperties": false, "properties": {"a": {"type": "string"}}}]}`, Object(map[string]Type{"a": Optional(String)})},
		"ref":                   {`{"$defs": {"p": {"type": "object", "required": ["x"], "properties": {"x": {"type": "number"}, "y": {"type": "number"}}}}, "type": "array", "items": {"$ref": "#/$defs/p"}}`, List(point)},
		"ref with siblings":     {`{"$defs": {"p": {"type": "object", "properties": {"x": {"type": "number"}}}}, "$ref": "#/$defs/p", "required": ["x"], "properties": {"y": {"type": "number"}}}`, point},
		"ref by escaped name":   {`{"$defs": {"a/b c": {"type": "string"}}, "$ref": "#/$defs/a~1b%20c"}`, String},
		"ref into a list":       {`{"$ref": "#/allOf/0", "allOf": [{"type": "string"}]}`, String},
		"ref elsewhere":         {`{"$ref": "https://json-schema.org/draft/2020-12/schema"}`, Dyn},
		"ref by an anchor":      {`{"$ref": "#a", "$defs": {"x": {"$anchor": "a", "type": "string"}}}`, Dyn},
		"ref by an address":     {`{"$id": "https://example.com/a", "$ref": "a#/$defs/x", "$defs": {"x": {"type": "string"}}}`, Dyn},
		"recursion":             {`{"$defs": {"tree": {"type": "object", "required": ["left"], "properties": {"left": {"$ref": "#/$defs/tree"}}}}, "$ref": "#/$defs/tree"}`, Open(map[string]Type{"left": Dyn})},
		"recursion of two":      {`{"$defs": {"a": {"required": ["b"], "properties": {"b": {"$ref": "#/$defs/b"}}}, "b": {"required": ["a"], "properties": {"a": {"$ref": "#/$defs/a"}}}}, "required": ["x", "y"], "properties": {"y": {"$ref": "#/$defs/b"}, "x": {"$ref": "#/$defs/a"}}}`, Open(map[string]Type{"x": Open(map[string]Type{"b": Open(map[string]Type{"a": Dyn})}), "y": Open(map[string]Type{"a": Dyn})})},
		"other document":        {`{"type": "object", "required": ["a"], "properties": {"a": {"$id": "https://example.com/a", "type": "string"}}}`, Open(map[string]Type{"a": Dyn})},
		"tags":                  {`{"discriminator": {"propertyName": "k"}, "oneOf": [{"properties": {"k": {"const": "a"}}}, {"properties": {"k": {"const": "b"}}}]}`, Open(map[string]Type{"k": Optional(String)})},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if got := typeOf(t, tt.in); !got.Equal(tt.want) {
				t.Errorf("got %s, want %s", spell(got), spell(tt.want))
			}
		})
	}
}

// spell writes a type out, for a failure's message.
func spell(t Type) string {
	if t.kind != objectKind {
		return t.describe(spell)
	}
	var b strings.Builder
	for name, field := range t.object.fields {
		b.WriteString(name + ": " + spell(field) + ", ")
	}
	if t.object.open {
		b.WriteString("…")
	}
	return "{" + b.String() + "}"
}

// TestDeepSchema: what lies deeper than types are followed is dynamic, and found in time however often it is referred to.
func TestDeepSchema(t *testing.T) {
	deep := strings.Repeat(`{"type":"array","items":`, maxTypeDepth+2) + "{}" + strings.Repeat("}", maxTypeDepth+2)
	got := typeOf(t, deep)
	for range maxTypeDepth + 1 {
		got = got.Element()
	}
	if !got.Equal(Dyn) {
		t.Errorf("got %s", got)
	}
	var defs strings.Builder
	for i := range 60 {
		fmt.Fprintf(&defs, `"%d":{"properties":{"l":{"$ref":"#/$defs/%d"},"r":{"$ref":"#/$defs/%d"}}},`, i, i+1, i+1)
	}
	wide := `{"$defs":{` + defs.String() + `"60":true},"$ref":"#/$defs/0"}`
	if got := typeOf(t, wide); got.kind != objectKind {
		t.Errorf("got %s", got)
	}
}

// alike is a schema of a value to which two parts apply, each of so many levels of objects of four members. Their last levels have
// different ones.
func alike(levels int) string {
	var defs strings.Builder
	for _, part := range []string{"a", "b"} {
		for i := range levels {
			fmt.Fprintf(&defs, `"%s%d":{"properties":{`, part, i)
			for _, name := range []string{"p", "q", "r", "s"} {
				fmt.Fprintf(&defs, `"%s":{"$ref":"#/$defs/%s%d"},`, name, part, i+1)
			}
			fmt.Fprintf(&defs, `"level":{"type":"integer"}}},`)
		}
		fmt.Fprintf(&defs, `"%s%d":{"properties":{"%s":{"type":"string"}}},`, part, levels, part)
	}
	return `{"allOf":[{"$ref":"#/$defs/a0"},{"$ref":"#/$defs/b0"}],"$defs":{` + defs.String() + `"end":{}}}`
}

// Parts that apply to one value are merged once, however many ways lead to them, and only so far.
func TestPartsAreMergedOnce(t *testing.T) {
	const levels = 6
	compiled, err := schema.Compile([]byte(alike(levels)))
	if err != nil {
		t.Fatal(err)
	}
	types := newSchemaTypes()
	got := types.of(compiled.Root(), schemaPlace{filled: true})
	for range levels {
		got = got.object.fields["q"].Unwrapped()
	}
	if want := Open(map[string]Type{"a": Optional(String), "b": Optional(String)}); !got.Equal(want) {
		t.Errorf("the last level is %s, want %s", spell(got), spell(want))
	}
	if most := levels*10 + 2; types.members != most {
		t.Errorf("%d members were merged, want %d", types.members, most)
	}
	types = newSchemaTypes()
	types.members = maxMerged
	if got := types.of(compiled.Root(), schemaPlace{filled: true}); !got.Equal(Dyn) || len(types.merged) > 0 {
		t.Errorf("past the bound it is %s", spell(got))
	}
}

// Which type a template sees must be the same in the operator and in each gateway.
func TestTypesOfRecursiveSchemasDoNotDependOnChance(t *testing.T) {
	const mutual = `{"properties":{"p":{"$ref":"#/$defs/A"},"q":{"$ref":"#/$defs/B"}},"$defs":{
		"A":{"type":"object","additionalProperties":false,"properties":{"b":{"$ref":"#/$defs/B"}}},
		"B":{"type":"object","additionalProperties":false,"properties":{"a":{"$ref":"#/$defs/A"}}}}}`
	want := typeOf(t, mutual)
	for range 64 {
		if got := typeOf(t, mutual); !got.Equal(want) {
			t.Fatalf("once it is %s, then %s", spell(want), spell(got))
		}
	}
}

// TestDefaultsHaveOneAnswer: what templates need not ask for is there once the gateway has filled in defaults, and what the gateway
// does not fill in may be missing.
func TestDefaultsHaveOneAnswer(t *testing.T) {
	const model = `{"type":"object","properties":{"a":{"type":"integer","default":1},"b":{"type":"integer"}}}`
	for name, tt := range map[string]struct{ schema, body, want string }{
		"own":                       {model, `{}`, "a:there b:optional"},
		"behind a reference":        {`{"type":"object","properties":{"a":{"$ref":"#/$defs/n"},"b":{"type":"integer"}},"$defs":{"n":{"type":"integer","default":1}}}`, `{}`, "a:there b:optional"},
		"behind two":                {`{"type":"object","properties":{"a":{"$ref":"#/$defs/m"}},"$defs":{"m":{"$ref":"#/$defs/n"},"n":{"default":1}}}`, `{}`, "a:there"},
		"behind an allOf":           {`{"type":"object","properties":{"a":{"allOf":[{"type":"integer"},{"default":1}]}}}`, `{}`, "a:there"},
		"in an allOf":               {`{"allOf":[` + model + `,{"type":"object","properties":{"c":{"type":"string"}}}]}`, `{}`, "a:there b:optional c:optional"},
		"required as well":          {`{"type":"object","required":["a"],"properties":{"a":{"type":"integer","default":1}}}`, `{}`, "a:there"},
		"of one that refers":        {`{"$ref":"#/$defs/M","$defs":{"M":` + model + `}}`, `{}`, "a:there b:optional"},
		"nullable":                  {`{"anyOf":[` + model + `,{"type":"null"}]}`, `{}`, ""},
		"one of several types":      {`{"type":"object","properties":{"o":{"anyOf":[` + model + `,{"$ref":"#/properties/o/anyOf/0"}]}}}`, `{"o":{}}`, "o:optional o.a:optional o.b:optional"},
		"of alike forms":            {`{"anyOf":[` + model + `,` + model + `]}`, `{}`, "a:optional b:optional"},
		"of alike forms, by a type": {`{"anyOf":[` + model + `,{"type":"string"}]}`, `{}`, ""},
		"by a tag": {
			`{"discriminator":{"propertyName":"k"},"oneOf":[{"type":"object","properties":{"k":{"type":"string","const":"x","default":"x"},"a":{"type":"integer","default":1}}}]}`,
			`{"k":"x"}`, "a:there k:there",
		},
		"by tags of alike forms": {
			`{"discriminator":{"propertyName":"k"},"oneOf":[
				{"type":"object","properties":{"k":{"type":"string","const":"x","default":"x"},"a":{"type":"integer","default":1}}},
				{"type":"object","properties":{"k":{"type":"string","const":"y","default":"y"},"a":{"type":"integer","default":2}}}]}`,
			`{"k":"y"}`, "a:there k:there",
		},
		"by a property that nobody requires": {
			`{"anyOf":[
				{"type":"object","properties":{"k":{"type":"string","const":"x"},"a":{"type":"integer","default":1}}},
				{"type":"object","properties":{"k":{"type":"string","const":"y"},"a":{"type":"integer","default":2}}}]}`,
			`{}`, "a:optional k:optional",
		},
		"by a property that is required": {
			`{"oneOf":[
				{"type":"object","required":["k"],"properties":{"k":{"type":"string","const":"x"},"a":{"type":"integer","default":1}}},
				{"type":"object","required":["k"],"properties":{"k":{"type":"string","const":"y"},"a":{"type":"integer","default":2}}}]}`,
			`{"k":"x"}`, "a:there k:there",
		},
		"shared by a clear and an unclear place": {
			`{"type":"object","required":["one","two"],"properties":{"one":{"$ref":"#/$defs/M"},"two":{"anyOf":[{"$ref":"#/$defs/M"},{"$ref":"#/$defs/M"}]}},"$defs":{"M":` + model + `}}`,
			`{"one":{},"two":{}}`, "one:there one.a:there one.b:optional two:there two.a:optional two.b:optional",
		},
	} {
		t.Run(name, func(t *testing.T) {
			s, err := schema.Compile([]byte(tt.schema))
			if err != nil {
				t.Fatal(err)
			}
			typ := FromSchema(s)
			value, violations, _ := s.Check(t.Context(), []byte(tt.body))
			if violations != nil {
				t.Fatal(violations)
			}
			if got := presences(t, "", typ, value); strings.Join(got, " ") != tt.want {
				t.Errorf("got  %s\nwant %s", strings.Join(got, " "), tt.want)
			}
		})
	}
}

// presences lists which members a type has for there, and failsif they are not.
func presences(t *testing.T, at string, typ Type, value any) []string {
	t.Helper()
	if typ = typ.Unwrapped().unnulled(); typ.kind != objectKind {
		return nil
	}
	var all []string
	members, _ := value.(map[string]any)
	for _, name := range slices.Sorted(maps.Keys(typ.object.fields)) {
		field, has := typ.object.fields[name], "optional"
		_, present := members[name]
		if !field.IsOptional() {
			has = "there"
			if !present {
				t.Errorf("%s%s is missing", at, name)
			}
		}
		all = append(append(all, at+name+":"+has), presences(t, at+name+".", field, members[name])...)
	}
	return all
}
