package docs_test

import (
	"go/ast"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestWalks follows the two walks of docs/development.md: at most ten steps each, each file is where its step says, and each name
// is declared there.
func TestWalks(t *testing.T) {
	page := read(t, "docs/development.md")
	for _, title := range []string{"Where the bytes of `POST /answer` go", "Where a changed LLMService goes"} {
		_, section, found := strings.Cut(page, "\n## "+title+"\n")
		section, _, _ = strings.Cut(section, "\n## ")
		steps := walkStep.FindAllString(section, -1)
		if !found || len(steps) < 5 || len(steps) > 10 {
			t.Errorf("%s: %d steps, want at most ten", title, len(steps))
		}
		for _, step := range steps {
			followStep(t, step)
		}
	}
}

// walkStep is an item of a numbered list, with the lines that continue it.
var walkStep = regexp.MustCompile(`(?m)^\d+\. .*\n(?: .*\n)*`)

// followStep looks for each file, package and name of a step. A file without a directory is in one of those that the step names.
func followStep(t *testing.T, step string) {
	t.Helper()
	var dirs []string
	all := codes(step)
	for _, path := range all {
		if info, err := os.Stat(filepath.Join(root, path)); err == nil && info.IsDir() {
			dirs = append(dirs, path)
		} else if strings.Contains(path, "/") {
			dirs = append(dirs, filepath.Dir(path))
		}
	}
	if len(dirs) == 0 {
		t.Errorf("no file is named in %q", step)
	}
	for _, name := range all {
		there := func(dir string) bool { return stands(t, dir, name) }
		if strings.Contains(name, "/") {
			there = func(string) bool { return exists(name) }
		}
		if !slices.ContainsFunc(dirs, there) {
			t.Errorf("%s is not in any of %v: %q", name, dirs, step)
		}
	}
}

func exists(path string) bool {
	_, err := os.Stat(filepath.Join(root, path))
	return err == nil
}

// stands reports whether a package has a file, or declares a name: of its own, with its own name before it, or a method.
func stands(t *testing.T, dir, name string) bool {
	t.Helper()
	if strings.HasSuffix(name, ".go") {
		return exists(filepath.Join(dir, name))
	}
	name = strings.TrimPrefix(name, filepath.Base(dir)+".")
	return slices.ContainsFunc(parsed(t, dir, false), func(file *ast.File) bool {
		return slices.ContainsFunc(file.Decls, func(d ast.Decl) bool { return slices.Contains(declaredBy(d), name) })
	})
}

// declaredBy are the functions, methods and types of a declaration.
func declaredBy(d ast.Decl) []string {
	switch d := d.(type) {
	case *ast.FuncDecl:
		if d.Recv == nil {
			return []string{d.Name.Name}
		}
		of := d.Recv.List[0].Type
		if pointer, ok := of.(*ast.StarExpr); ok {
			of = pointer.X
		}
		if named, ok := of.(*ast.Ident); ok {
			return []string{d.Name.Name, named.Name + "." + d.Name.Name}
		}
	case *ast.GenDecl:
		var names []string
		for _, spec := range d.Specs {
			if typ, ok := spec.(*ast.TypeSpec); ok {
				names = append(names, typ.Name.Name)
			}
		}
		return names
	}
	return nil
}
