package openapi

import (
	"strings"
	"testing"

	"github.com/go-json-experiment/json"
	"github.com/google/go-cmp/cmp"

	"github.com/llmservice/llmservice/runtime/config"
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
