package openapi

import (
	"bytes"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers/legacy"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/llmservice/llmservice/runtime/config"
	"github.com/llmservice/llmservice/runtime/problem"
	"github.com/llmservice/llmservice/runtime/protocol/openai"
	"github.com/llmservice/llmservice/runtime/schema"
)

// embedded are schemas whose meaning depends on where they stand, with bodies that they accept and refuse.
var embedded = []struct {
	name, schema string
	good, bad    []string
	// lost are bodies that the schema refuses and the document cannot.
	lost []string
}{
	{
		name:   "definition",
		schema: `{"properties":{"a":{"$ref":"#/$defs/x"}},"$defs":{"x":{"type":"integer"}}}`,
		good:   []string{`{"a":1}`, `{}`}, bad: []string{`{"a":"1"}`},
	},
	{
		name:   "definition of older drafts",
		schema: `{"properties":{"a":{"$ref":"#/definitions/x"}},"definitions":{"x":{"type":"integer"}}}`,
		good:   []string{`{"a":1}`}, bad: []string{`{"a":"1"}`},
	},
	{
		name:   "definition through definition",
		schema: `{"$ref":"#/$defs/a","$defs":{"a":{"type":"array","items":{"$ref":"#/$defs/b"}},"b":{"type":"integer"}}}`,
		good:   []string{`[1]`}, bad: []string{`["1"]`, `1`},
	},
	{
		name: "definitions beside a reference and more",
		schema: `{"$defs":{"node":{"type":"object","properties":{"next":{"$ref":"#/$defs/node"}}}},"$ref":"#/$defs/node",
			"allOf":[{"required":["next"]}],"maxProperties":1}`,
		good: []string{`{"next":{}}`}, bad: []string{`{}`, `{"next":1}`, `{"next":{"next":1}}`, `{"next":{},"more":1}`},
	},
	{
		name:   "recursion by #",
		schema: `{"type":"object","properties":{"n":{"$ref":"#"}},"additionalProperties":false}`,
		good:   []string{`{"n":{"n":{}}}`}, bad: []string{`{"n":{"n":{"m":1}}}`},
	},
	{
		name:   "names that need escapes",
		schema: `{"properties":{"a":{"$ref":"#/$defs/x~1y%20z"}},"$defs":{"x/y z":{"type":"integer"}}}`,
		good:   []string{`{"a":1}`}, bad: []string{`{"a":"1"}`},
	},
	{
		name: "everywhere a schema may stand",
		schema: `{"allOf":[{"if":{"$ref":"#/$defs/o"},"then":{"additionalProperties":{"$ref":"#/$defs/x"}}}],
			"prefixItems":[{"$ref":"#/$defs/x"}],"not":{"$ref":"#/$defs/s"},
			"$defs":{"x":{"type":"integer"},"o":{"type":"object"},"s":{"type":"string"}}}`,
		good: []string{`{"a":1}`, `[1,"2"]`}, bad: []string{`{"a":"1"}`, `["1"]`, `"s"`},
	},
	{
		name:   "data that looks like a reference",
		schema: `{"const":{"$ref":"#/x","$id":"y"}}`,
		good:   []string{`{"$ref":"#/x","$id":"y"}`}, bad: []string{`{}`},
	},
	{
		name: "properties that are called like keywords",
		schema: `{"properties":{"$ref":{"type":"string"},"$id":{"type":"string"},"default":{"$ref":"#/$defs/x"},
			"properties":{"type":"object"}},"$defs":{"x":{"type":"integer"}}}`,
		good: []string{`{"$ref":"a","$id":"b","default":1}`}, bad: []string{`{"$ref":1}`, `{"$id":1}`, `{"default":"1"}`, `{"properties":1}`},
	},
	{
		name:   "anchor",
		schema: `{"properties":{"a":{"$ref":"#item"}},"$defs":{"x":{"$anchor":"item","type":"integer"}}}`,
		good:   []string{`{"a":1}`}, bad: []string{`{"a":"1"}`},
	},
	{
		name:   "the same anchor again",
		schema: `{"properties":{"a":{"$ref":"#item"}},"$defs":{"x":{"$anchor":"item","type":"boolean"}}}`,
		good:   []string{`{"a":true}`}, bad: []string{`{"a":1}`},
	},
	{
		name:   "an address of its own",
		schema: `{"$schema":"https://json-schema.org/draft/2020-12/schema","$id":"https://example.com/q","properties":{"a":{"$ref":"q#/$defs/x"},"b":{"$ref":"#/$defs/x"}},"$defs":{"x":{"type":"integer"}}}`,
		good:   []string{`{"a":1,"b":1}`}, bad: []string{`{"a":"1"}`, `{"b":"1"}`},
	},
	{
		name:   "an address without a hierarchy",
		schema: `{"$id":"urn:example:q","properties":{"a":{"$ref":"#/$defs/x"},"b":{"$ref":"urn:example:q#/$defs/x"}},"$defs":{"x":{"type":"integer"}}}`,
		good:   []string{`{"a":1,"b":1}`}, bad: []string{`{"a":"1"}`, `{"b":"1"}`},
	},
	{
		name:   "the same address again",
		schema: `{"$id":"https://example.com/q","properties":{"a":{"$ref":"#/$defs/x"}},"$defs":{"x":{"type":"boolean"}}}`,
		good:   []string{`{"a":true}`}, bad: []string{`{"a":1}`},
	},
	{
		name:   "recursion by a relative address",
		schema: `{"$id":"T0","type":"object","properties":{"n":{"$ref":"T0"}},"additionalProperties":false}`,
		good:   []string{`{"n":{"n":{}}}`}, bad: []string{`{"n":{"m":1}}`},
	},
	{
		name: "a bundled schema",
		schema: `{"properties":{"price":{"$ref":"https://example.com/money"}},"$defs":{"m":{"$id":"https://example.com/money",
			"properties":{"n":{"$ref":"#/$defs/n"}},"$defs":{"n":{"type":"integer"}}},"n":{"type":"string"}}}`,
		good: []string{`{"price":{"n":1}}`}, bad: []string{`{"price":{"n":"1"}}`},
	},
	{
		name:   "a dynamic reference that is plain",
		schema: `{"$dynamicAnchor":"node","type":"object","properties":{"n":{"$dynamicRef":"#node"}},"additionalProperties":false}`,
		good:   []string{`{"n":{"n":{}}}`}, bad: []string{`{"n":{"m":1}}`},
	},
	{
		name: "a dynamic reference with a choice",
		schema: `{"$ref":"list","$defs":{"i":{"$dynamicAnchor":"T","type":"integer"},
			"l":{"$id":"list","type":"array","items":{"$dynamicRef":"#T"},"$defs":{"d":{"$dynamicAnchor":"T","not":true}}}}}`,
		good: []string{`[1]`}, bad: []string{`1`}, lost: []string{`["1"]`},
	},
	{
		name: "a nested union as Pydantic writes it, with a default tag",
		schema: `{"type":"object","required":["main"],"properties":{"main":{
			"discriminator":{"propertyName":"shape","mapping":{"circle":"#/$defs/Circle","square":{
				"discriminator":{"propertyName":"color","mapping":{"blue":"#/$defs/Blue","red":"#/$defs/Red"}},"oneOf":[{"$ref":"#/$defs/Red"},{"$ref":"#/$defs/Blue"}]}}},
			"oneOf":[{"$ref":"#/$defs/Circle"},{
				"discriminator":{"propertyName":"color","mapping":{"blue":"#/$defs/Blue","red":"#/$defs/Red"}},"oneOf":[{"$ref":"#/$defs/Red"},{"$ref":"#/$defs/Blue"}]}]}},
			"$defs":{
				"Circle":{"type":"object","required":["r"],"properties":{"shape":{"type":"string","const":"circle","default":"circle"},"r":{"type":"number"}}},
				"Red":{"type":"object","required":["shape","color"],"properties":{"shape":{"const":"square"},"color":{"const":"red"}}},
				"Blue":{"type":"object","required":["shape","color"],"properties":{"shape":{"const":"square"},"color":{"const":"blue"}}}}}`,
		good: []string{`{"main":{"shape":"circle","r":1}}`, `{"main":{"shape":"square","color":"blue"}}`},
		bad:  []string{`{"main":{"r":1}}`, `{"main":{"shape":"oval"}}`, `{"main":{"shape":"square","color":"green"}}`, `{"main":{"shape":"square"}}`},
	},
	{
		name: "what is required and has a default",
		schema: `{"type":"object","required":["a","b","c","d"],"properties":{"a":{"$ref":"#/$defs/n"},"b":{"type":"integer","default":1},
			"d":{"type":"integer"}},"allOf":[{"required":["b"],"properties":{"c":{"default":2}}}],"$defs":{"n":{"type":"integer","default":3}}}`,
		good: []string{`{"d":1}`, `{"a":1,"b":2,"c":3,"d":4}`}, bad: []string{`{}`, `{"a":1,"b":2,"c":3}`, `{"a":"x","d":1}`},
	},
	{
		name: "what is required, and filled in in one place only",
		schema: `{"type":"object","properties":{"one":{"$ref":"#/$defs/m"},"two":{"anyOf":[{"$ref":"#/$defs/m"},{"required":["b"]}]}},
			"$defs":{"m":{"type":"object","required":["a"],"properties":{"a":{"type":"integer","default":1}}}}}`,
		good: []string{`{"one":{"a":1}}`, `{"two":{"b":1}}`}, bad: []string{`{"two":{}}`},
	},
	{name: "true", schema: `true`, good: []string{`1`, `{}`}},
	{name: "false", schema: `false`, bad: []string{`1`, `{}`}},
}

