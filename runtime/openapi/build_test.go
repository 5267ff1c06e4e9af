package openapi

import (
	"bytes"
	"flag"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/go-cmp/cmp"

	"github.com/llmservice/llmservice/runtime/config"
	"github.com/llmservice/llmservice/runtime/config/delivery"
	"github.com/llmservice/llmservice/runtime/config/program"
	"github.com/llmservice/llmservice/runtime/schema"
)

var update = flag.Bool("update", false, "write testdata/document.json anew")

// secret marks what callers of a service are not to learn; so does whatever holds it.
const secret = "hidden"

// service is a config of everything that a document tells of, and of everything that it must not.
func service() *config.Config {
	return &config.Config{
		Version: config.Version,
		Service: config.Service{Name: "assistant", Namespace: "team-" + secret},
		Upstreams: []config.Upstream{{
			Name:      "upstream-" + secret,
			OpenAI:    &config.OpenAI{Model: "model-" + secret},
			Endpoints: []config.Endpoint{{URL: "http://" + secret + ".models.svc:8000/v1"}},
			Auth:      &config.Auth{Bearer: &config.SecretFile{Secret: "keys-" + secret, Key: "key-" + secret}},
		}},
		Models: []config.Model{
			{Name: "assistant", Upstreams: []string{"upstream-" + secret}},
			{Name: "helper", Upstreams: []string{"upstream-" + secret}},
		},
		Routes: []config.Route{
			route("POST", "/answer", "Answer a question", `{
				"type": "object",
				"required": ["question"],
				"additionalProperties": false,
				"properties": {
					"question": {"type": "string", "minLength": 1},
					"filters": {"type": "array", "items": {"$ref": "#/$defs/filter"}}
				},
				"$defs": {"filter": {"type": "object", "properties": {"year": {"type": "integer"}}, "required": ["year"]}}
			}`, streamed),
			route("GET", "/answer", "", "", whole),
			route("PUT", "/", "", "", whole),
			route("DELETE", "/a-b", "", "true", streamed),
			route("PATCH", "/a_b", "", "", streamed),
			route("PATCH", "/a-b", "", "", whole),
			parameterized(),
			{Method: "POST", Path: "/text", Steps: everyStep(), Response: &config.Response{
				Stream: "step-" + secret, Format: "Text", Schema: jsontext.Value(`{"type":"string","minLength":1}`),
			}},
			{Method: "POST", Path: "/json", Steps: everyStep(), Response: &config.Response{
				Stream: "step-" + secret, Format: "JSON", Commit: config.CommitAfterValidation,
				Schema: jsontext.Value(`{"$ref":"#/$defs/a","$defs":{"a":{"type":"object"}}}`),
			}},
			{Method: "GET", Path: "/named", Steps: everyStep(), Response: &config.Response{
				Events: &config.Events{Steps: []string{"draft", "votes.one"}, Progress: true},
				Body:   jsontext.Value(`"body-` + secret + `"`), Schema: jsontext.Value(`{"type":"string"}`),
			}},
		},
		Functions: []config.Function{{
			Name: "function-" + secret, Description: "description-" + secret,
			Input: jsontext.Value(`{"type":"object","description":"input-` + secret + `"}`),
			Steps: everyStep(), Output: jsontext.Value(`"output-` + secret + `"`),
		}},
	}
}

