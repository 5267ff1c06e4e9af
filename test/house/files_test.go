package house_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"
)

// maxCRD keeps a CRD below the 262,144 bytes of annotations in which client-side apply stores a copy of it, as JSON.
const maxCRD = 250_000

func TestCRDFitsClientSideApply(t *testing.T) {
	crds, err := filepath.Glob(filepath.Join(root, "config/crd/bases/*.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	for _, crd := range crds {
		text, err := os.ReadFile(crd)
		if err != nil {
			t.Fatal(err)
		}
		stored, err := yaml.YAMLToJSON(text)
		if err != nil {
			t.Fatal(err)
		}
		if len(stored) > maxCRD {
			t.Errorf("%s has %d bytes as JSON, %d are allowed: shorten descriptions or bound a nested type", crd, len(stored), maxCRD)
		}
	}
}

var link = regexp.MustCompile(`\]\(([^)\s]+)\)`)

// TestLinksLeadSomewhere checks the relative links of every page; it opens no connection.
func TestLinksLeadSomewhere(t *testing.T) {
	walk(t, ".md", func(page string) {
		if strings.HasPrefix(page, "docs/reference/") {
			return // generated: patterns in its tables look like links
		}
		text, err := os.ReadFile(filepath.Join(root, page))
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range link.FindAllStringSubmatch(string(text), -1) {
			target, _, _ := strings.Cut(m[1], "#")
			if target == "" || strings.Contains(target, "://") {
				continue
			}
			if _, err := os.Stat(filepath.Join(root, filepath.Dir(page), target)); err != nil {
				t.Errorf("%s links to %s, which does not exist", page, m[1])
			}
		}
	})
}
