package schema

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// nestedUnion is as Pydantic 2.14 writes a union of Circle and Square, told apart by shape, where Square is one of Red and Blue, told
// apart by color. Circle's tag has a default.
const nestedUnion = `{"type":"object","required":["main"],
	"properties":{"main":{
		"discriminator":{"propertyName":"shape","mapping":{"circle":"#/$defs/Circle","square":{
			"discriminator":{"propertyName":"color","mapping":{"blue":"#/$defs/Blue","red":"#/$defs/Red"}},
			"oneOf":[{"$ref":"#/$defs/Red"},{"$ref":"#/$defs/Blue"}]}}},
		"oneOf":[{"$ref":"#/$defs/Circle"},{
			"discriminator":{"propertyName":"color","mapping":{"blue":"#/$defs/Blue","red":"#/$defs/Red"}},
			"oneOf":[{"$ref":"#/$defs/Red"},{"$ref":"#/$defs/Blue"}]}]}},
	"$defs":{
		"Blue":{"type":"object","required":["shape","color","side"],"properties":{
			"shape":{"type":"string","const":"square"},"color":{"type":"string","const":"blue"},"side":{"type":"number"},"fill":{"type":"boolean","default":true}}},
		"Circle":{"type":"object","required":["r"],"properties":{
			"shape":{"type":"string","const":"circle","default":"circle"},"r":{"type":"number","exclusiveMinimum":0}}},
		"Red":{"type":"object","required":["shape","color","side"],"properties":{
			"shape":{"type":"string","const":"square"},"color":{"type":"string","const":"red"},"side":{"type":"number"}}}}}`

// flat gives a schema of one union under the name main, of two branches under the property kind.
func flat(union, a, b string) string {
	return `{"type":"object","required":["main"],"properties":{"main":` + union + `},"$defs":{
		"A":{"type":"object","required":["n"],"properties":{"kind":` + a + `,"n":{"type":"integer"},"of":{"default":"a"}}},
		"B":{"type":"object","required":["n"],"properties":{"kind":` + b + `,"n":{"type":"integer"},"of":{"default":"b"}}},
		"Base":{"properties":{"kind":{"const":"base"}}},"Kinds":{"enum":["x","y"]}}}`
}

const byKind = `{"discriminator":{"propertyName":"kind"},"oneOf":[{"$ref":"#/$defs/A"},{"$ref":"#/$defs/B"}]}`

