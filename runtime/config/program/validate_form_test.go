package program

import (
	"fmt"
	"strings"
	"testing"

	"github.com/go-json-experiment/json"

	"github.com/llmservice/llmservice/runtime/config"
)

// formed is a config whose second route reads a form.
func formed(t *testing.T, method, request, body string) *config.Config {
	t.Helper()
	c := typed()
	r := &c.Routes[1]
	r.Method, r.Path, r.Steps, r.Request = method, "/form", nil, &config.Request{}
	if err := json.Unmarshal([]byte(request), r.Request); err != nil {
		t.Fatal(err)
	}
	r.Response = &config.Response{Body: []byte(body)}
	return c
}

// TestFormsAreChecked: each mistake is reported with its field, what is wrong, and what to write; expressions know the types of
// fields and files.
func TestFormsAreChecked(t *testing.T) {
	file := func(more string) string { return `{"form":{"files":[{"name":"f"` + more + `}]}}` }
	for _, tt := range []struct{ method, request, body, path, want string }{
		{"POST", `{"form":{}}`, `1`, "", ""},
		{"PUT", file(`,"encoding":"Base64","maxBytes":4194304,"maxItems":16,"required":true`), `1`, "", ""},
		{"PATCH", `{"form":{},"schema":{"type":"object","properties":{"a":{"type":"integer"}}}}`, `"${request.body.?a.orValue(0) + 1}"`, "", ""},
		{"POST", file(``), `"${request.body.?f.text.orValue('') + request.body.?f.filename.orValue('')}"`, "", ""},
		{"POST", file(`,"required":true`), `"${request.body.f.size + 1}"`, "", ""},
		{"POST", file(`,"encoding":"Base64","maxItems":2`), `"${request.body.f.map(x, x.base64 + x.contentType)}"`, "", ""},
		{"GET", `{"form":{}}`, `1`, "request.form", "which GET does not have; want one of the methods POST, PUT, PATCH"},
		{"DELETE", `{"form":{}}`, `1`, "request.form", "which DELETE does not have"},
		{"POST", `{"form":{},"allowAnyContentType":true}`, `1`, "request.allowAnyContentType", "want false next to form"},
		{"POST", `{"form":{"files":[{"name":""}]}}`, `1`, "request.form.files[0].name", "is required"},
		{"POST", `{"form":{"files":[{"name":"f"},{"name":"f"}]}}`, `1`, "request.form.files[1].name", "want a name of its own"},
		{"POST", `{"form":{"files":[` + strings.TrimSuffix(strings.Repeat(`{"name":"f"},`, 17), ",") + `]}}`, `1`, "request.form.files", "are 17, want at most 16"},
		{"POST", file(`,"encoding":"Hex"`), `1`, "request.form.files[0].encoding", `"Hex", want one of Text, Base64`},
		{"POST", file(`,"maxBytes":4194305`), `1`, "request.form.files[0].maxBytes", "want 1 to 4194304, which is runtime.requestBodyLimit"},
		{"POST", file(`,"maxItems":17`), `1`, "request.form.files[0].maxItems", "want from 1 to 16"},
		{"POST", `{"form":{},"schema":{"type":"array"}}`, `1`, "request.schema", "accepts no object, which the fields of a form are; want type: object"},
		{"POST", `{"form":{"files":[{"name":"f"}]},"schema":true}`, `1`, "request.schema", "want one such as {type: object"},
		{"POST", `{"form":{"files":[{"name":"f"}]},"schema":{"properties":{"f":{}}}}`, `1`, "request.schema", `has a property "f", which is a file; want it in form.files only`},
		{"POST", `{"form":{},"schema":{"properties":{"a":{"type":"object"}}}}`, `1`, "request.schema", "at /properties/a: accepts an object, which text cannot represent"},
		{"POST", file(``), `"${request.body.f.text}"`, "response.body", "the value may be missing"},
		{"POST", file(`,"required":true`), `"${request.body.f.base64}"`, "response.body", "undefined field 'base64'"},
		{"POST", file(`,"required":true`), `"${request.body.f.size + 'x'}"`, "response.body", "no matching overload"},
	} {
		errs := Validate(formed(t, tt.method, tt.request, tt.body))
		if tt.path == "request.form.files" {
			errs = errs[:min(len(errs), 1)] // the others are about names that are there twice
		}
		switch {
		case tt.want == "" && len(errs) > 0:
			t.Errorf("%s: %v", tt.request, errs)
		case tt.want != "" && (len(errs) != 1 || errs[0].Path != "routes[1]."+tt.path || !strings.Contains(errs[0].Message, tt.want)):
			t.Errorf("%s %s: got %v, want %s: …%s…", tt.request, tt.body, errs, tt.path, tt.want)
		}
	}
}

// A form's schema says to clients what the form has: its fields, and its files as FastAPI describes them.
func TestFilesInTheSchema(t *testing.T) {
	c := formed(t, "POST", `{"schema":{"type":"object","required":["a"],"properties":{"a":{"type":"integer"}}},"form":{"files":[
		{"name":"f","required":true,"description":"A photo."},{"name":"g"},{"name":"h","maxItems":2}]}}`, `1`)
	p, errs := Compile(c)
	if len(errs) > 0 {
		t.Fatal(errs)
	}
	const one = `{"contentMediaType":"application/octet-stream","type":"string"}`
	want := fmt.Sprintf(`{"properties":{"a":{"type":"integer"},"f":{"contentMediaType":"application/octet-stream","description":"A photo.","type":"string"},`+
		`"g":%s,"h":{"default":[],"items":%s,"maxItems":2,"type":"array"}},"required":["a","f"],"type":"object"}`, one, one)
	if got := string(p.Routes[1].Body.JSON()); got != want {
		t.Errorf("%s\nwant %s", got, want)
	}
}

// A model gives its route JSON, so that a route that reads a form cannot answer it.
func TestFormsAnswerNoModels(t *testing.T) {
	c := formed(t, "POST", `{"form":{}}`, `"a"`)
	c.Models = append(c.Models, config.Model{Name: "forms", Route: &config.ModelRoute{Path: "/form", Body: []byte(`{"a":"${conversation.lastMessage}"}`)}})
	errs := Validate(c)
	if len(errs) != 1 || !strings.Contains(errs[0].Message, "want a route without request.form") {
		t.Errorf("got %v", errs)
	}
}