// All schemas stand in one document, so that none may depend on another's absence.
func documentOfEmbedded(t *testing.T) []byte {
	t.Helper()
	c := &config.Config{Version: config.Version, Service: config.Service{Name: "s"}}
	for i, tc := range embedded {
		c.Routes = append(c.Routes, route("POST", fmt.Sprintf("/%d", i), "", tc.schema, whole))
	}
	return build(t, c)
}

// An embedded schema means in the document what it means alone.
func TestEmbeddedSchemasKeepTheirMeaning(t *testing.T) {
	const address = "https://service.test/openapi.json"
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(documentOfEmbedded(t)))
	if err != nil {
		t.Fatal(err)
	}
	compiler := jsonschema.NewCompiler()
	if err := compiler.AddResource(address, document); err != nil {
		t.Fatal(err)
	}
	for i, tc := range embedded {
		t.Run(tc.name, func(t *testing.T) {
			alone, err := schema.Compile([]byte(tc.schema))
			if err != nil {
				t.Fatal(err)
			}
			inDocument, err := compiler.Compile(fmt.Sprintf("%s#/components/schemas/post_%d_request", address, i))
			if err != nil {
				t.Fatal(err)
			}
			check := func(body string, want, wantEmbedded bool) {
				value, err := jsonschema.UnmarshalJSON(strings.NewReader(body))
				if err != nil {
					t.Fatal(err)
				}
				_, violations, _ := alone.Check(t.Context(), []byte(body))
				if got := len(violations) == 0; got != want {
					t.Errorf("alone: accepts %s: %t, want %t", body, got, want)
				}
				if err := inDocument.Validate(value); (err == nil) != wantEmbedded {
					t.Errorf("embedded: accepts %s: %t, want %t: %v", body, err == nil, wantEmbedded, err)
				}
			}
			for _, body := range tc.good {
				check(body, true, true)
			}
			for _, body := range tc.bad {
				check(body, false, false)
			}
			for _, body := range tc.lost {
				check(body, false, true)
			}
		})
	}
}

