package docs_test

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"path"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/yaml"

	"github.com/llmservice/llmservice/api/v1alpha1"
	"github.com/llmservice/llmservice/controllers/manifest"
	"github.com/llmservice/llmservice/controllers/render"
	"github.com/llmservice/llmservice/runtime/config"
	"github.com/llmservice/llmservice/runtime/config/program"
	"github.com/llmservice/llmservice/runtime/flow"
	"github.com/llmservice/llmservice/runtime/relay"
	"github.com/llmservice/llmservice/runtime/requestlog"
	"github.com/llmservice/llmservice/runtime/upstream"
)

// TestManifestsAreServable takes every manifest of the pages the way that the operator goes, up to the gateway's door.
func TestManifestsAreServable(t *testing.T) {
	texts := manifests(t)
	// What helm prints after an installation has one too.
	texts["charts/llmservice/templates/NOTES.txt"] = []string{notesManifest(t)}
	for _, page := range []string{"README.md", "docs/getting-started.md", "docs/routes.md", "docs/steps.md", "docs/expressions.md", "docs/streams.md", "docs/fastapi.md", "docs/scaling.md"} {
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

// manifests are those of the pages. A part of one stands in the first whole manifest of its page.
func manifests(t *testing.T) map[string][]string {
	t.Helper()
	found := map[string][]string{}
	for page, text := range pages(t) {
		if page == "docs/tutorial.md" {
			continue // test/scenario/samples puts its parts together, and serves them
		}
		for _, f := range fences(text) {
			if f.language != "yaml" || !isOurs(f.text) {
				continue
			}
			if !strings.Contains(f.text, "apiVersion: ") {
				if len(found[page]) == 0 {
					t.Fatalf("%s: no whole manifest stands before this part of one:\n%s", page, f.text)
				}
				f.text = within(t, found[page][0], f.text)
			}
			found[page] = append(found[page], f.text)
		}
	}
	return found
}

// isOurs reports whether a block is an LLMService, or a part of one.
func isOurs(text string) bool {
	return !strings.Contains(text, "apiVersion: ") || strings.Contains(text, "\nkind: "+v1alpha1.Kind+"\n")
}

// within puts a part into a manifest: a list is the first route's steps, and members are those of the first route or,
// if such are its own or no route's, of spec. Dependencies next to routes are those of spec.
func within(t *testing.T, whole, part string) string {
	t.Helper()
	var m struct {
		APIVersion string         `json:"apiVersion"`
		Kind       string         `json:"kind"`
		Metadata   map[string]any `json:"metadata"`
		Spec       map[string]any `json:"spec"`
	}
	if err := yaml.UnmarshalStrict([]byte(whole), &m); err != nil {
		t.Fatal(err)
	}
	members := membersOf(t, part)
	if members["steps"] != nil && members["response"] == nil {
		members["response"] = map[string]any{"body": map[string]any{}}
	}
	for name, value := range members {
		if list, ok := m.Spec[name].([]any); ok {
			m.Spec[name] = append(list, value.([]any)...)
			continue
		}
		around := m.Spec
		ofService := name == "dependencies" && members["routes"] != nil
		if !ofService && !slices.Contains([]string{"runtime", "scaling", "exposure", "functions"}, name) {
			routes, _ := m.Spec["routes"].([]any)
			if len(routes) == 0 {
				t.Fatalf("no route in\n%s", whole)
			}
			around = routes[0].(map[string]any)
		}
		around[name] = value
	}
	text, err := yaml.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func membersOf(t *testing.T, part string) map[string]any {
	t.Helper()
	var value any
	if err := yaml.UnmarshalStrict([]byte(part), &value); err != nil {
		t.Fatalf("%v\n%s", err, part)
	}
	if members, ok := value.(map[string]any); ok {
		return members
	}
	return map[string]any{"steps": value}
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
	operator := render.GatewaySettings{AllowedImages: []string{"registry.example.com/*"}}
	if errs := slices.Concat(program.Validate(c), operator.CheckAllowed(service), render.CheckChildren(service)); len(errs) > 0 {
		t.Errorf("%s: %v", page, errs)
	}
	return c
}

// TestExampleOf422 asks the route of docs/routes.md what the page says it answers.
func TestExampleOf422(t *testing.T) {
	const page = "docs/routes.md"
	text := read(t, page)
	target, err := url.ParseRequestURI(between(t, text, "words of Pydantic 2. To\n`POST ", "` with the body"))
	if err != nil {
		t.Fatal(err)
	}
	got := answerOf(t, contract(t, page, manifests(t)[page][0]), &relay.Request{
		Head:   relay.Head{Method: http.MethodPost, Path: target.Path, RawQuery: target.RawQuery, Header: http.Header{"Content-Type": {"application/json"}}},
		Params: map[string]string{"language": path.Base(target.Path)},
		Body:   []byte(between(t, text, "with the body `", "` the route above answers")),
	})
	want := fenceAfter(t, text, "the route above answers:")
	if diff := cmp.Diff(jsonOf(t, []byte(want)), jsonOf(t, got.Body)); got.Status != 422 || diff != "" {
		t.Errorf("status %d, (-page +gateway)\n%s", got.Status, diff)
	}
}

// answerOf asks the first route of a config, of which it wants a whole answer without a call of an upstream.
func answerOf(t *testing.T, c *config.Config, r *relay.Request) *relay.Reply {
	t.Helper()
	program, errs := program.Compile(c)
	if errs != nil {
		t.Fatal(errs)
	}
	upstreams := map[string]*upstream.Upstream{}
	for i := range c.Upstreams {
		upstreams[c.Upstreams[i].Name] = nil
	}
	routes, err := flow.Compile(program, &flow.Environment{
		Upstreams: upstreams,
		Heavy:     func(context.Context, int) (func(), error) { return func() {}, nil },
		Report: func(_ *requestlog.Record, route string, err error) {
			t.Errorf("%s: %v: %v", route, err, errors.Unwrap(err))
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	verdict := routes[0].Decide(t.Context(), r)
	if verdict.Produce != nil {
		return verdict.Produce(t.Context())
	}
	if verdict.Reply == nil {
		t.Fatal("the route does not answer at once")
	}
	return verdict.Reply
}

// TestReservedPaths compares the paths that no route may have.
func TestReservedPaths(t *testing.T) {
	sentence := between(t, read(t, "docs/routes.md"), "different methods.\n", " and what is below them belong to the gateway")
	if diff := cmp.Diff(config.Reserved, codes(sentence)); diff != "" {
		t.Errorf("docs/routes.md (-code +page):\n%s", diff)
	}
}

// TestDifferences compares the numbered differences with those that the oracle knows.
func TestDifferences(t *testing.T) {
	var listed []struct {
		Number int    `json:"number"`
		Title  string `json:"title"`
	}
	if err := yaml.Unmarshal([]byte(read(t, "test/oracle/differences.yaml")), &listed); err != nil {
		t.Fatal(err)
	}
	var want, got [][]string
	for _, d := range listed {
		want = append(want, []string{strconv.Itoa(d.Number), d.Title})
	}
	for _, row := range table(t, "docs/fastapi.md", "number", "difference") {
		got = append(got, row[:2])
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("docs/fastapi.md (-oracle +page):\n%s", diff)
	}
}