// parameterized has each place of a parameter, calls nothing, and has answers of its own.
func parameterized() config.Route {
	return config.Route{
		Method: "GET", Path: "/items/{id}/notes/{note}", Summary: "Read a note",
		Request: &config.Request{Parameters: []config.Parameter{
			{Name: "note", In: config.InPath},
			{Name: "id", In: config.InPath, Description: "Whose note.", Schema: jsontext.Value(`{"type":"integer","minimum":1}`)},
			{Name: "kind", In: config.InQuery, Required: true, Schema: jsontext.Value(
				`{"$ref":"#/$defs/kind","$defs":{"kind":{"type":"string","enum":["short","long"]}}}`)},
			{Name: "tags", In: config.InQuery, Required: true, Schema: jsontext.Value(`{"type":"array","items":{"type":"string"},"default":[]}`)},
			{Name: "X-Tenant", In: config.InHeader, Schema: jsontext.Value(`{"type":"string"}`)},
		}},
		Steps: []config.Step{
			{Name: "missing", Respond: &config.Respond{Status: 404, Body: jsontext.Value(`"respond-` + secret + `"`)}},
			{
				Name: "set-" + secret, Set: &config.Set{Value: jsontext.Value(`"value-` + secret + `"`)},
				OnError: &config.OnError{Respond: &config.Respond{Status: 204}},
			},
			{Name: "busy", Respond: &config.Respond{Status: 429, Body: jsontext.Value(`"busy-` + secret + `"`)}},
			{Name: "early", Respond: &config.Respond{Status: 200, Body: jsontext.Value(`"early-` + secret + `"`)}},
		},
		Response: &config.Response{
			Body:   jsontext.Value(`"body-` + secret + `"`),
			Schema: jsontext.Value(`{"type":"object","properties":{"note":{"type":"string"}}}`),
		},
	}
}

// everyStep has one step of each kind, and in each member a text that nobody is told.
func everyStep() []config.Step {
	hidden := func(what string) jsontext.Value {
		return jsontext.Value(`{"` + what + `-` + secret + `":"` + what + `-` + secret + `"}`)
	}
	messages := []config.Message{{Role: "user", Content: "prompt-" + secret}, {History: "history_" + secret}}
	output := &config.Output{Schema: hidden("title")}
	chat := config.Action{Chat: &config.Chat{
		Upstream: "upstream-" + secret, Messages: messages, Parameters: hidden("parameter"), Output: output,
	}}
	return []config.Step{
		{Name: "a-" + secret, When: "when_" + secret, Action: chat, OnError: &config.OnError{Value: hidden("value")}},
		{Name: "b-" + secret, Action: config.Action{Embeddings: &config.Embeddings{
			Upstream: "upstream-" + secret, Input: "input-" + secret, Parameters: hidden("parameter"),
		}}},
		{Name: "c-" + secret, Action: config.Action{HTTP: &config.HTTPCall{
			Upstream: "upstream-" + secret, Method: "POST", Path: "/" + secret, Query: map[string]string{secret: secret},
			Headers: map[string]string{secret: secret}, Body: hidden("body"),
		}}},
		{Name: "d-" + secret, Action: config.Action{Call: &config.Call{Function: "function-" + secret, Input: hidden("input")}}},
		{Name: "e-" + secret, Action: config.Action{Agent: &config.Agent{
			Upstream: "upstream-" + secret, Messages: messages, Tools: []string{"function-" + secret}, Parameters: hidden("parameter"), Output: output,
		}}},
		{Name: "f-" + secret, Gather: &config.Gather{
			Strategy: config.GatherVote, Vote: &config.Vote{Key: "key_" + secret},
			Branches: []config.Branch{{Name: "branch-" + secret, When: "when_" + secret, Action: chat}},
		}},
		{Name: "g-" + secret, ForEach: &config.ForEach{Items: "items_" + secret, Do: config.Do{Action: chat}}},
		{Name: "h-" + secret, Set: &config.Set{Value: hidden("value")}},
		{Name: "step-" + secret, Action: chat, OnError: &config.OnError{Respond: &config.Respond{Status: 503, Body: hidden("body")}}},
	}
}

var (
	streamed = &config.Response{Stream: "step-" + secret}
	whole    = &config.Response{Body: jsontext.Value(`{"text": "${steps.step-` + secret + `.text}"}`)}
)

func route(method, path, summary, schema string, response *config.Response) config.Route {
	r := config.Route{
		Method: method, Path: path, Summary: summary, Response: response,
		Steps: []config.Step{{Name: "step-" + secret, Action: config.Action{Chat: &config.Chat{
			Upstream:   "upstream-" + secret,
			Messages:   []config.Message{{Role: "system", Content: "prompt-" + secret}},
			Parameters: jsontext.Value(`{"user": "parameter-` + secret + `"}`),
		}}}},
	}
	if schema != "" {
		r.Request = &config.Request{Schema: jsontext.Value(schema)}
	}
	return r
}