// TestTaggedUnions: the answers are those of Pydantic 2.14 under FastAPI 0.165.
func TestTaggedUnions(t *testing.T) {
	simple := flat(byKind, `{"const":"a","default":"a"}`, `{"enum":["b","c"]}`)
	numbers := flat(byKind, `{"const":1}`, `{"enum":[2,"two"]}`)
	for name, tt := range map[string]struct{ schema, body, want string }{
		"no tag of the outer":            {nestedUnion, `{"main":{"r":1}}`, "union_tag_not_found@main by 'shape'"},
		"nothing at all":                 {nestedUnion, `{"main":{}}`, "union_tag_not_found@main by 'shape'"},
		"a wrong tag of the outer":       {nestedUnion, `{"main":{"shape":"oval"}}`, "union_tag_invalid@main by 'shape' of 'circle', 'square'"},
		"a wrong tag of the inner":       {nestedUnion, `{"main":{"shape":"square","color":"green"}}`, "union_tag_invalid@main.square by 'color' of 'red', 'blue'"},
		"no tag of the inner":            {nestedUnion, `{"main":{"shape":"square","side":1}}`, "union_tag_not_found@main.square by 'color'"},
		"wrong within the outer":         {nestedUnion, `{"main":{"shape":"circle","r":0}}`, "greater_than@main.circle.r"},
		"wrong within the inner":         {nestedUnion, `{"main":{"shape":"square","color":"red","side":"x"}}`, "float_parsing@main.square.red.side"},
		"missing within the inner":       {nestedUnion, `{"main":{"shape":"square","color":"blue"}}`, "missing@main.square.blue.side"},
		"a tag of another type":          {nestedUnion, `{"main":{"shape":3}}`, "union_tag_invalid@main by 'shape' of 'circle', 'square'"},
		"a tag that is null":             {nestedUnion, `{"main":{"shape":null}}`, "union_tag_invalid@main by 'shape' of 'circle', 'square'"},
		"a tag that is an object":        {nestedUnion, `{"main":{"shape":{}}}`, "union_tag_invalid@main by 'shape' of 'circle', 'square'"},
		"not an object":                  {nestedUnion, `{"main":3}`, "model_attributes_type@main"},
		"nothing, with a default":        {simple, `{"main":{"n":1}}`, "union_tag_not_found@main by 'kind'"},
		"nothing, and more is wrong":     {simple, `{"main":{"n":"x"}}`, "union_tag_not_found@main by 'kind'"},
		"one of two values":              {simple, `{"main":{"kind":"c","n":"x"}}`, "int_parsing@main.c.n"},
		"values in their order":          {simple, `{"main":{"kind":"d"}}`, "union_tag_invalid@main by 'kind' of 'a', 'b', 'c'"},
		"a single branch, without tag":   {flat(`{"discriminator":{"propertyName":"kind"},"oneOf":[{"$ref":"#/$defs/A"}]}`, `{"const":"a","default":"a"}`, `{}`), `{"main":{"n":1}}`, "union_tag_not_found@main by 'kind'"},
		"a single branch, another tag":   {flat(`{"discriminator":{"propertyName":"kind"},"oneOf":[{"$ref":"#/$defs/A"}]}`, `{"enum":["a","b"]}`, `{}`), `{"main":{"kind":"c","n":1}}`, "union_tag_invalid@main by 'kind' of 'a', 'b'"},
		"anyOf":                          {flat(strings.Replace(byKind, "oneOf", "anyOf", 1), `{"const":"a"}`, `{"const":"b"}`), `{"main":{"kind":"b"}}`, "missing@main.b.n"},
		"anyOf without tag":              {flat(strings.Replace(byKind, "oneOf", "anyOf", 1), `{"const":"a"}`, `{"const":"b"}`), `{"main":{"n":1}}`, "union_tag_not_found@main by 'kind'"},
		"or null":                        {flat(`{"anyOf":[`+byKind+`,{"type":"null"}]}`, `{"const":"a"}`, `{"const":"b"}`), `{"main":{"n":1}}`, "union_tag_not_found@main by 'kind'"},
		"or null, within":                {flat(`{"anyOf":[`+byKind+`,{"type":"null"}]}`, `{"const":"a"}`, `{"const":"b"}`), `{"main":{"kind":"a"}}`, "missing@main.a.n"},
		"or null, wrong tag":             {flat(`{"anyOf":[`+byKind+`,{"type":"null"}]}`, `{"const":"a"}`, `{"const":"b"}`), `{"main":{"kind":"z"}}`, "union_tag_invalid@main by 'kind' of 'a', 'b'"},
		"items":                          {flat(`{"type":"array","items":`+byKind+`}`, `{"const":"a"}`, `{"const":"b"}`), `{"main":[{"kind":"a","n":1},{"kind":"b"},{"n":1},{"kind":"z"}]}`, "missing@main.1.b.n union_tag_not_found@main.2 by 'kind' union_tag_invalid@main.3 by 'kind' of 'a', 'b'"},
		"numbers":                        {numbers, `{"main":{"kind":1,"n":"x"}}`, "int_parsing@main.1.n"},
		"a number that is written 1.0":   {numbers, `{"main":{"kind":1.0,"n":"x"}}`, "int_parsing@main.1.n"},
		"a text in a number's place":     {numbers, `{"main":{"kind":"1","n":1}}`, "union_tag_invalid@main by 'kind' of 1, 2, 'two'"},
		"another number":                 {numbers, `{"main":{"kind":3,"n":1}}`, "union_tag_invalid@main by 'kind' of 1, 2, 'two'"},
		"a text beside numbers":          {numbers, `{"main":{"kind":"two"}}`, "missing@main.two.n"},
		"booleans":                       {flat(byKind, `{"const":true}`, `{"const":false}`), `{"main":{"kind":true}}`, "missing@main.1.n"},
		"values behind a reference":      {flat(byKind, `{"$ref":"#/$defs/Kinds"}`, `{"allOf":[{"const":"z"}]}`), `{"main":{"kind":"y"}}`, "missing@main.y.n"},
		"values behind an allOf":         {flat(byKind, `{"$ref":"#/$defs/Kinds"}`, `{"allOf":[{"const":"z"}]}`), `{"main":{"kind":"z"}}`, "missing@main.z.n"},
		"values with titles":             {flat(byKind, `{"oneOf":[{"const":"x","title":"X"},{"const":"y"}]}`, `{"const":"z"}`), `{"main":{"kind":"y"}}`, "missing@main.y.n"},
		"a chain of references":          {flat(`{"discriminator":{"propertyName":"kind"},"oneOf":[{"allOf":[{"$ref":"#/$defs/Base"},{"required":["m"]}]},{"$ref":"#/$defs/B"}]}`, `{}`, `{"const":"b"}`), `{"main":{"kind":"base"}}`, "missing@main.base.m"},
		"a union in a union, unmapped":   {flat(`{"discriminator":{"propertyName":"kind"},"oneOf":[{"$ref":"#/$defs/A"},{"anyOf":[{"$ref":"#/$defs/B"},{"allOf":[{"$ref":"#/$defs/Base"},{"required":["m"]}]}]}]}`, `{"const":"a"}`, `{"const":"b"}`), `{"main":{"kind":"base"}}`, "missing@main.base.m"},
		"a mapping alone":                {flat(`{"discriminator":{"propertyName":"kind","mapping":{"one":"#/$defs/A","two":"#/$defs/B"}},"oneOf":[{"$ref":"#/$defs/A"},{"$ref":"#/$defs/B"}]}`, `{}`, `{}`), `{"main":{"kind":"two"}}`, "missing@main.two.n"},
		"a mapping to names":             {flat(`{"discriminator":{"propertyName":"kind","mapping":{"one":"A","two":"B"}},"oneOf":[{"$ref":"#/$defs/A"},{"$ref":"#/$defs/B"}]}`, `{}`, `{}`), `{"main":{"n":1}}`, "union_tag_not_found@main by 'kind'"},
		"a mapping to what is not there": {flat(`{"discriminator":{"propertyName":"kind","mapping":{"a":"#/components/schemas/A"}},"oneOf":[{"$ref":"#/$defs/A"},{"$ref":"#/$defs/B"}]}`, `{"const":"a"}`, `{"const":"b"}`), `{"main":{"kind":"b"}}`, "missing@main.b.n"},
		"tags that do not tell apart":    {flat(byKind, `{"const":"a"}`, `{"enum":["b","a"]}`), `{"main":{"kind":"b"}}`, "missing@main.n"},
		"a branch without tags":          {flat(byKind, `{"const":"a"}`, `{"type":"string"}`), `{"main":{"kind":"a"}}`, "missing@main.n"},
	} {
		t.Run(name, func(t *testing.T) {
			_, vs, _ := mustCompile(t, tt.schema).Check(t.Context(), []byte(tt.body))
			for i := range vs {
				if by, ok := vs[i].Ctx["discriminator"].(string); ok {
					vs[i].Loc = append(vs[i].Loc, " by "+by)
				}
				if of, ok := vs[i].Ctx["expected_tags"].(string); ok {
					vs[i].Loc = append(vs[i].Loc, " of "+of)
				}
			}
			if diff := cmp.Diff(tt.want, strings.ReplaceAll(brief(vs), ". ", " ")); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// TestDefaultsOfTags: the default of a tag is not filled in, since without the tag nobody knows the branch; outside of a union
// it is one like any other.
func TestDefaultsOfTags(t *testing.T) {
	simple := flat(byKind, `{"const":"a","default":"a"}`, `{"const":"b","default":"b"}`)
	for name, tt := range map[string]struct{ schema, body, want string }{
		"of the branch that is named":  {simple, `{"main":{"kind":"b","n":1}}`, `{"main":{"kind":"b","n":1,"of":"b"}}`},
		"of the inner branch":          {nestedUnion, `{"main":{"shape":"square","color":"blue","side":1}}`, `{"main":{"shape":"square","color":"blue","side":1,"fill":true}}`},
		"without a union":              {flat(`{"$ref":"#/$defs/A"}`, `{"const":"a","default":"a"}`, `{}`), `{"main":{"n":1}}`, `{"main":{"kind":"a","n":1,"of":"a"}}`},
		"by a number":                  {flat(byKind, `{"const":1}`, `{"const":2}`), `{"main":{"kind":2.0,"n":1}}`, `{"main":{"kind":2.0,"n":1,"of":"b"}}`},
		"without a discriminator":      {flat(`{"oneOf":[{"$ref":"#/$defs/A"},{"$ref":"#/$defs/B"}]}`, `{"enum":["a","x"]}`, `{"allOf":[{"const":"b"}]}`), `{"main":{"kind":"x","n":1}}`, `{"main":{"kind":"x","n":1,"of":"a"}}`},
		"of a member that has a union": {flat(byKind[:len(byKind)-1]+`,"default":{"kind":"a","n":1}}`, `{"const":"a"}`, `{"const":"b"}`), `{}`, `{"main":{"kind":"a","n":1,"of":"a"}}`},
	} {
		t.Run(name, func(t *testing.T) {
			got, vs, _ := mustCompile(t, tt.schema).Check(t.Context(), []byte(tt.body))
			want, _, _ := Decode(t.Context(), []byte(tt.want))
			if diff := cmp.Diff(want, got); diff != "" || vs != nil {
				t.Error(diff, lines(t, vs))
			}
		})
	}
	untagged := flat(byKind[:len(byKind)-1]+`,"default":{"n":1}}`, `{"const":"a","default":"a"}`, `{"const":"b"}`)
	if _, err := Compile([]byte(untagged)); err == nil || !strings.Contains(err.Error(), "at /properties/main/default: does not satisfy") {
		t.Errorf("a default without a tag: %v", err)
	}
}
