package openapi

import (
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/go-cmp/cmp"

	"github.com/llmservice/llmservice/runtime/config"
	"github.com/llmservice/llmservice/runtime/config/program"
)

// What a manifest says of the service and of its routes is what clients read; names that are made make way for those that are given.
func TestWhatManifestsSayOfRoutes(t *testing.T) {
	c := service()
	c.OpenAPI = &config.OpenAPIInfo{Title: "Support", Version: "1.2.0", Description: "Answers *tickets*."}
	plain := config.Response{Body: []byte(`1`)}
	c.Routes = []config.Route{
		{Method: "GET", Path: "/b", Response: &plain},
		{
			Method: "GET", Path: "/a", Response: &plain, Summary: "Find", Description: "Finds.", Tags: []string{"x", "y"},
			OperationID: "get_b", Deprecated: true,
		},
	}
	var got struct {
		Info  map[string]string                    `json:"info"`
		Paths map[string]map[string]map[string]any `json:"paths"`
	}
	if err := json.Unmarshal(build(t, c), &got); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string]string{"title": "Support", "version": "1.2.0", "description": "Answers *tickets*."}, got.Info); diff != "" {
		t.Error(diff)
	}
	said := got.Paths["/a"]["get"]
	delete(said, "responses")
	want := map[string]any{
		"operationId": "get_b", "summary": "Find", "description": "Finds.", "tags": []any{"x", "y"}, "deprecated": true,
	}
	if diff := cmp.Diff(want, said); diff != "" {
		t.Error(diff)
	}
	if id := got.Paths["/b"]["get"]["operationId"]; id != "get_b_2" {
		t.Errorf("the other route is called %v", id)
	}
}

// TestOwnOperationsAreKnown: a route that has the name of one would make a document that generators refuse.
func TestOwnOperationsAreKnown(t *testing.T) {
	for _, id := range config.Operations {
		if !strings.Contains(string(modelsPart), `"operationId": "`+id+`"`) {
			t.Errorf("there is no operation %s", id)
		}
	}
	if found := strings.Count(string(modelsPart), `"operationId"`); found != len(config.Operations) {
		t.Errorf("there are %d operations, and %d are known", found, len(config.Operations))
	}
}

// TestHeadsOfAnswers: clients learn the status, the headers and the media type of an answer; a text has no schema but that of its promise.
func TestHeadsOfAnswers(t *testing.T) {
	c := service()
	cookies := []config.SetCookie{{Name: "sid", Path: "/", SameSite: config.SameSiteLax}}
	refuse := config.Step{Name: "refuse", When: "${request.path == ''}", Respond: &config.Respond{
		Status: 201, Body: []byte(`"no"`), Head: config.Head{ContentType: "text/plain"},
	}}
	answers := map[string]struct {
		response config.Response
		want     string
	}{
		"/made": {
			config.Response{Status: 201, Body: []byte(`1`), Head: config.Head{Headers: map[string]string{"X-Total": "1"}, Cookies: cookies, Location: &config.Location{Path: "/a"}}},
			`{"201":{"description":"The answer. Or: an answer that the route defines.","headers":{"Location":{"schema":{"type":"string"}},"Set-Cookie":{"schema":{"type":"string"}},"X-Total":{"schema":{"type":"string"}}},` +
				`"content":{"application/json":{"schema":{}},"text/plain":{"schema":{"type":"string"}}}}}`,
		},
		"/none":     {config.Response{Status: 204}, `{"204":{"description":"The answer, which has no body."}}`},
		"/redirect": {config.Response{Head: config.Head{Location: &config.Location{Path: "/a"}}}, `{"307":{"description":"The client is sent elsewhere.","headers":{"Location":{"schema":{"type":"string"}}}}}`},
		"/page":     {config.Response{Body: []byte(`"<p>"`), Head: config.Head{ContentType: "text/html"}}, `{"200":{"description":"The answer.","content":{"text/html":{"schema":{"type":"string"}}}}}`},
		"/image":    {config.Response{Body: []byte(`""`), Head: config.Head{ContentType: "image/png", BodyEncoding: config.BodyBase64}}, `{"200":{"description":"The answer.","content":{"image/png":{"schema":{}}}}}`},
		"/problem":  {config.Response{Body: []byte(`1`), Head: config.Head{ContentType: "application/problem+json"}}, `{"200":{"description":"The answer.","content":{"application/problem+json":{"schema":{}}}}}`},
		"/stream":   {config.Response{Events: &config.Events{}, Body: []byte(`1`), Head: config.Head{Cookies: cookies}}, ""},
	}
	c.Routes = nil
	for path, a := range answers {
		r := config.Route{Method: "GET", Path: path, Response: &a.response}
		if path == "/made" {
			r.Steps = []config.Step{refuse}
		}
		c.Routes = append(c.Routes, r)
	}
	var got struct {
		Paths map[string]map[string]struct {
			Responses map[string]jsontext.Value `json:"responses"`
		} `json:"paths"`
	}
	if err := json.Unmarshal(build(t, c), &got); err != nil {
		t.Fatal(err)
	}
	for path, a := range answers {
		said := got.Paths[path]["get"].Responses
		if path == "/stream" {
			if !strings.Contains(string(said["200"]), `"headers":{"Set-Cookie":`) {
				t.Errorf("%s: %s", path, said["200"])
			}
			continue
		}
		maps.DeleteFunc(said, func(status string, _ jsontext.Value) bool { return !strings.Contains(a.want, `"`+status+`":`) })
		encoded, err := json.Marshal(said, json.Deterministic(true))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(a.want, string(encoded)); diff != "" {
			t.Errorf("%s (-want +got)\n%s", path, diff)
		}
	}
}

