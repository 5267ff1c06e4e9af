package openapi

import (
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/go-cmp/cmp"

	"github.com/llmservice/llmservice/runtime/config"
	"github.com/llmservice/llmservice/runtime/config/program"
	"github.com/llmservice/llmservice/runtime/expr"
	"github.com/llmservice/llmservice/runtime/schema"
)

// dead lists the references of a document that lead nowhere, and what stands in a mapping and is not a reference.
func dead(t *testing.T, document []byte) []string {
	t.Helper()
	r := references{}
	if err := json.Unmarshal(document, &r.document); err != nil {
		t.Fatal(err)
	}
	r.walk("", r.document, false)
	slices.Sort(r.dead)
	return r.dead
}

type references struct {
	document any
	all      int
	dead     []string
}

// walk looks at every member, and within schemas at those that hold schemas.
func (r *references) walk(at string, v any, isSchema bool) {
	switch v := v.(type) {
	case []any:
		for i, item := range v {
			r.walk(at+"/"+strconv.Itoa(i), item, isSchema)
		}
	case map[string]any:
		if ref, ok := v["$ref"]; ok {
			r.check(at+"/$ref", ref)
		}
		for name, member := range v {
			here := string(jsontext.Pointer(at).AppendToken(name))
			switch {
			case !isSchema && (name == "schema" || name == "schemas"):
				r.schemas(here, member, name == "schemas")
			case !isSchema:
				r.walk(here, member, false)
			case name == "discriminator":
				d, _ := member.(map[string]any)
				mapping, _ := d["mapping"].(map[string]any)
				for tag, ref := range mapping {
					r.check(here+"/mapping/"+tag, ref)
				}
			default:
				holds := schema.Holding(name)
				if holds == schema.HoldsSchema || holds == schema.HoldsList || holds == schema.HoldsNamed {
					r.schemas(here, member, holds == schema.HoldsNamed)
				}
			}
		}
	}
}

func (r *references) schemas(at string, v any, named bool) {
	members, _ := v.(map[string]any)
	if !named {
		r.walk(at, v, true)
		return
	}
	for name, member := range members {
		r.walk(string(jsontext.Pointer(at).AppendToken(name)), member, true)
	}
}

func (r *references) check(at string, ref any) {
	r.all++
	text, _ := ref.(string)
	if strings.HasPrefix(text, "https://json-schema.org/draft/2020-12/") {
		return
	}
	u, err := url.Parse(text)
	if err != nil || !strings.HasPrefix(text, "#/") || !exists(r.document, u.Fragment) {
		r.dead = append(r.dead, fmt.Sprintf("%s: %v", at, ref))
	}
}

func exists(v any, pointer string) bool {
	for token := range jsontext.Pointer(pointer).Tokens() {
		switch at := v.(type) {
		case map[string]any:
			member, ok := at[token]
			if !ok {
				return false
			}
			v = member
		case []any:
			i, err := strconv.Atoi(token)
			if err != nil || i < 0 || i >= len(at) {
				return false
			}
			v = at[i]
		default:
			return false
		}
	}
	return true
}

// TestDeadReferencesAreSeen: the check itself sees a dead reference, in every place that one may have.
func TestDeadReferencesAreSeen(t *testing.T) {
	const document = `{"paths":{"/":{"get":{"responses":{"default":{"$ref":"#/components/responses/None"}},"parameters":[{"schema":{"items":{"$ref":"#/x"}}}]}}},
		"components":{"schemas":{"default":{"properties":{"default":{"$ref":"#/y"}},"default":{"$ref":"#/data"},"discriminator":{"mapping":{"a":"#/z","b":{},"c":"name"}}}}}}`
	want := []string{
		"/components/schemas/default/discriminator/mapping/a: #/z", "/components/schemas/default/discriminator/mapping/b: map[]",
		"/components/schemas/default/discriminator/mapping/c: name", "/components/schemas/default/properties/default/$ref: #/y",
		"/paths/~1/get/parameters/0/schema/items/$ref: #/x", "/paths/~1/get/responses/default/$ref: #/components/responses/None",
	}
	if diff := cmp.Diff(want, dead(t, []byte(document))); diff != "" {
		t.Error(diff)
	}
}

