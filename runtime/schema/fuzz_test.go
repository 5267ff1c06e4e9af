package schema

import (
	"encoding/json"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// withDefaults is a schema of all that fills values in.
const withDefaults = `{
	"type": "object", "required": ["question", "limit"], "additionalProperties": {"$ref": "#/$defs/source"},
	"properties": {
		"question": {"type": "string", "minLength": 1, "format": "idn-email"},
		"limit": {"type": "integer", "minimum": 1, "maximum": 10, "default": 3},
		"tags": {"type": "array", "items": {"type": "string"}, "uniqueItems": true},
		"next": {"anyOf": [{"$ref": "#"}, {"type": "null"}], "default": null},
		"sources": {"type": "array", "items": {"oneOf": [{"$ref": "#/$defs/source"}, {"$ref": "#/$defs/file"}]}}
	},
	"$defs": {
		"source": {"type": "object", "properties": {"kind": {"const": "url"}, "depth": {"type": "number", "default": 0.5}}},
		"file": {"type": "object", "properties": {"kind": {"const": "file"}, "when": {"format": "date-time"}, "opts": {"default": {}, "properties": {"a": {"default": [1]}}}}, "required": ["kind"]}
	}
}`

// FuzzCheck: whatever is sent, there is a value or a violation, and never a panic; a value that was accepted, defaults
// filled in, is accepted again as it is.
func FuzzCheck(f *testing.F) {
	for _, seed := range []string{
		`{"question":"a@b.c","limit":1}`, `{"question":1.5e3}`, `[1e400]`, `{"a":1,"a":2}`, "\"\xff\"", `{"tags":["a","a"]}`, ``,
		`{"question":"a@b","next":{"question":"ü@xn--"},"x":{},"sources":[{"kind":"file","when":"2020-01-01T00:00:00Z"},{"kind":"url"}]}`,
	} {
		f.Add([]byte(seed))
	}
	s, err := Compile([]byte(withDefaults), AssertFormats(), EchoInputs())
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		value, vs, _ := s.Check(t.Context(), body)
		if (value == nil) == (len(vs) == 0) {
			t.Errorf("%q: value %v, violations %v", body, value, vs)
		}
		lines(t, vs)
		if value == nil {
			return
		}
		again, vs, _ := s.CheckValue(t.Context(), value, "body")
		if diff := cmp.Diff(value, again); diff != "" || vs != nil {
			t.Errorf("%q: a second check changed it: %s %s", body, diff, lines(t, vs))
		}
	})
}

// FuzzDecode: what is accepted is JSON to others too, and can be written again.
func FuzzDecode(f *testing.F) {
	for _, seed := range []string{`{"a":[1,-0,2.5e3,"\u00e9\ud83d\ude00"],"b":{"a":null}}`, `[1e-400,18446744073709551617]`, `"\ud800"`, ` [true] x`, `{"a":1,"\u0061":2}`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		value, vs, _ := Decode(t.Context(), text)
		if len(vs) > 0 {
			return
		}
		if !json.Valid(text) {
			t.Errorf("%q is accepted, and no JSON", text)
		}
		written, err := json.Marshal(value)
		if err != nil {
			t.Fatalf("%q: %v", text, err)
		}
		if _, vs, _ := Decode(t.Context(), written); vs != nil {
			t.Errorf("%q was written as %q, which is refused: %v", text, written, vs)
		}
		if doc, err := measure(value); err != nil || doc.rough {
			t.Errorf("%q: measured %+v, %v", text, doc, err)
		}
	})
}

// FuzzCompile: the operator compiles what tenants write. Schemas are short here, so that each run is.
func FuzzCompile(f *testing.F) {
	for _, seed := range []string{
		smallSchema, `{"$ref":"#/$defs/a","$defs":{"a":{}}}`, `{"$id":"a","$anchor":"b"}`, `{"$dynamicRef":"#x","$dynamicAnchor":"x"}`, `true`,
		`{"properties":{"a":{"default":{},"allOf":[{"properties":{"b":{"default":[1]}}}]}}}`, `{"properties":{"n":{"$ref":"#","default":{}}}}`,
		`{"discriminator":{"propertyName":"kind","mapping":{"a":"#/$defs/a"}},"oneOf":[{"$ref":"#/$defs/a"},{"properties":{"kind":{"enum":["b","c"]}}}],"$defs":{"a":{"type":"string"}}}`,
		`{"items":{"anyOf":[{"type":"integer"},{"enum":["a",null]}]},"type":["array","null"]}`, `{"$ref":"https://json-schema.org/draft/2020-12/schema"}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		if len(raw) > 2048 {
			t.Skip()
		}
		s, err := Compile(raw, AssertFormats(), EchoInputs())
		if err != nil {
			if _, ok := errors.AsType[*Error](err); !ok {
				t.Errorf("%q: %T", raw, err)
			}
			return
		}
		_, vs, _ := s.Check(t.Context(), []byte(`{"a":[1,"b",{"c":null}],"kind":"a"}`))
		lines(t, vs)
		p, err := CompileParameter(raw, Query, "p", true)
		if err != nil {
			if _, ok := errors.AsType[*Error](err); !ok {
				t.Errorf("%q: %T", raw, err)
			}
			return
		}
		for _, values := range [][]string{nil, {""}, {"1", "x"}, {"1.0", "true"}} {
			value, vs, _ := p.Parse(NewWorkBudget(t.Context()), values)
			if len(vs) > 0 && value != nil {
				t.Errorf("%q: %q: value %v, violations %v", raw, values, value, vs)
			}
		}
	})
}

// FuzzParameter: every text is read or refused, and a number that was read is one in JSON.
func FuzzParameter(f *testing.F) {
	for _, seed := range []string{"12", "+1_000.0", " 1e5 ", "inf", "0x1p3", "yes", "", "\u00a01", "９", "-0", "1._5"} {
		f.Add(seed)
	}
	integer, number := mustParameter(f, `{"type":"integer"}`, Query, true), mustParameter(f, `{"type":"number"}`, Header, true)
	either := mustParameter(f, `{"type":"array","items":{"type":["boolean","number","integer"],"maximum":100}}`, Query, true)
	f.Fuzz(func(t *testing.T, text string) {
		for _, p := range []*Parameter{integer, number, either} {
			value, vs, _ := p.Parse(NewWorkBudget(t.Context()), []string{text})
			if (value == nil) == (len(vs) == 0) {
				t.Errorf("%q: value %v, violations %v", text, value, vs)
			}
			if _, err := json.Marshal(value); err != nil {
				t.Errorf("%q: %v", text, err)
			}
		}
	})
}