// programOf compiles what a document is made of: these configs say more than is valid, to see that it is not told.
func programOf(t *testing.T, c *config.Config) *program.Program {
	t.Helper()
	p := &program.Program{Config: c}
	for i := range c.Routes {
		from := &c.Routes[i]
		r := &program.Route{Route: from, Response: &program.Response{Response: from.Response, Sources: c.Sources(from), Values: c.Values(from)}}
		r.Response.Satisfies = compiled(t, from.Response.Schema)
		if from.Request != nil {
			r.Body = compiled(t, from.Request.Schema)
			for j := range from.Request.Parameters {
				r.Parameters = append(r.Parameters, parameterOf(t, &from.Request.Parameters[j]))
			}
		}
		for _, d := range from.Dependencies {
			f := slices.IndexFunc(c.Functions, func(f config.Function) bool { return f.Name == d.Function })
			call := &program.Call{Function: &program.Function{Function: &c.Functions[f]}}
			r.Dependencies = append(r.Dependencies, &program.Step{Name: d.Name, Work: call})
		}
		p.Routes = append(p.Routes, r)
	}
	return p
}

func parameterOf(t *testing.T, p *config.Parameter) *program.Parameter {
	t.Helper()
	raw := []byte(p.Schema)
	if raw == nil {
		raw = []byte(`{"type":"string"}`)
	}
	text, err := schema.CompileParameter(raw, schema.ParameterPlace(strings.ToLower(p.In)), p.Name, p.Required)
	if err != nil {
		t.Fatal(err)
	}
	return &program.Parameter{Parameter: p, Text: text}
}

