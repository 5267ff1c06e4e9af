package docs_test

import (
	"fmt"
	"go/ast"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/llmservice/llmservice/runtime/config"
)

const steps = "docs/steps.md"

// TestKindsOfSteps compares the table of kinds with the members that a step may have.
func TestKindsOfSteps(t *testing.T) {
	kinds := slices.DeleteFunc(membersIn(reflect.TypeFor[config.Step]()), func(name string) bool {
		return slices.Contains([]string{"name", "when", "timeout", "onError"}, name)
	})
	same(t, steps, kinds, firstCodes(t, steps, "kind", "what it does", "value"))
}

// TestChoicesOfSteps compares the tables of what a field may say with the API's constants.
func TestChoicesOfSteps(t *testing.T) {
	same(t, steps, namesOf(t, "api/v1alpha1", "OnError"), firstCodes(t, steps, "`onError.type`", "the route"))
	same(t, steps, membersIn(reflect.TypeFor[config.Budget]()), firstCodes(t, steps, "`budget`", "unless set"))
	same(t, "docs/routes.md", valuesOf(t, "api/v1alpha1", "ParameterPlace"), firstCodes(t, "docs/routes.md", "`in`", "value"))
	same(t, "docs/routes.md", []string{"body", "stream", "events", "location"}, membersAnswered(t))
}

// TestStrategies compares the table of a gather's strategies with the comments of the API's constants, of which -update writes it.
func TestStrategies(t *testing.T) {
	const head = "| strategy | what it does |\n|---|---|\n"
	page := read(t, steps)
	before, rest, found := strings.Cut(page, head)
	_, after, _ := strings.Cut(rest, "\n\n")
	rows := rowsOfStrategies(t)
	if !found || rows == "" {
		t.Fatalf("%s has no table of strategies, or the API has none", steps)
	}
	want := before + head + rows + "\n" + after
	if *update {
		if err := os.WriteFile(filepath.Join(root, steps), []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	} else if diff := cmp.Diff(want, page); diff != "" {
		t.Errorf("%s differs from the comments (-API +page; go test -update writes it):\n%s", steps, diff)
	}
}

// rowsOfStrategies has a row for each constant, in their order. A comment begins with the constant's name.
func rowsOfStrategies(t *testing.T) string {
	t.Helper()
	var rows strings.Builder
	for _, file := range parsed(t, "api/v1alpha1", false) {
		ast.Inspect(file, func(n ast.Node) bool {
			spec, ok := n.(*ast.ValueSpec)
			if !ok {
				return true
			}
			if of, ok := spec.Type.(*ast.Ident); ok && of.Name == "GatherStrategy" {
				_, text, _ := strings.Cut(strings.Join(strings.Fields(spec.Doc.Text()), " "), " ")
				fmt.Fprintf(&rows, "| `%s` | %s |\n", strings.Trim(spec.Values[0].(*ast.BasicLit).Value, `"`), text)
			}
			return false
		})
	}
	return rows.String()
}

// TestFormatsAreTheAPIs compares the formats of docs/streams.md, which has those of named events beside the API's.
func TestFormatsAreTheAPIs(t *testing.T) {
	var listed []string
	for _, row := range table(t, "docs/streams.md", "format", "where") {
		listed = append(listed, row[0])
	}
	same(t, "docs/streams.md", append(valuesOf(t, "api/v1alpha1", "StreamFormat"), "events"), listed)
}

// membersAnswered are the members of response that the page's table has a row for.
func membersAnswered(t *testing.T) []string {
	t.Helper()
	var names []string
	for _, shown := range firstCodes(t, "docs/routes.md", "`response`", "what the client gets") {
		name, _, _ := strings.Cut(shown, ":")
		names = append(names, name)
	}
	return names
}

// firstCodes are the words in code type that the rows of a table begin with.
func firstCodes(t *testing.T, page string, columns ...string) []string {
	t.Helper()
	var words []string
	for _, row := range table(t, page, columns...) {
		words = append(words, codes(row[0])[0])
	}
	return words
}

// membersIn are the JSON members of a type, those of its embedded types included.
func membersIn(of reflect.Type) []string {
	var names []string
	for _, field := range reflect.VisibleFields(of) {
		if name, _, _ := strings.Cut(field.Tag.Get("json"), ","); name != "" {
			names = append(names, name)
		}
	}
	return names
}
