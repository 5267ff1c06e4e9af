// Command examples prints the API reference, or with the argument crd the CRD, with an example for each field that holds a value.
// The values are those of the samples, and of the manifest of the tests that has every field: the API server and the gateway accept
// each of them in its place.
package main

import (
	"fmt"
	"io"
	"os"
	"regexp"
	"slices"
	"strings"
)

// everyField is the manifest that has what no sample has.
const everyField = "test/api/testdata/every-field.yaml"

func main() {
	if err := run(".", slices.Contains(os.Args[1:], "crd"), os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "examples:", err)
		os.Exit(1)
	}
}

// run copies a page or a CRD, with examples of the manifests below root.
func run(root string, isCRD bool, from io.Reader, to io.Writer) error {
	text, err := io.ReadAll(from)
	if err != nil {
		return err
	}
	c, err := collect(root)
	if err != nil {
		return err
	}
	annotated := []byte(annotate(string(text), c.examples()))
	if isCRD {
		annotated, err = c.describe(text)
	}
	if err == nil {
		_, err = to.Write(annotated)
	}
	return err
}

var (
	section = regexp.MustCompile(`^#### (\w+)$`)
	row     = regexp.MustCompile("^\\| `(\\w+)` _")
)

// annotate puts examples into the descriptions of the fields that they are of, by TYPE.FIELD.
func annotate(page string, examples map[string]string) string {
	lines := strings.Split(page, "\n")
	of := ""
	for i, line := range lines {
		if s := section.FindStringSubmatch(line); s != nil {
			of = s[1]
		}
		field := row.FindStringSubmatch(line)
		if field == nil {
			continue
		}
		cells := strings.SplitN(line, " | ", 3)
		if example, ok := examples[of+"."+field[1]]; ok && len(cells) == 3 {
			cells[1] = strings.TrimPrefix(cells[1]+"<br />Example: "+code(example), "<br />")
			lines[i] = strings.Join(cells, " | ")
		}
	}
	return strings.Join(lines, "\n")
}

// code is a text as code in a table of Markdown.
func code(text string) string {
	text = strings.ReplaceAll(text, "|", `\|`)
	if strings.Contains(text, "`") {
		return "`` " + text + " ``" // which the blanks are no part of
	}
	return "`" + text + "`"
}
