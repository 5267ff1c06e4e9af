package docs_test

import (
	"maps"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// applying is a command, and what stands behind it up to the end of its line or of its code type.
var applying = regexp.MustCompile("kubectl (-n [^ ]+ )?apply[^`\n]*[`\n]")

// Every apply that somebody may copy is the server's: kubectl's own leaves nulls out, and with them what schemas say. The
// two words alone, in code type, are its name.
func TestAppliesAreTheServers(t *testing.T) {
	texts, found := pages(t), 0
	for _, pattern := range []string{
		"charts/llmservice/templates/*.txt", "config/*/*.yaml", "docs/decisions/*.md", "test/demo/*.go", "test/scenario/*.go", "Makefile",
	} {
		maps.Copy(texts, matching(t, pattern))
	}
	for name, text := range texts {
		for _, command := range applying.FindAllString(text, -1) {
			found++
			if command != "kubectl apply`" && !strings.Contains(command, "--server-side") {
				t.Errorf("%s: %q has no --server-side", name, command)
			}
		}
	}
	if found < 8 {
		t.Errorf("there are %d: the test tests nothing", found)
	}
}

// matching are the files that a pattern names, by their path from the root.
func matching(t *testing.T, pattern string) map[string]string {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(root, pattern))
	if err != nil {
		t.Fatal(err)
	}
	texts := map[string]string{}
	for _, path := range paths {
		name, err := filepath.Rel(root, path)
		if err != nil {
			t.Fatal(err)
		}
		texts[name] = read(t, name)
	}
	return texts
}
