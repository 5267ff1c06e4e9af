package docs_test

import (
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

const root = "../.."

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, path))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// pages are those that people write, by their path from the root.
func pages(t *testing.T) map[string]string {
	t.Helper()
	all := map[string]string{}
	for _, pattern := range []string{"*.md", "docs/*.md", "charts/llmservice/*.md"} {
		maps.Copy(all, matching(t, pattern))
	}
	return all
}

// fence is a fenced block of a page.
type fence struct{ language, text string }

var fenced = regexp.MustCompile("(?ms)^```([a-z]*)\n(.*?)^```$")

func fences(page string) []fence {
	var found []fence
	for _, m := range fenced.FindAllStringSubmatch(page, -1) {
		found = append(found, fence{m[1], m[2]})
	}
	return found
}

// table is the table of a page whose head begins with these columns: the cells of its rows.
func table(t *testing.T, page string, columns ...string) [][]string {
	t.Helper()
	rows := tables(t, page, columns...)
	if len(rows) == 0 {
		t.Fatalf("%s has no table that begins with %v", page, columns)
	}
	return rows
}

// tables joins the rows of all tables of a page that begin with these columns.
func tables(t *testing.T, page string, columns ...string) [][]string {
	t.Helper()
	var rows [][]string
	within := false
	for line := range strings.Lines(read(t, page)) {
		cells := cellsOf(line)
		switch {
		case cells == nil:
			within = false
		case !within:
			within = begins(cells, columns)
		case !strings.HasPrefix(cells[0], "---"):
			rows = append(rows, cells)
		}
	}
	return rows
}

func cellsOf(line string) []string {
	line = strings.TrimSpace(line)
	if !strings.HasPrefix(line, "|") {
		return nil
	}
	cells := strings.Split(strings.Trim(line, "|"), "|")
	for i := range cells {
		cells[i] = strings.TrimSpace(cells[i])
	}
	return cells
}

func begins(cells, columns []string) bool {
	return len(cells) >= len(columns) && strings.Join(cells[:len(columns)], "|") == strings.Join(columns, "|")
}

var code = regexp.MustCompile("`([^`]+)`")

// codes are the words of a cell that stand in code type.
func codes(cell string) []string {
	var words []string
	for _, m := range code.FindAllStringSubmatch(cell, -1) {
		words = append(words, m[1])
	}
	return words
}
