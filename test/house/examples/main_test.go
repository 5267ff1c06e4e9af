package main

import (
	"bytes"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"

	"github.com/llmservice/llmservice/api/v1alpha1"
	"github.com/llmservice/llmservice/controllers/manifest"
	"github.com/llmservice/llmservice/controllers/render"
	"github.com/llmservice/llmservice/runtime/config/program"
)

const root = "../../.."

// TestEachFieldHasAnExample: each field of the spec that holds a value, other than true, false and what is listed, has an example, which
// reads as the value that a manifest has there.
func TestEachFieldHasAnExample(t *testing.T) {
	c, err := collect(root)
	if err != nil {
		t.Fatal(err)
	}
	examples := c.examples()
	for field, values := range c {
		example, ok := examples[field]
		if !ok {
			t.Errorf("%s has no example: neither a sample nor %s has it", field, everyField)
			continue
		}
		var read any
		if err := yaml.Unmarshal([]byte(example), &read); err != nil {
			t.Errorf("%s: %s: %v", field, example, err)
		}
		if !slices.ContainsFunc(values, func(v any) bool { return reflect.DeepEqual(v, read) }) {
			t.Errorf("%s: %s reads as %v, which no manifest has", field, example, read)
		}
	}
	if len(c) < 150 {
		t.Errorf("%d fields, want those of the whole spec", len(c))
	}
}

// TestThePageHasTheExamples: each is in the row of its field, and a second run would write the same page.
func TestThePageHasTheExamples(t *testing.T) {
	page, err := os.ReadFile(filepath.Join(root, "docs/reference/api.md"))
	if err != nil {
		t.Fatal(err)
	}
	c, err := collect(root)
	if err != nil {
		t.Fatal(err)
	}
	var again bytes.Buffer
	bare := regexp.MustCompile("(<br />)?Example: (`[^`]*`|``.*?``) \\| ").ReplaceAll(page, []byte(" | "))
	if err := run(root, false, bytes.NewReader(bare), &again); err != nil {
		t.Fatal(err)
	}
	if again.String() != string(page) {
		t.Error("docs/reference/api.md is not what make generate would write")
	}
	if got, want := strings.Count(string(page), "Example: `"), len(c.examples()); got < want*9/10 {
		t.Errorf("the page has %d of %d examples", got, want)
	}
}

// TestManifestsOfExamplesAreAccepted: by the rules of the CRD, and by the check that operator and gateway share.
func TestManifestsOfExamplesAreAccepted(t *testing.T) {
	all, err := files(root)
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range all {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		service, err := manifest.Load(t.Context(), text)
		if err != nil {
			t.Errorf("%s: %v", file, err)
			continue
		}
		c, err := render.Contract(service)
		if err != nil {
			t.Fatal(err)
		}
		if errs := program.Validate(c); len(errs) > 0 {
			t.Errorf("%s: %v", file, errs)
		}
	}
}

// TestTheCRDHasTheExamples, for kubectl explain: each value of a field's description is one that the catalogue has for that field.
func TestTheCRDHasTheExamples(t *testing.T) {
	c, err := collect(root)
	if err != nil {
		t.Fatal(err)
	}
	spec, err := specSchema(root)
	if err != nil {
		t.Fatal(err)
	}
	examples, fields := c.examples(), 0
	check := func(owners []string, name string, field object, _ any) {
		fields++
		description, _ := field["description"].(string)
		if !slices.ContainsFunc(owners, func(owner string) bool { return strings.HasSuffix(description, "Example: "+examples[owner+"."+name]) }) {
			t.Errorf("%s.%s has no example: %q", owners[0], name, description)
		}
	}
	found(check).visit([]string{"LLMServiceSpec"}, reflect.TypeFor[v1alpha1.LLMServiceSpec](), spec, nil)
	if fields < len(c) {
		t.Errorf("%d fields, want those of the whole spec", fields)
	}
}

func TestDescribed(t *testing.T) {
	for want, description := range map[string]any{"Example: 1": nil, "A number. Example: 1": "A number.", "A number.\nOr not.\nExample: 1": "A number.\nOr not."} {
		if got := described(description, "1"); got != want {
			t.Errorf("%v: %q, want %q", description, got, want)
		}
	}
}

func TestFlow(t *testing.T) {
	for want, v := range map[string]any{
		"45s": "45s", `"7"`: "7", "7": 7.0, `"a: b"`: "a: b", "${steps.a}": "${steps.a}", `"no"`: "no", `""`: "",
		`{a: [b, "1"], c: {}}`: object{"a": []any{"b", "1"}, "c": object{}}, `["a, b"]`: []any{"a, b"}, `"a\nb"`: "a\nb", `["${[1, 2]}"]`: []any{"${[1, 2]}"},
	} {
		if got := flow(v); got != want {
			t.Errorf("%#v: %s, want %s", v, got, want)
		}
	}
}

func TestAnnotate(t *testing.T) {
	page := "#### Route\n| `path` _string_ | path is a path. | / | **required** |\n| `x` _string_ |  |  |  |\n#### Other\n| `path` _string_ | other |  |  |"
	want := "#### Route\n| `path` _string_ | path is a path.<br />Example: `/a\\|b` | / | **required** |\n| `x` _string_ | Example: `` `a` `` |  |  |\n#### Other\n| `path` _string_ | other |  |  |"
	if got := annotate(page, map[string]string{"Route.path": "/a|b", "Route.x": "`a`"}); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}