// A tool that knows pointers and no addresses, as most that read OpenAPI do, judges requests as the route does.
func TestToolsFollowReferences(t *testing.T) {
	// The meta-schema still has definitions; the library does not know it.
	known := openapi3.AllowExtraSiblingFields("definitions")
	d, err := load(t, documentOfEmbedded(t), known)
	if err != nil {
		t.Fatal(err)
	}
	router, err := legacy.NewRouter(d, known)
	if err != nil {
		t.Fatal(err)
	}
	for i, tc := range embedded {
		t.Run(tc.name, func(t *testing.T) {
			check := func(body string, want bool) {
				r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, fmt.Sprintf("/%d", i), strings.NewReader(body))
				r.Header.Set("Content-Type", jsonType)
				found, params, err := router.FindRoute(r)
				if err != nil {
					t.Fatal(err)
				}
				err = openapi3filter.ValidateRequest(t.Context(), &openapi3filter.RequestValidationInput{Request: r, PathParams: params, Route: found})
				if (err == nil) != want {
					t.Errorf("accepts %s: %t, want %t: %v", body, err == nil, want, err)
				}
			}
			for _, body := range tc.good {
				check(body, true)
			}
			for _, body := range tc.bad {
				check(body, false)
			}
		})
	}
}

func TestEmbed(t *testing.T) {
	for _, tc := range []struct{ name, schema, want string }{
		{
			"what refers to nothing stays as it is, in its order",
			`{"type":"object","title":"Q","properties":{"z":{"type":"number","maximum":1.50},"a":{"enum":["<",1e2]}},"required":["z"]}`,
			`{"type":"object","title":"Q","properties":{"z":{"type":"number","maximum":1.50},"a":{"enum":["<",1e2]}},"required":["z"]}`,
		},
		{
			"a reference becomes a pointer from the root",
			`{"properties":{"a":{"$ref":"#/$defs/x"},"b":{"$ref":"#"}},"$defs":{"x":{}}}`,
			`{"properties":{"a":{"$ref":"#/components/schemas/s/$defs/x"},"b":{"$ref":"#/components/schemas/s"}},"$defs":{"x":{}}}`,
		},
		{
			"names go, as the place is the name",
			`{"$id":"https://example.com/q","$anchor":"top","$ref":"#x","$defs":{"x":{"$anchor":"x","type":"null"}}}`,
			`{"$defs":{"x":{"type":"null"}},"allOf":[{"$ref":"#/components/schemas/s/$defs/x"}]}`,
		},
		{
			"both kinds of references stay both",
			`{"$dynamicAnchor":"n","properties":{"a":{"$ref":"#/$defs/x","$dynamicRef":"#n"}},"$defs":{"x":{}}}`,
			`{"properties":{"a":{"$ref":"#/components/schemas/s/$defs/x","$dynamicRef":"#/components/schemas/s"}},"$defs":{"x":{}}}`,
		},
		{
			"JSON Schema's own schema is everyone's",
			`{"$ref":"https://json-schema.org/draft/2020-12/schema"}`,
			`{"$ref":"https://json-schema.org/draft/2020-12/schema"}`,
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, _, err := embedSchema(compiled(t, jsontext.Value(tc.schema)), "/components/schemas/s", true)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.want, string(got)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// What the gateway answers is what the document says.
func TestAnswersMatchTheDocument(t *testing.T) {
	d, err := load(t, build(t, service()))
	if err != nil {
		t.Fatal(err)
	}
	router, err := legacy.NewRouter(d)
	if err != nil {
		t.Fatal(err)
	}
	_, violations, _ := schema.Decode(t.Context(), []byte(`{"a":`))
	wrong := problem.Invalid(append(violations, problem.Violation{Type: "missing", Loc: []any{"body", 0, "q"}, Msg: "Field required"}))
	list, err := openai.Dialect{}.WriteModels([]string{"assistant", "helper"})
	if err != nil {
		t.Fatal(err)
	}
	reply := func(f problem.ErrorFormat, e *problem.Error) problem.Reply { return f.Reply(e) }
	success := problem.Reply{Status: 200, Header: []problem.Field{{Name: "Content-Type", Value: jsonType}}}
	models := success
	models.Body = list
	completion := success
	completion.Body = []byte(`{"id":"c","object":"chat.completion","created":1,"model":"helper","choices":[{"index":0,"message":{"role":"assistant","content":null,"tool_calls":[{}]},"finish_reason":"stop"}],"usage":null}`)
	foreign := completion
	foreign.Body = bytes.ReplaceAll(completion.Body, []byte(`"helper"`), []byte(`"qwen"`))
	shapeless := reply(problem.FastAPI, wrong)
	shapeless.Body = []byte(`{"error":{}}`)
	for _, tc := range []struct {
		name, method, path string
		reply              problem.Reply
		bad                bool
	}{
		{"violations", "POST", "/answer", reply(problem.FastAPI, wrong), false},
		{"refused by the upstream", "POST", "/answer", reply(problem.FastAPI, problem.FromUpstream(422, 0)), false},
		{"busy", "POST", "/answer", reply(problem.FastAPI, problem.Busy(1)), false},
		{"too large", "POST", "/answer", reply(problem.FastAPI, problem.TooLarge(1)), false},
		{"timeout", "GET", "/answer", reply(problem.FastAPI, problem.New(problem.Timeout)), false},
		{"another shape", "POST", "/answer", shapeless, true},
		{"a model's violations", "POST", "/v1/chat/completions", reply(problem.OpenAI, wrong), false},
		{"no model", "POST", "/v1/chat/completions", reply(problem.OpenAI, problem.NoModel("x")), false},
		{"a model's busy", "POST", "/v1/chat/completions", reply(problem.OpenAI, problem.Busy(1)), false},
		{"FastAPI's shape for a model", "POST", "/v1/chat/completions", reply(problem.FastAPI, problem.Busy(1)), true},
		{"completion", "POST", "/v1/chat/completions", completion, false},
		{"completion of the upstream's name", "POST", "/v1/chat/completions", foreign, true},
		{"models", "GET", "/v1/models", models, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := httptest.NewRequestWithContext(t.Context(), tc.method, tc.path, http.NoBody)
			found, params, err := router.FindRoute(r)
			if err != nil {
				t.Fatal(err)
			}
			response := &openapi3filter.ResponseValidationInput{
				RequestValidationInput: &openapi3filter.RequestValidationInput{Request: r, PathParams: params, Route: found},
				Status:                 tc.reply.Status,
				Header:                 http.Header{},
			}
			for _, f := range tc.reply.Header {
				response.Header.Add(f.Name, f.Value)
			}
			response.SetBodyBytes(tc.reply.Body)
			if err := openapi3filter.ValidateResponse(t.Context(), response); (err != nil) != tc.bad {
				t.Errorf("%d %s: %v", tc.reply.Status, tc.reply.Body, err)
			}
		})
	}
}

// A mapping has references to what is in the document, whatever Pydantic, which writes schemas in their place, or an author of
// references into another document has written; a property that is called like the keyword has none.
func TestDiscriminatorMappingMoves(t *testing.T) {
	const forms = `"oneOf":[{"$ref":"#/$defs/A"},{"oneOf":[{"$ref":"#/$defs/B"}]}],`
	const defs = `"$defs":{"A":{"properties":{"kind":{"const":"a"}}},"B":{"required":["kind"],"properties":{"kind":{"const":"b"}}}}`
	const at = "/components/schemas/s"
	for name, tc := range map[string]struct{ mapping, want string }{
		"references":       {`{"a":"#/$defs/A","b":"#/$defs/B"}`, `{"a":"#/components/schemas/s/$defs/A","b":"#/components/schemas/s/$defs/B"}`},
		"a schema":         {`{"a":"#/$defs/A","b":{"oneOf":[{"$ref":"#/$defs/B"}]}}`, `{"a":"#/components/schemas/s/$defs/A","b":"#/components/schemas/s/oneOf/1"}`},
		"another document": {`{"a":"#/components/schemas/A","b":"https://example.com/b.json"}`, `{"a":"#/components/schemas/s/$defs/A","b":"#/components/schemas/s/oneOf/1"}`},
		"names":            {`{"a":"A","b":"B"}`, `{"a":"#/components/schemas/s/$defs/A","b":"#/components/schemas/s/oneOf/1"}`},
		"of nothing":       {`{"a":"#/$defs/A","c":"#/$defs/C","d":{},"e":7}`, `{"a":"#/components/schemas/s/$defs/A"}`},
	} {
		schema := `{"type":"object",` + forms + `"discriminator":{"propertyName":"kind","mapping":` + tc.mapping + `},` + defs + `}`
		got, _, err := embedSchema(compiled(t, jsontext.Value(schema)), at, true)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(tc.want, memberAt(t, got, "/discriminator/mapping")); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
		if diff := cmp.Diff(`["kind"]`, memberAt(t, got, "/required")); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	for _, same := range []string{
		`{"discriminator":{"propertyName":"$id"}}`,
		`{"properties":{"discriminator":{"mapping":{"a":"#/$defs/A"}}},"$defs":{"A":{}}}`,
	} {
		if got, _, err := embedSchema(compiled(t, jsontext.Value(same)), at, true); err != nil || string(got) != same {
			t.Errorf("%s became %s (%v)", same, got, err)
		}
	}
}
