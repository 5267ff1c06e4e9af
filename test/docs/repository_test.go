package docs_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var (
	target      = regexp.MustCompile(`(?m)^([a-z0-9-]+):`)
	makeCommand = regexp.MustCompile("(?m)(?:`|^)make ((?:[a-z0-9-]+ ?)+)")
)

// TestMakeTargets looks up each `make TARGET` of the pages in the Makefile.
func TestMakeTargets(t *testing.T) {
	var targets []string
	for _, m := range target.FindAllStringSubmatch(read(t, "Makefile"), -1) {
		targets = append(targets, m[1])
	}
	seen := 0
	for page, text := range pages(t) {
		for _, m := range makeCommand.FindAllStringSubmatch(text, -1) {
			for name := range strings.FieldsSeq(m[1]) {
				seen++
				if !slices.Contains(targets, name) {
					t.Errorf("%s: make %s: the Makefile has no such target", page, name)
				}
			}
		}
	}
	if seen == 0 {
		t.Error("no make target was found in any page")
	}
}

var testName = regexp.MustCompile(`^([a-z0-9/-]+)\.((?:Test|Fuzz|Benchmark)\w+)$`)

// TestRequirements looks for every test that docs/requirements.md names: a requirement whose test was renamed or
// removed is held by nothing.
func TestRequirements(t *testing.T) {
	testsExist(t, table(t, "docs/requirements.md", "requirement", "fails without it"))
}

// TestThreats looks for the tests of the threat model.
func TestThreats(t *testing.T) {
	testsExist(t, table(t, "THREAT_MODEL.md", "threat", "protection", "held by"))
}

// testsExist looks for the tests that the last column of a table names.
func testsExist(t *testing.T, rows [][]string) {
	t.Helper()
	declared := map[string]map[string]bool{}
	for _, row := range rows {
		names := codes(row[len(row)-1])
		if len(names) == 0 {
			t.Errorf("nothing holds %q", row[0])
		}
		for _, name := range names {
			m := testName.FindStringSubmatch(name)
			if m == nil {
				t.Errorf("%q: %s is not of the form path/to/package.TestName", row[0], name)
				continue
			}
			if declared[m[1]] == nil {
				declared[m[1]] = testsOf(t, m[1])
			}
			if !declared[m[1]][m[2]] {
				t.Errorf("%q: there is no %s in %s", row[0], m[2], m[1])
			}
		}
	}
}

// testsOf are the tests of a package, whatever their build tags.
func testsOf(t *testing.T, dir string) map[string]bool {
	t.Helper()
	names := map[string]bool{}
	for _, file := range parsed(t, dir, true) {
		for _, declaration := range file.Decls {
			if f, ok := declaration.(*ast.FuncDecl); ok && f.Recv == nil {
				names[f.Name.Name] = true
			}
		}
	}
	return names
}

// fset has the positions of whatever is parsed.
var fset = token.NewFileSet()

// parsed are the files of a package: its tests, or the others.
func parsed(t *testing.T, dir string, tests bool) []*ast.File {
	t.Helper()
	entries, err := os.ReadDir(filepath.Join(root, dir))
	if err != nil {
		t.Errorf("package %s: %v", dir, err)
	}
	var files []*ast.File
	for _, entry := range entries {
		name := entry.Name()
		if !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") != tests {
			continue
		}
		file, err := parser.ParseFile(fset, filepath.Join(root, dir, name), nil, parser.SkipObjectResolution|parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, file)
	}
	return files
}

// TestMapOfTheRepository looks for each path of the map in docs/development.md, and for each top-level directory in it.
func TestMapOfTheRepository(t *testing.T) {
	mapped := map[string]bool{}
	for _, row := range table(t, "docs/development.md", "path", "what is there") {
		for _, path := range codes(row[0]) {
			if _, err := os.Stat(filepath.Join(root, path)); err != nil {
				t.Errorf("docs/development.md: %v", err)
			}
			top, _, _ := strings.Cut(path, "/")
			mapped[top] = true
		}
	}
	for _, dir := range []string{"api", "charts", "cmd", "config", "controllers", "release", "runtime", "test"} {
		if !mapped[dir] {
			t.Errorf("docs/development.md: the map lacks %s", dir)
		}
	}
}
