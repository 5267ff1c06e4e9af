package docs_test

import (
	"encoding/json"
	"go/ast"
	"go/constant"
	"go/token"
	"go/types"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/llmservice/llmservice/runtime/config/report"
)

// constants evaluates the constants of a package from its source, unexported ones too.
func constants(t *testing.T, dir string) *types.Scope {
	t.Helper()
	checker := types.Config{Importer: importer{t}, Error: func(error) {}} // what it cannot import it does without
	checked, _ := checker.Check(dir, fset, onlyConstants(parsed(t, dir, false)), nil)
	return checked.Scope()
}

// onlyConstants leaves out what constants do not need, so that nothing has to be imported for it.
func onlyConstants(files []*ast.File) []*ast.File {
	for _, file := range files {
		file.Decls = slices.DeleteFunc(file.Decls, func(d ast.Decl) bool {
			g, ok := d.(*ast.GenDecl)
			return !ok || g.Tok == token.VAR
		})
	}
	return files
}

// importer imports the constants that a package's are made of: those of this module, and of package time.
type importer struct{ t *testing.T }

func (i importer) Import(path string) (*types.Package, error) {
	if dir, ok := strings.CutPrefix(path, "github.com/llmservice/llmservice/"); ok && strings.HasPrefix(dir, "runtime/") {
		imported := types.NewPackage(path, path[strings.LastIndex(path, "/")+1:])
		scope := constants(i.t, dir)
		for _, name := range scope.Names() {
			if c, ok := scope.Lookup(name).(*types.Const); ok {
				imported.Scope().Insert(types.NewConst(token.NoPos, imported, name, c.Type(), c.Val()))
			}
		}
		imported.MarkComplete()
		return imported, nil
	}
	return onlyTime(path), nil
}

// onlyTime is the part of package time that constants are made of; any other package is empty.
func onlyTime(path string) *types.Package {
	name := path[strings.LastIndex(path, "/")+1:]
	imported := types.NewPackage(path, name)
	if path == "time" {
		duration := types.NewNamed(types.NewTypeName(token.NoPos, imported, "Duration", nil), types.Typ[types.Int64], nil)
		imported.Scope().Insert(duration.Obj())
		for name, value := range map[string]time.Duration{
			"Nanosecond": 1, "Microsecond": time.Microsecond, "Millisecond": time.Millisecond,
			"Second": time.Second, "Minute": time.Minute, "Hour": time.Hour,
		} {
			imported.Scope().Insert(types.NewConst(token.NoPos, imported, name, duration, constant.MakeInt64(int64(value))))
		}
	}
	imported.MarkComplete()
	return imported
}

// valuesOf are the values of a package's string constants of one type.
func valuesOf(t *testing.T, dir, typeName string) []string {
	t.Helper()
	scope := constants(t, dir)
	var values []string
	for _, name := range scope.Names() {
		c, ok := scope.Lookup(name).(*types.Const)
		if !ok {
			continue
		}
		if named, ok := c.Type().(*types.Named); ok && named.Obj().Name() == typeName {
			values = append(values, constant.StringVal(c.Val()))
		}
	}
	return values
}

// namesOf are the values of a package's exported string constants whose names begin so.
func namesOf(t *testing.T, dir, prefix string) []string {
	t.Helper()
	scope := constants(t, dir)
	var values []string
	for _, name := range scope.Names() {
		if c, ok := scope.Lookup(name).(*types.Const); ok && strings.HasPrefix(name, prefix) && c.Val().Kind() == constant.String {
			values = append(values, constant.StringVal(c.Val()))
		}
	}
	return values
}

// same compares two lists as sets.
func same(t *testing.T, page string, want, got []string) {
	t.Helper()
	if len(want) == 0 {
		t.Error("the code has none: the test looks in the wrong place")
	}
	if diff := cmp.Diff(set(want), set(got)); diff != "" {
		t.Errorf("%s (-code +page):\n%s", page, diff)
	}
}

func set(list []string) []string { return slices.Compact(slices.Sorted(slices.Values(list))) }

func keys(m map[string]any) []string { return slices.Collect(maps.Keys(m)) }

func adminPaths() []string {
	return []string{report.LivePath, report.ReadyPath, report.StatusPath, report.MetricsPath}
}

func jsonOf(t *testing.T, text []byte) any {
	t.Helper()
	var value any
	if err := json.Unmarshal(text, &value); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return value
}

func between(t *testing.T, text, after, before string) string {
	t.Helper()
	_, rest, found := strings.Cut(text, after)
	within, _, ended := strings.Cut(rest, before)
	if !found || !ended {
		t.Fatalf("the page has no text between %q and %q", after, before)
	}
	return within
}

// fenceAfter is the first fenced block after some words.
func fenceAfter(t *testing.T, page, words string) string {
	t.Helper()
	_, rest, found := strings.Cut(page, words)
	blocks := fences(rest)
	if !found || len(blocks) == 0 {
		t.Fatalf("no block follows %q", words)
	}
	return blocks[0].text
}