// compiled is nil for no schema.
func compiled(t *testing.T, raw jsontext.Value) *schema.Schema {
	t.Helper()
	if len(raw) == 0 {
		return nil
	}
	s, err := schema.Compile(raw)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// Of no document that a test builds does a reference lead nowhere.
func build(t *testing.T, c *config.Config) []byte {
	t.Helper()
	encoded, err := Build(programOf(t, c))
	if err != nil {
		t.Fatal(err)
	}
	for _, ref := range dead(t, encoded) {
		t.Errorf("a reference that leads nowhere: %s", ref)
	}
	return encoded
}

// load reads a document with a library that knows OpenAPI 3.1 and nothing of this package, and says what that finds wrong.
func load(t *testing.T, encoded []byte, o ...openapi3.ValidationOption) (*openapi3.T, error) {
	t.Helper()
	d, err := openapi3.NewLoader().LoadFromData(encoded)
	if err != nil {
		return nil, err
	}
	return d, d.Validate(t.Context(), o...)
}

func TestDocumentIsOpenAPI31(t *testing.T) {
	full := service()
	for name, change := range map[string]func(*config.Config){
		"routes and models": func(*config.Config) {},
		"routes":            func(c *config.Config) { c.Models = nil },
		"models":            func(c *config.Config) { c.Routes = nil },
		"nothing":           func(c *config.Config) { c.Models, c.Routes = nil, nil },
	} {
		t.Run(name, func(t *testing.T) {
			c := *full
			change(&c)
			d, err := load(t, build(t, &c))
			if err != nil {
				t.Fatal(err)
			}
			if !d.IsOpenAPI31OrLater() {
				t.Errorf("it is OpenAPI %s", d.OpenAPI)
			}
		})
	}
}

// The validator is worth something only if it refuses what is wrong.
func TestValidatorRefusesBrokenDocuments(t *testing.T) {
	good := string(build(t, service()))
	for name, change := range map[string][2]string{
		"no title":             {`"title":"assistant",`, ``},
		"dangling response":    {`"#/components/responses/Failed"`, `"#/components/responses/None"`},
		"dangling schema":      {`"#/components/schemas/ValidationError"`, `"#/components/schemas/None"`},
		"dangling header":      {`"#/components/headers/RetryAfter"`, `"#/components/headers/None"`},
		"same operationId":     {`"get_answer"`, `"post_answer"`},
		"no description":       {`"description":"The answer.",`, ``},
		"unknown member":       {`"operationId":"get_answer"`, `"operationID":"get_answer"`},
		"no type of schema":    {`"type":"integer"`, `"type":"int"`},
		"relative path":        {`"/answer":`, `"answer":`},
		"undeclared parameter": {`"/answer":`, `"/{answer}":`},
		"optional in a path":   {`"in":"path","description":"Whose note.","required":true`, `"in":"path"`},
		"parameter twice":      {`"name":"note","in":"path"`, `"name":"id","in":"path"`},
		"unknown place":        {`"in":"header"`, `"in":"head"`},
		"no schema":            {`"name":"X-Tenant","in":"header","schema":{"type":"string"}`, `"name":"X-Tenant","in":"header"`},
		"bad enum":             {`"enum":["short","long"]`, `"enum":"short"`},
		"bad component name":   {`"post_answer_request":`, `"post answer request":`},
	} {
		t.Run(name, func(t *testing.T) {
			broken := strings.ReplaceAll(good, change[0], change[1])
			if broken == good {
				t.Fatalf("the document has no %s", change[0])
			}
			if _, err := load(t, []byte(broken)); err == nil {
				t.Error("accepted")
			}
		})
	}
}

func TestDocumentGolden(t *testing.T) {
	c := service()
	encoded, err := config.Encode(c)
	if err != nil {
		t.Fatal(err)
	}
	// The version is that of the config, whose form may change without a change of the document.
	got := jsontext.Value(bytes.Replace(build(t, c), []byte(delivery.Revision(encoded)), []byte("REVISION"), 1))
	if err := got.Indent(jsontext.WithIndent("  ")); err != nil {
		t.Fatal(err)
	}
	got = append(got, '\n')
	if *update {
		if err := os.WriteFile("testdata/document.json", got, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile("testdata/document.json")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("document (-want +got; -update writes it anew):\n%s", diff)
	}
}

func TestDocumentIsDeterministic(t *testing.T) {
	first := build(t, service())
	for range 20 {
		if again := build(t, service()); !bytes.Equal(first, again) {
			t.Fatalf("another document for the same config:\n%s\n%s", first, again)
		}
	}
}

func TestDocumentTellsNothingOfWhatIsBehind(t *testing.T) {
	encoded := string(build(t, service()))
	if i := strings.Index(encoded, secret); i >= 0 {
		t.Errorf("it tells …%s…", encoded[max(0, i-60):min(len(encoded), i+60)])
	}
}

func TestInfo(t *testing.T) {
	c := service()
	encoded, err := config.Encode(c)
	if err != nil {
		t.Fatal(err)
	}
	d, err := load(t, build(t, c))
	if err != nil {
		t.Fatal(err)
	}
	if d.Info.Title != "assistant" || d.Info.Version != delivery.Revision(encoded) {
		t.Errorf("title %q, version %q; want assistant, %s", d.Info.Title, d.Info.Version, delivery.Revision(encoded))
	}
}

func TestOperations(t *testing.T) {
	d, err := load(t, build(t, service()))
	if err != nil {
		t.Fatal(err)
	}
	with := func(more ...string) []string {
		return slices.Sorted(slices.Values(append(more, "429", "502", "503", "504", "default")))
	}
	for _, tc := range []struct {
		method, path, id, summary, answer string
		body                              string // required, optional or none
		statuses                          []string
	}{
		{"POST", "/answer", "post_answer", "Answer a question", eventsType, "required", with("200", "422")},
		{"GET", "/answer", "get_answer", "", jsonType, "none", with("200")},
		{"PUT", "/", "put_root", "", jsonType, "optional", with("200", "422")},
		{"DELETE", "/a-b", "delete_a_b", "", eventsType, "required", with("200", "422")},
		{"PATCH", "/a_b", "patch_a_b", "", eventsType, "optional", with("200", "422")},
		{"PATCH", "/a-b", "patch_a_b_2", "", jsonType, "optional", with("200", "422")},
		{
			"GET", "/items/{id}/notes/{note}", "get_items_id_notes_note", "Read a note", jsonType, "none",
			[]string{"200", "204", "404", "422", "429", "502", "default"},
		},
		{"POST", "/text", "post_text", "", eventsType, "optional", with("200", "422")},
		{"POST", "/json", "post_json", "", eventsType, "optional", with("200", "422")},
		{"GET", "/named", "get_named", "", eventsType, "none", with("200")},
		{"POST", "/v1/chat/completions", "createChatCompletion", "Create a chat completion", eventsType, "required", with("200", "400", "404", "413", "422")},
		{"POST", "/v1/completions", "createCompletion", "Complete a text", eventsType, "required", with("200", "400", "404", "413", "422")},
		{"POST", "/v1/embeddings", "createEmbedding", "Create embeddings", jsonType, "required", with("200", "400", "404", "413", "422")},
		{"POST", "/v1/responses", "createResponse", "Create a response", eventsType, "required", with("200", "400", "404", "413", "422")},
		{"GET", "/v1/models/{model}", "retrieveModel", "Describe a model", jsonType, "none", []string{"200", "404", "429", "default"}},
		{"GET", "/v1/models", "listModels", "List the models", jsonType, "none", []string{"200", "429", "default"}},
	} {
		t.Run(tc.method+" "+tc.path, func(t *testing.T) {
			o := d.Paths.Value(tc.path).GetOperation(tc.method)
			if o == nil {
				t.Fatal("is missing")
			}
			if o.OperationID != tc.id || o.Summary != tc.summary {
				t.Errorf("got %q, %q; want %q, %q", o.OperationID, o.Summary, tc.id, tc.summary)
			}
			if got := bodyKind(o); got != tc.body {
				t.Errorf("body: %s, want %s", got, tc.body)
			}
			if o.Responses.Status(200).Value.Content[tc.answer] == nil {
				t.Errorf("200 has no %s", tc.answer)
			}
			var statuses []string
			for status := range o.Responses.Map() {
				statuses = append(statuses, status)
			}
			if diff := cmp.Diff(tc.statuses, slices.Sorted(slices.Values(statuses))); diff != "" {
				t.Errorf("statuses (-want +got):\n%s", diff)
			}
			if o.Responses.Status(429).Value.Headers["Retry-After"] == nil {
				t.Error("429 has no Retry-After")
			}
		})
	}
}

func bodyKind(o *openapi3.Operation) string {
	switch {
	case o.RequestBody == nil:
		return "none"
	case o.RequestBody.Value.Required:
		return "required"
	}
	return "optional"
}

// What clients send and get is told in full, where it is told: the schemas that the config has, and no others.
func TestOperationInFull(t *testing.T) {
	var d struct {
		Paths map[string]map[string]struct {
			Parameters jsontext.Value            `json:"parameters"`
			Responses  map[string]jsontext.Value `json:"responses"`
		} `json:"paths"`
	}
	if err := json.Unmarshal(build(t, service()), &d); err != nil {
		t.Fatal(err)
	}
	note := d.Paths["/items/{id}/notes/{note}"]["get"]
	for name, tc := range map[string]struct {
		got  jsontext.Value
		want string
	}{
		"parameters": {note.Parameters, `[
			{"name":"note","in":"path","required":true,"schema":{"type":"string"},"example":"Example"},
			{"name":"id","in":"path","description":"Whose note.","required":true,"schema":{"type":"integer","minimum":1},"example":1},
			{"name":"kind","in":"query","required":true,"schema":{"$ref":"#/components/schemas/get_items_id_notes_note_parameter_3"},"example":"short"},
			{"name":"tags","in":"query","schema":{"type":"array","items":{"type":"string"},"default":[]},"example":["Example"]},
			{"name":"X-Tenant","in":"header","schema":{"type":"string"},"example":"Example"}
		]`},
		"an answer and another": {note.Responses["200"], `{
			"description":"The answer. Or: an answer that the route defines.",
			"content":{"application/json":{
				"schema":{"anyOf":[{"$ref":"#/components/schemas/get_items_id_notes_note_response"},{}]},"example":{"note":"Example note"}
			}}
		}`},
		"an answer without content": {note.Responses["204"], `{"description":"An answer that the route defines."}`},
		"an answer of its own": {note.Responses["404"], `{
			"description":"An answer that the route defines.","content":{"application/json":{"schema":{}}}
		}`},
		"a failure and an answer": {note.Responses["429"], `{
			"description":"The service, or its upstream, is at its limit. Or: an answer that the route defines.",
			"headers":{"Retry-After":{"$ref":"#/components/headers/RetryAfter"}},
			"content":{"application/json":{
				"schema":{"anyOf":[{"$ref":"#/components/schemas/Error"},{}]},
				"example":{"detail":"The service is at its limit. Try again later."}
			}}
		}`},
		"invalid where nothing is called":    {note.Responses["422"], `{"$ref":"#/components/responses/ValidationFailed"}`},
		"invalid where upstreams are called": {d.Paths["/answer"]["post"].Responses["422"], `{"$ref":"#/components/responses/ValidationFailedOrRejected"}`},
		"OpenAI": {d.Paths["/answer"]["post"].Responses["200"], `{
			"description":"The answer, as it arrives.","content":{"text/event-stream":{"schema":{"$ref":"#/components/schemas/EventStream"}}}
		}`},
		"Text": {d.Paths["/text"]["post"].Responses["200"], `{
			"description":"The answer, as it arrives. All of its text together is a string of the schema post_text_response.",
			"content":{"text/event-stream":{"schema":{"$ref":"#/components/schemas/TextStream"}}}
		}`},
		"JSON": {d.Paths["/json"]["post"].Responses["200"], `{
			"description":"The answer, as it arrives. All of its text together is JSON of the schema post_json_response.",
			"content":{"text/event-stream":{"schema":{"$ref":"#/components/schemas/JSONStream"}}}
		}`},
		"events": {d.Paths["/named"]["get"].Responses["200"], `{
			"description":"The answer, as named events.",
			"content":{"text/event-stream":{"schema":{"$ref":"#/components/schemas/get_named_events"}}}
		}`},
	} {
		if diff := cmp.Diff(compact(t, jsontext.Value(tc.want)), compact(t, tc.got)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func compact(t *testing.T, v jsontext.Value) string {
	t.Helper()
	if err := v.Compact(); err != nil {
		t.Fatal(err)
	}
	return string(v)
}

// A service is told of the formats that it has.
func TestFormatsThatAreUsed(t *testing.T) {
	c := service()
	c.Models, c.Routes = nil, c.Routes[7:8]
	encoded := string(build(t, c))
	for name, want := range map[string]bool{"EventStream": false, "TextStream": true, "JSONStream": false} {
		if strings.Contains(encoded, name) != want {
			t.Errorf("it has %s: %v, want %v", name, !want, want)
		}
	}
}

// The document has routes in the order of the config, then the gateway's own.
func TestOrder(t *testing.T) {
	var d struct {
		Paths members[jsontext.Value] `json:"paths"`
	}
	if err := json.Unmarshal(build(t, service()), &d); err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, m := range d.Paths {
		got = append(got, m.name)
	}
	want := []string{
		"/answer", "/", "/a-b", "/a_b", "/items/{id}/notes/{note}", "/text", "/json", "/named",
		"/v1/chat/completions", "/v1/completions", "/v1/embeddings", "/v1/responses", "/v1/models", "/v1/models/{model}",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("paths (-want +got):\n%s", diff)
	}
}

func TestPathsAreLiteral(t *testing.T) {
	c := service()
	c.Routes = []config.Route{route("GET", "/a/{b} c", "", "", whole)}
	d, err := load(t, build(t, c))
	if err != nil {
		t.Fatal(err)
	}
	if d.Paths.Value("/a/%7Bb%7D%20c") == nil {
		t.Errorf("got %v", d.Paths.Keys())
	}
}

func TestModelsOnlyWhereThereAreModels(t *testing.T) {
	c := service()
	c.Models = nil
	encoded := string(build(t, c))
	for _, unwanted := range []string{"/v1/", "OpenAIError", "ChatCompletionRequest", "ModelName"} {
		if strings.Contains(encoded, unwanted) {
			t.Errorf("a service without models has %s", unwanted)
		}
	}
}
