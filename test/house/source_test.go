package house_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const root = "../.."

// vague are package names that say nothing of what is inside, so that anything ends up there.
var vague = []string{"base", "common", "helper", "helpers", "misc", "shared", "util", "utils"}

func TestPackagesAreNamedForWhatTheyDo(t *testing.T) {
	for _, f := range sources(t) {
		name := strings.TrimSuffix(f.Name.Name, "_test")
		if slices.Contains(vague, name) {
			t.Errorf("%s: package %s: name it for what it provides", f.path, name)
		}
		if filepath.Dir(f.path) == "runtime" {
			t.Errorf("%s: no package stands at runtime/ itself: it would be called as Go's own", f.path)
		}
	}
}

// TestTestsDoNotSleep allows time.Sleep where time is fake, and as the pause of a loop that asks again: a sleep that
// takes the place of a condition is too long on one machine and too short on another.
func TestTestsDoNotSleep(t *testing.T) {
	for _, f := range sources(t) {
		if !strings.HasSuffix(f.path, "_test.go") || f.imports("testing/synctest") {
			continue
		}
		ast.Inspect(f.File, func(n ast.Node) bool {
			if sel, ok := n.(*ast.SelectorExpr); ok && isSleep(sel) {
				t.Errorf("%s: time.Sleep in a test: wait for the condition with a deadline, or use testing/synctest",
					f.position(sel))
			}
			_, asksAgain := n.(*ast.ForStmt)
			return !asksAgain
		})
	}
}

func isSleep(sel *ast.SelectorExpr) bool {
	pkg, ok := sel.X.(*ast.Ident)
	return ok && pkg.Name == "time" && sel.Sel.Name == "Sleep"
}

// TestWhatIsDrawnHasASeed refuses numbers of Go's own source in tests: what fails with them is not seen again.
func TestWhatIsDrawnHasASeed(t *testing.T) {
	for _, f := range sources(t) {
		tests := strings.HasSuffix(f.path, "_test.go") || strings.HasPrefix(f.path, "test/")
		if !tests || filepath.Dir(f.path) == "test/seed" || !f.imports("math/rand/v2") && !f.imports("math/rand") {
			continue
		}
		ast.Inspect(f.File, func(n ast.Node) bool {
			if sel, ok := n.(*ast.SelectorExpr); ok && isUnseeded(sel) {
				t.Errorf("%s: rand.%s draws what no seed repeats: take one from test/seed, or a constant", f.position(sel), sel.Sel.Name)
			}
			return true
		})
	}
}

// isUnseeded reports whether a function of math/rand is called for its own source: those that make a source begin with New, and the
// names of types are not calls.
func isUnseeded(sel *ast.SelectorExpr) bool {
	pkg, ok := sel.X.(*ast.Ident)
	seeded := strings.HasPrefix(sel.Sel.Name, "New") || slices.Contains([]string{"Rand", "Source", "PCG", "ChaCha8", "Zipf"}, sel.Sel.Name)
	return ok && pkg.Name == "rand" && !seeded
}

// source is a parsed Go file of this repository, of whatever module and build tags.
type source struct {
	*ast.File

	path string
	fset *token.FileSet
}

func (s source) imports(path string) bool {
	return slices.ContainsFunc(s.Imports, func(i *ast.ImportSpec) bool { return i.Path.Value == `"`+path+`"` })
}

func (s source) position(n ast.Node) token.Position { return s.fset.Position(n.Pos()) }

func sources(t *testing.T) []source {
	t.Helper()
	var found []source
	fset := token.NewFileSet()
	walk(t, ".go", func(path string) {
		file, err := parser.ParseFile(fset, filepath.Join(root, path), nil, parser.SkipObjectResolution)
		if err != nil {
			t.Errorf("parse %s: %v", path, err)
			return
		}
		found = append(found, source{file, path, fset})
	})
	return found
}

// walk visits the repository's files that end in suffix, by their path from its root.
func walk(t *testing.T, suffix string, visit func(path string)) {
	t.Helper()
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		if entry.IsDir() && skipped(entry.Name()) {
			return fs.SkipDir
		}
		if !entry.IsDir() && strings.HasSuffix(path, suffix) {
			visit(rel)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func skipped(dir string) bool {
	return slices.Contains([]string{".git", "build", "node_modules", "testdata"}, dir)
}
