package house_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/yaml"
)

// maxCRD keeps a CRD below the 262,144 bytes of annotations in which client-side apply stores a copy of it, as JSON; and the file,
// which other tools may keep as it is.
const maxCRD = 250_000

func TestCRDFitsClientSideApply(t *testing.T) {
	crds, err := filepath.Glob(filepath.Join(root, "config/crd/bases/*.yaml"))
	if err != nil || len(crds) == 0 {
		t.Fatalf("there are %d CRDs, %v", len(crds), err)
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
		for format, size := range map[string]int{"YAML": len(text), "JSON": len(stored)} {
			if size > maxCRD {
				t.Errorf("%s has %d bytes as %s, %d are allowed: shorten descriptions or bound a nested type", crd, size, format, maxCRD)
			}
		}
	}
}

// wide has what a generator writes, with two blanks for each level.
const wide = `---
map:
  list:
  - first: 1
    second:
      deep: |-
        A text
          - with its own
        indentation: |-

        and lines
      folded: it goes on
        - in a second line
    third: >
      text
  - - - nested
      - lists: x
        more: "quoted
          over lines"
    - deep:
        again: true
  - |
    An item
     of text.
  last: 'it: is
    |-'
`

// TestNarrow: a file means the same with less indentation, and is not changed by a second pass.
func TestNarrow(t *testing.T) {
	once := narrow(t, wide)
	if diff := cmp.Diff(parsed(t, wide), parsed(t, once)); diff != "" {
		t.Errorf("it means something else (-want +got):\n%s\n%s", diff, once)
	}
	if !strings.Contains(once, "\n    deep: |-\n     A text\n       - with") || !strings.Contains(once, "\n   third: >\n") {
		t.Errorf("it is not narrow:\n%s", once)
	}
	if diff := cmp.Diff(once, narrow(t, once)); diff != "" {
		t.Errorf("the second pass changed it (-once +twice):\n%s", diff)
	}
}

func narrow(t *testing.T, text string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), filepath.Join(root, ".ci", "narrow"))
	cmd.Stdin, cmd.Stderr = strings.NewReader(text), t.Output()
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

func parsed(t *testing.T, text string) any {
	t.Helper()
	var value any
	if err := yaml.Unmarshal([]byte(text), &value); err != nil {
		t.Fatalf("%v:\n%s", err, text)
	}
	return value
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
