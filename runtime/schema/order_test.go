package schema

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/llmservice/llmservice/runtime/problem"
)

// TestAsPydanticGoes: which violations there are and in which order, as FastAPI 0.165 with Pydantic 2.14 answers to the like
// models, whose fields that are not required are in the order of their names.
func TestAsPydanticGoes(t *testing.T) {
	const shapes = `{"required":["shape"],"properties":{"shape":{"discriminator":{"propertyName":"kind"},"oneOf":[{"$ref":"#/$defs/C"},{"$ref":"#/$defs/R"}]}},
		"$defs":{"C":{"type":"object","required":["kind","radius"],"properties":{"kind":{"const":"circle"},"radius":{"type":"number"}}},
		"R":{"type":"object","required":["kind","width","height"],"properties":{"kind":{"const":"rect"},"height":{"type":"number"},"width":{"type":"number"}}}}}`
	const order = `{"type":"object","required":["lines","customer"],"additionalProperties":false,"properties":{"customer":{"type":"string"},"gift":{"type":"boolean"},
		"country":{"type":"string","enum":["DE","FR"]},"lines":{"type":"array","minItems":2,"maxItems":3,"items":{"$ref":"#/$defs/line"}}},
		"$defs":{"line":{"type":"object","required":["sku","count"],"properties":{"count":{"type":"integer","multipleOf":5,"minimum":5,"maximum":100},
		"sku":{"type":"string","minLength":2,"pattern":"^A"}}}}}`
	const tags = `{"discriminator":{"propertyName":"kind"},"oneOf":[{"required":["kind","radius"],"properties":{"kind":{"enum":["circle","ring"]},"radius":{"type":"number"}}},
		{"required":["width","height"],"properties":{"kind":{"const":"rect"}}}]}`
	const mapped = `{"discriminator":{"propertyName":"k","mapping":{"one":"#/$defs/A","uno":"#/$defs/A","two":"#/$defs/b~1b","far":"other#/$defs/A"}},"anyOf":[{"$ref":"#/$defs/A"},{"$ref":"#/$defs/b~1b"}],
		"$defs":{"A":{"type":"object","required":["a"]},"b/b":{"type":"object","required":["b"]}}}`
	tests := map[string]struct{ schema, body, want string }{
		"nothing there":           {order, `{}`, "missing@lines missing@customer"},
		"required, others, extra": {order, `{"zz":1,"a":1,"gift":[],"country":"x","lines":[{},{}],"customer":1}`, "missing@lines.0.sku missing@lines.0.count missing@lines.1.sku missing@lines.1.count string_type@customer literal_error@country bool_type@gift extra_forbidden@zz extra_forbidden@a"},
		"too long says no more":   {order, `{"customer":"","lines":[1,2,3,4]}`, "too_long@lines"},
		"items before too short":  {order, `{"customer":"","lines":[1]}`, "model_attributes_type@lines.0"},
		"too short":               {order, `{"customer":"","lines":[{"sku":"AB","count":5}]}`, "too_short@lines"},
		"first constraint":        {order, `{"customer":"","lines":[{"sku":"x","count":101},{"sku":"xx","count":-5}]}`, "string_too_short@lines.0.sku multiple_of@lines.0.count string_pattern_mismatch@lines.1.sku greater_than_equal@lines.1.count"},
		"listed values":           {order, `{"customer":"","lines":[{"sku":"AB","count":5},{"sku":"AB","count":5}],"country":1}`, "literal_error@country"},
		"constant":                {`{"type":"string","const":"a"}`, `1`, "literal_error@"},
		"values before a count":   {`{"type":"object","maxProperties":1,"additionalProperties":{"type":"integer"}}`, `{"a":[],"b":1}`, "int_type@a"},
		"dictionary":              {`{"type":"object","additionalProperties":{"type":"integer"}}`, `1`, "dict_type@"},
		"model":                   {order, `"x"`, "model_attributes_type@"},
		"text for an integer":     {`{"items":{"type":"integer"}}`, `["x","","3.5","3"]`, "int_parsing@0 int_parsing@1 int_parsing@2 int_type@3"},
		"text for a number":       {`{"items":{"type":"number"}}`, `["x","3",true]`, "float_parsing@0 float_type@1 float_type@2"},
		"text for a boolean":      {`{"items":{"type":"boolean"}}`, `["x","yes",2,2.0,0.5,1]`, "bool_parsing@0 bool_type@1 bool_parsing@2 bool_parsing@3 bool_type@4 bool_type@5"},
		"text for one of several": {`{"anyOf":[{"type":"integer"},{"type":"array"}]}`, `"x"`, "int_parsing@ list_type@"},
		"tag":                     {shapes, `{"shape":{"kind":"rect","height":[]}}`, "missing@shape.rect.width float_type@shape.rect.height"},
		"no tag":                  {shapes, `{"shape":{"radius":1}}`, "union_tag_not_found@shape"},
		"another tag":             {shapes, `{"shape":{"kind":"square"}}`, "union_tag_invalid@shape"},
		"tag of another type":     {shapes, `{"shape":{"kind":[1]}}`, "union_tag_invalid@shape"},
		"several tags of a form":  {tags, `{"kind":"ring","radius":"x"}`, "float_parsing@ring.radius"},
		"tags in a list":          {`{"items":` + tags + `}`, `[{"kind":"ring"},{},{"kind":"rect"}]`, "missing@0.ring.radius union_tag_not_found@1 missing@2.rect.width missing@2.rect.height"},
		"tags or null":            {`{"anyOf":[` + tags + `,{"type":"null"}]}`, `{"kind":"x"}`, "union_tag_invalid@"},
		"mapping":                 {mapped, `{"k":"uno"}`, "missing@uno.a"},
		"mapping, escaped":        {mapped, `{"k":"two"}`, "missing@two.b"},
		"mapping, another tag":    {mapped, `{"k":"three"}`, "union_tag_invalid@"},
		"mapping, elsewhere":      {mapped, `{"k":"far"}`, "union_tag_invalid@"},
		"two tags":                {`{"allOf":[{"discriminator":{"propertyName":"k"},"oneOf":[{"properties":{"k":{"const":"b"}},"required":["x"]}]},{"discriminator":{"propertyName":"l"},"oneOf":[{"properties":{"l":{"const":"a"}},"required":["x"]}]}]}`, `{"k":"b","l":"a"}`, "missing@a.x missing@b.x"},
		"a tag twice":             {`{"discriminator":{"propertyName":"k"},"oneOf":[{"properties":{"k":{"const":"a"}},"required":["x"]},{"properties":{"k":{"const":"a"}},"required":["x"]}]}`, `{"k":"a"}`, "missing@x"},
		"a form without a tag":    {`{"discriminator":{"propertyName":"k"},"oneOf":[{"properties":{"k":{"const":"a"}},"required":["x"]},{"required":["x"]}]}`, `{"k":"a"}`, "missing@x"},
		"listed values or a type": {`{"anyOf":[{"type":"string","enum":["a"]},{"type":"integer"}]}`, `[]`, "int_type@ literal_error@"},
		"a constant or a type":    {`{"anyOf":[{"type":"string","const":"a"},{"type":"integer"}]}`, `[]`, "int_type@ literal_error@"},
		"text of the right type":  {`{"anyOf":[{"type":"integer"},{"type":"string","minLength":3}]}`, `"x"`, "string_too_short@"},
		"no object":               {shapes, `{"shape":"circle"}`, "model_attributes_type@shape"},
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

func brief(vs []problem.Violation) string {
	all := make([]string, len(vs))
	for i, v := range vs {
		all[i] = v.Type + "@" + strings.TrimPrefix(strings.ReplaceAll(pointerTo(v.Loc[1:]), "/", "."), ".")
	}
	return strings.Join(all, " ")
}

// TestTagsAreInputs: what a client sent is repeated where the route echoes inputs, and only there.
func TestTagsAreInputs(t *testing.T) {
	const union = `{"discriminator":{"propertyName":"kind"},"anyOf":[{"properties":{"kind":{"const":"a"},"n":{"type":"integer"}}},{"properties":{"kind":{"const":"b"}}}]}`
	tests := map[string]struct{ body, silent, echoed string }{
		"unknown": {
			`{"kind":"secret"}`,
			`{"type":"union_tag_invalid","loc":["body"],"msg":"Input tag found using 'kind' does not match any of the expected tags: 'a', 'b'","ctx":{"discriminator":"'kind'","expected_tags":"'a', 'b'"}}`,
			`{"type":"union_tag_invalid","loc":["body"],"msg":"Input tag 'secret' found using 'kind' does not match any of the expected tags: 'a', 'b'","input":{"kind":"secret"},"ctx":{"discriminator":"'kind'","expected_tags":"'a', 'b'","tag":"secret"}}`,
		},
		"null": {
			`{"kind":null}`,
			`{"type":"union_tag_invalid","loc":["body"],"msg":"Input tag found using 'kind' does not match any of the expected tags: 'a', 'b'","ctx":{"discriminator":"'kind'","expected_tags":"'a', 'b'"}}`,
			`{"type":"union_tag_invalid","loc":["body"],"msg":"Input tag 'None' found using 'kind' does not match any of the expected tags: 'a', 'b'","input":{"kind":null},"ctx":{"discriminator":"'kind'","expected_tags":"'a', 'b'","tag":"None"}}`,
		},
		"within": {
			`{"kind":"a","n":[7]}`,
			`{"type":"int_type","loc":["body","a","n"],"msg":"Input should be a valid integer"}`,
			`{"type":"int_type","loc":["body","a","n"],"msg":"Input should be a valid integer","input":[7]}`,
		},
	}
	silent := mustCompile(t, union)
	echoing, err := Compile([]byte(union), EchoInputs())
	if err != nil {
		t.Fatal(err)
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			_, vs, _ := silent.Check(t.Context(), []byte(tt.body))
			if diff := cmp.Diff(tt.silent+"\n", lines(t, vs)); diff != "" {
				t.Error(diff)
			}
			_, vs, _ = echoing.Check(t.Context(), []byte(tt.body))
			if diff := cmp.Diff(tt.echoed+"\n", lines(t, vs)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// TestOrderOfVeryMany: the work of ordering is bounded, and the answer too.
func TestOrderOfVeryMany(t *testing.T) {
	wrong := map[string]string{}
	for i := range maxRanked + 1 {
		wrong[fmt.Sprintf("k%05d", i)] = ""
	}
	body, err := json.Marshal(wrong)
	if err != nil {
		t.Fatal(err)
	}
	s := mustCompile(t, `{"additionalProperties":{"type":"integer"},"required":["k00001"]}`)
	_, vs, _ := s.Check(t.Context(), body)
	if len(vs) != MaxViolations || vs[0].Loc[1] != "k00001" || vs[1].Loc[1] != "k00000" {
		t.Errorf("%d violations, the first %v", len(vs), vs[:min(1, len(vs))])
	}
}
