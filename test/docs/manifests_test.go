package docs_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/llmservice/llmservice/controllers/manifest"
	"github.com/llmservice/llmservice/controllers/render"
	"github.com/llmservice/llmservice/runtime/config"
	"github.com/llmservice/llmservice/runtime/problem"
	"github.com/llmservice/llmservice/runtime/schema"
)

// TestManifestsAreServable takes every manifest of the pages the way that the operator goes, up to the gateway's door.
func TestManifestsAreServable(t *testing.T) {
	texts := manifests(t)
	// What helm prints after an installation has one too.
	texts["charts/llmservice/templates/NOTES.txt"] = []string{notesManifest(t)}
	for _, page := range []string{"README.md", "docs/routes.md", "docs/scaling.md"} {
		if len(texts[page]) == 0 {
			t.Errorf("no manifest was found in %s", page)
		}
	}
	for page, found := range texts {
		for _, text := range found {
			contract(t, page, text)
		}
	}
}

func manifests(t *testing.T) map[string][]string {
	t.Helper()
	found := map[string][]string{}
	for page, text := range pages(t) {
		for _, f := range fences(text) {
			if f.language == "yaml" {
				found[page] = append(found[page], f.text)
			}
		}
	}
	return found
}

func notesManifest(t *testing.T) string {
	t.Helper()
	_, rest, _ := strings.Cut(read(t, "charts/llmservice/templates/NOTES.txt"), "<<YAML\n")
	text, _, found := strings.Cut(rest, "  YAML\n")
	if !found {
		t.Fatal("the chart's notes have no manifest between <<YAML and YAML")
	}
	return strings.ReplaceAll("\n"+text, "\n  ", "\n")
}

// contract is what gateways would get of a manifest. That it can be delivered is checked on the way.
func contract(t *testing.T, page, text string) *config.Config {
	t.Helper()
	service, err := manifest.Load(t.Context(), []byte(text))
	if err != nil {
		t.Fatalf("%s: %v\n%s", page, err, text)
	}
	c, err := render.Contract(service)
	if err != nil {
		t.Fatalf("%s: %v", page, err)
	}
	if errs := config.Validate(c); len(errs) > 0 {
		t.Errorf("%s: %v", page, errs)
	}
	return c
}

// TestExampleOf422 asks the example of docs/routes.md what the page says it answers.
func TestExampleOf422(t *testing.T) {
	const page = "docs/routes.md"
	c := contract(t, page, manifests(t)[page][0])
	compiled, err := schema.Compile(c.Routes[0].Request.Schema)
	if err != nil {
		t.Fatal(err)
	}
	text := read(t, page)
	_, violations := compiled.Check([]byte(between(t, text, "To `", "` the route above answers")))
	got := problem.FastAPI.Reply(problem.Invalid(violations))
	want := fenceAfter(t, text, "the route above answers:")
	if diff := cmp.Diff(jsonOf(t, []byte(want)), jsonOf(t, got.Body)); got.Status != 422 || diff != "" {
		t.Errorf("status %d, (-page +gateway)\n%s", got.Status, diff)
	}
}

// TestReservedPaths compares the paths that no route may have.
func TestReservedPaths(t *testing.T) {
	sentence := between(t, read(t, "docs/routes.md"), "different methods. ", " and what is below them belong to the gateway")
	if diff := cmp.Diff(config.Reserved, codes(sentence)); diff != "" {
		t.Errorf("docs/routes.md (-code +page):\n%s", diff)
	}
}