// What only looks like a schema is data to every walk over a schema: to the compiler, to the types of templates, to the config's
// checks, and to the document, which has it unchanged.
func TestDataIsDataToEveryWalk(t *testing.T) {
	for name, tc := range map[string]struct{ property, at string }{
		"another draft in an example":    {`{"type":"object","examples":[{"$schema":"https://charts.example/v5.json","mark":"bar"}]}`, "/examples"},
		"another draft in a default":     {`{"type":"object","default":{"$schema":"http://cards.example/card.json","type":"Card"}}`, "/default"},
		"a pattern in an example":        {`{"type":"object","examples":[{"patternProperties":{"(?=x)":{"type":"string"}}}]}`, "/examples"},
		"an anchor in a default":         {`{"type":"object","default":{"$dynamicAnchor":"5x","type":"nonsense"}}`, "/default"},
		"a recursive ref in an example":  {`{"type":"object","examples":[{"$recursiveRef":"#"}]}`, "/examples"},
		"a ref in a const":               {`{"const":{"$ref":"#/$defs/x","$id":"y"}}`, "/const"},
		"a ref in an enum":               {`{"enum":[{"$ref":"#/nowhere"},[{"$anchor":"a"},{"$anchor":"a"}]]}`, "/enum"},
		"a schema of another draft":      {`{"example":{"$schema":"http://json-schema.org/draft-07/schema#","definitions":{"a":{"$ref":"#/definitions/b"}}}}`, "/example"},
		"two addresses in examples":      {`{"examples":[{"$id":"https://example.com/x"},{"$id":"https://example.com/x"}]}`, "/examples"},
		"an extension":                   {`{"x-form":{"$ref":"form.json","$schema":"https://forms.example/v1"}}`, "/x-form"},
		"a keyword that nobody knows":    {`{"unheardOf":[{"$id":"x","$dynamicRef":"#nowhere","pattern":"(?=x)"}]}`, "/unheardOf"},
		"a property called default":      {`{"type":"object","properties":{"default":{"type":"string","default":"$ref"}}}`, "/properties/default"},
		"a property called $ref":         {`{"type":"object","properties":{"$ref":{"type":"string"},"$id":{"type":"string"},"$schema":{"const":1}}}`, "/properties"},
		"a property called examples":     {`{"type":"object","properties":{"examples":{"type":"array","items":{"type":"integer"}}}}`, "/properties/examples"},
		"a property called $dynamicRef":  {`{"type":"object","properties":{"$dynamicAnchor":{"type":"string"},"$dynamicRef":{"type":"string"}}}`, "/properties"},
		"a property called pattern":      {`{"type":"object","properties":{"pattern":{"maxLength":2},"patternProperties":{"type":"string"}}}`, "/properties"},
		"a property called $recursive":   {`{"type":"object","properties":{"$recursiveRef":{"type":"string"},"discriminator":{"type":"object"}}}`, "/properties"},
		"a property called x-tag":        {`{"type":"object","properties":{"x-tag":{"examples":[{"$ref":"a"}]}}}`, "/properties"},
		"members of an example, ordered": {`{"examples":[{"z":1.50,"a":[1e2,"<"],"$defs":{"b":{"$anchor":"x"}}}]}`, "/examples"},
	} {
		t.Run(name, func(t *testing.T) {
			text := jsontext.Value(`{"type":"object","properties":{"it":` + tc.property + `},"$defs":{"x":{"type":"integer"}}}`)
			compiled, err := schema.Compile(text)
			if err != nil {
				t.Fatal(err)
			}
			if _, violations, _ := compiled.Check(t.Context(), []byte(`{}`)); violations != nil {
				t.Errorf("refuses {}: %v", violations)
			}
			if _, err := expr.NewEnv(expr.Vars{"body": expr.FromSchema(compiled)}); err != nil {
				t.Error(err)
			}
			budget, timeout := config.Budget{MaxCalls: 1, MaxBytes: 1}, config.Duration(1e9)
			c := &config.Config{
				Version: config.Version, Service: config.Service{Name: "s"}, Runtime: config.Runtime{MaxInFlight: 1},
				Routes: []config.Route{{
					Path: "/", Method: "POST", Timeout: timeout, Budget: budget, Request: &config.Request{Schema: text},
					Response: &config.Response{Body: jsontext.Value(`"${request.body}"`), Schema: text},
				}},
			}
			if errs := program.Validate(c); errs != nil {
				t.Fatal(errs)
			}
			document := build(t, c)
			for _, of := range []string{"request", "response"} {
				in := "/components/schemas/post_root_" + of + "/properties/it" + tc.at
				if want, got := memberAt(t, []byte(tc.property), tc.at), memberAt(t, document, in); want != got {
					t.Errorf("%s is %s, want %s", in, got, want)
				}
			}
		})
	}
}

// memberAt gives the text of what stands at a pointer.
func memberAt(t *testing.T, document []byte, pointer string) string {
	t.Helper()
	v := jsontext.Value(document)
	for token := range jsontext.Pointer(pointer).Tokens() {
		o, isObject, err := parse(v)
		found, ok := o.find(token)
		if err != nil || !isObject || !ok {
			t.Fatalf("%s is absent: %v", pointer, err)
		}
		v = *found
	}
	return string(v)
}