// TestAnswersOfDependencies: what a function may refuse a request with is an answer of the routes that depend on it.
func TestAnswersOfDependencies(t *testing.T) {
	c := service()
	c.Functions = []config.Function{{
		Name: "user", Output: []byte(`1`), Steps: []config.Step{
			{Name: "who", When: "${true}", Respond: &config.Respond{Status: 401, Body: []byte(`1`)}},
			{Name: "a", Set: &config.Set{Value: []byte(`1`)}, OnError: &config.OnError{Respond: &config.Respond{Status: 403}}},
		},
	}}
	c.Functions = append(c.Functions, config.Function{Name: "asks", Output: []byte(`1`), Steps: []config.Step{
		{Name: "a", Action: config.Action{HTTP: &config.HTTPCall{Upstream: "web", Method: "GET", Path: "/"}}},
	}})
	of := config.Response{Body: []byte(`1`)}
	c.Routes = []config.Route{
		{Method: "GET", Path: "/a", Response: &of, Dependencies: []config.Dependency{{Name: "user", Call: config.Call{Function: "user"}}}},
		{Method: "GET", Path: "/b", Response: &of},
		{Method: "GET", Path: "/c", Response: &of, Dependencies: []config.Dependency{{Name: "a", Call: config.Call{Function: "asks"}}}},
	}
	var got struct {
		Paths map[string]map[string]struct {
			Responses map[string]any `json:"responses"`
		} `json:"paths"`
	}
	if err := json.Unmarshal(build(t, c), &got); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string][]string{
		"/a": {"200", "401", "403", "429", "default"}, "/b": {"200", "429", "default"},
		"/c": {"200", "429", "502", "503", "504", "default"},
	} {
		if diff := cmp.Diff(want, slices.Sorted(maps.Keys(got.Paths[path]["get"].Responses))); diff != "" {
			t.Errorf("%s: %s", path, diff)
		}
	}
}

