// Command inline prints a YAML file, which it reads from standard input, with its small mappings and lists on one line each, in the
// order of the file. A CRD is mostly fields of a few members, and each line of a deep one begins with its indentation.
package main

import (
	"errors"
	"fmt"
	"io"
	"os"

	"go.yaml.in/yaml/v3"
)

// widest is the length, in bytes, up to which a mapping or a list goes on one line.
const widest = 300

func main() {
	text, err := io.ReadAll(os.Stdin)
	if err == nil {
		err = rewrite(os.Stdout, text)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "inline:", err)
		os.Exit(1)
	}
}

func rewrite(w io.Writer, text []byte) error {
	var doc yaml.Node
	if err := yaml.Unmarshal(text, &doc); err != nil {
		return err
	}
	inline(&doc)
	if _, err := io.WriteString(w, "---\n"); err != nil {
		return err
	}
	out := yaml.NewEncoder(w)
	out.SetIndent(2)
	out.CompactSeqIndent()
	return errors.Join(out.Encode(&doc), out.Close())
}

// inline puts node, or what is in it, on one line each, and returns its length there; 0 if it does not fit or has lines of its own.
func inline(node *yaml.Node) int {
	if node.Kind == yaml.ScalarNode {
		if node.Style&(yaml.LiteralStyle|yaml.FoldedStyle) != 0 {
			return 0
		}
		return len(node.Value) + len(": ,")
	}
	length, fits := len("{}"), true
	for _, member := range node.Content {
		n := inline(member)
		length += n
		fits = fits && n > 0
	}
	if !fits || length > widest {
		return 0
	}
	node.Style |= yaml.FlowStyle
	return length
}