// TestDependenciesOfAService: each route has their parameters, and the answers by which they refuse.
func TestDependenciesOfAService(t *testing.T) {
	c := &config.Config{Version: config.Version, Service: config.Service{Name: "guarded", Namespace: "default"}}
	c.Functions = []config.Function{{Name: "key", Output: []byte(`1`), Steps: []config.Step{
		{Name: "who", When: "${true}", Respond: &config.Respond{Status: 401, Body: []byte(`1`)}},
	}}}
	c.Dependencies = []config.ServiceDependency{{
		Dependency: config.Dependency{Name: "key", Call: config.Call{Function: "key"}},
		Parameters: []config.Parameter{{Name: "X-Key", In: config.InHeader, Description: "Who asks.", Required: true}},
	}}
	for _, path := range []string{"/a", "/b/{id}"} {
		r := config.Route{
			Method: "GET", Path: path, Timeout: config.Duration(time.Second), Budget: config.Budget{MaxCalls: 1, MaxBytes: 1},
			Response: &config.Response{Body: []byte(`1`)},
		}
		if path != "/a" {
			r.Request = &config.Request{Parameters: []config.Parameter{{Name: "id", In: config.InPath}}}
		}
		c.Routes = append(c.Routes, r)
	}
	var got struct {
		Paths map[string]map[string]struct {
			Parameters []struct {
				Name, In, Description string
				Required              bool
			} `json:"parameters"`
			Responses map[string]any `json:"responses"`
		} `json:"paths"`
	}
	if err := json.Unmarshal(documentOf(t, c), &got, json.MatchCaseInsensitiveNames(true)); err != nil {
		t.Fatal(err)
	}
	for _, r := range c.Routes {
		o := got.Paths[r.Path]["get"]
		last := len(o.Parameters) - 1
		if last != strings.Count(r.Path, "{") {
			t.Fatalf("%s: %+v", r.Path, o.Parameters)
		}
		if key := o.Parameters[last]; key.Name != "X-Key" || key.In != "header" || key.Description != "Who asks." || !key.Required {
			t.Errorf("%s: %+v", r.Path, key)
		}
		for _, status := range []string{"401", "422"} {
			if o.Responses[status] == nil {
				t.Errorf("%s: no %s among %v", r.Path, status, slices.Sorted(maps.Keys(o.Responses)))
			}
		}
	}
}

// A form is described with the media type that can hold all of it, and its files as FastAPI describes them.
func TestForms(t *testing.T) {
	plain := config.Response{Body: []byte(`1`)}
	fields := []byte(`{"type":"object","required":["title"],"properties":{"title":{"type":"string"}}}`)
	c := &config.Config{Version: config.Version, Service: config.Service{Name: "forms", Namespace: "default"}}
	for path, form := range map[string]*config.Form{"/texts": {}, "/files": {Files: []config.FormFile{{Name: "f", Required: true, MaxBytes: 3}}}} {
		c.Routes = append(c.Routes, config.Route{
			Method: "POST", Path: path, Timeout: config.Duration(time.Second), Budget: config.Budget{MaxCalls: 1, MaxBytes: 1},
			Response: &plain, Request: &config.Request{Schema: fields, Form: form},
		})
	}
	var got struct {
		Paths      map[string]map[string]struct{ RequestBody jsontext.Value } `json:"paths"`
		Components struct {
			Schemas map[string]jsontext.Value `json:"schemas"`
		} `json:"components"`
	}
	if err := json.Unmarshal(documentOf(t, c), &got, json.MatchCaseInsensitiveNames(true)); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		"/texts": `{"required":true,"content":{"application/x-www-form-urlencoded":{"schema":{"$ref":"#/components/schemas/post_texts_request"},"example":{"title":"Example title"}}}}`,
		"/files": `{"required":true,"content":{"multipart/form-data":{"schema":{"$ref":"#/components/schemas/post_files_request"},"example":{"title":"Example title","f":"Exa"}}}}`,
	} {
		if body := compact(t, got.Paths[path]["post"].RequestBody); body != want {
			t.Errorf("%s: %s, want %s", path, body, want)
		}
	}
	want := `{"properties":{"f":{"contentMediaType":"application/octet-stream","type":"string"},"title":{"type":"string"}},"required":["title","f"],"type":"object"}`
	if schema := compact(t, got.Components.Schemas["post_files_request"]); schema != want {
		t.Errorf("%s, want %s", schema, want)
	}
}

// documentOf is what a valid config is described by.
func documentOf(t *testing.T, c *config.Config) []byte {
	t.Helper()
	p, errs := program.Compile(c)
	if len(errs) > 0 {
		t.Fatal(errs)
	}
	encoded, err := Build(p)
	if err != nil {
		t.Fatal(err)
	}
	return encoded
}
