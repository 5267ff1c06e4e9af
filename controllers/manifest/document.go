package manifest

import (
	"bytes"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
	"k8s.io/apimachinery/pkg/util/json"
	sigsyaml "sigs.k8s.io/yaml"

	"github.com/llmservice/llmservice/runtime/config"
)

// document is one of the YAML documents in a file.
type document struct {
	text  []byte
	above int // lines of the file before its first
	root  *yaml.Node
	// object is what its JSON holds; nil until that was read.
	object map[string]any
}

// split splits a file at each line of three dashes, with or without a comment after them, as kubectl does.
func split(file []byte) []*document {
	var all []*document
	current := &document{}
	line := 0
	for raw := range bytes.Lines(file) {
		line++
		if rest, marked := bytes.CutPrefix(raw, []byte("---")); marked && isBlank(rest) {
			all = append(all, current)
			current = &document{above: line}
			continue
		}
		current.text = append(current.text, raw...)
	}
	return append(all, current)
}

func isBlank(rest []byte) bool {
	rest = bytes.TrimSpace(rest)
	return len(rest) == 0 || rest[0] == '#'
}

// read reads the document as YAML 1.1 as kubectl reads it, and keeps its object, which is nil if it is empty, and its tree of
// nodes, which says where things stand.
func (d *document) read() error {
	encoded, wrong := d.encode()
	if len(wrong) > 0 {
		return wrong.by(RuleSyntax)
	}
	if len(encoded) == 0 {
		return nil
	}
	// Kubernetes' own decoder: rules distinguish integers from other numbers.
	if err := json.Unmarshal(encoded, &d.object); err != nil {
		return Mistakes{d.mistake(d.root, "", "is not an object, want one with apiVersion, kind and metadata")}.by(RuleSyntax)
	}
	return nil
}

// encode gives the document as JSON; nil for an empty one.
func (d *document) encode() ([]byte, Mistakes) {
	if len(bytes.TrimSpace(d.text)) == 0 {
		return nil, nil
	}
	var root yaml.Node
	if err := yaml.Unmarshal(d.text, &root); err != nil {
		return nil, d.syntax(err)
	}
	if root.Kind == yaml.DocumentNode {
		d.root = root.Content[0]
	}
	if wrong := d.names(d.root, ""); len(wrong) > 0 {
		return nil, wrong
	}
	encoded, err := sigsyaml.YAMLToJSONStrict(d.text)
	if err != nil {
		return nil, d.syntax(err)
	}
	return encoded, nil
}

// names finds keys that are given twice, and those that no JSON can have.
func (d *document) names(n *yaml.Node, path string) Mistakes {
	if n == nil {
		return nil
	}
	var found Mistakes
	seen := map[string]int{}
	for i, child := range n.Content {
		at := path
		switch {
		case n.Kind == yaml.SequenceNode:
			at = fmt.Sprintf("%s[%d]", path, i)
		case n.Kind == yaml.MappingNode && i%2 == 0:
			found = append(found, d.name(child, path, seen)...)
			continue
		case n.Kind == yaml.MappingNode:
			at = join(path, n.Content[i-1].Value)
		}
		found = append(found, d.names(child, at)...)
	}
	return found
}

// name checks one key of a mapping, of which those in seen came before, each with its line.
func (d *document) name(key *yaml.Node, path string, seen map[string]int) Mistakes {
	first := seen[key.Value]
	seen[key.Value] = key.Line + d.above
	switch {
	case key.Kind == yaml.AliasNode:
	case key.Kind != yaml.ScalarNode:
		return Mistakes{d.mistake(key, path, "a name must be a text")}
	case key.Tag == "!!null":
		return Mistakes{d.mistake(key, join(path, key.Value), "a name cannot be null: quote it")}
	case first > 0:
		return Mistakes{d.mistake(key, join(path, key.Value), fmt.Sprintf("the key is already used in line %d", first))}
	}
	return nil
}

func (d *document) mistake(at *yaml.Node, path, message string) Mistake {
	return Mistake{
		Line: at.Line + d.above, Column: at.Column, Path: path, Within: config.Within(d.object, path), Message: message,
	}
}

// The libraries name the line of what they cannot read, and no column; of an alias without an anchor not even that.
var (
	atLine   = regexp.MustCompile(`line (\d+): ([^\n]*)`)
	noAnchor = regexp.MustCompile(`unknown anchor '([^']*)'`)
)

// syntax says where text is not YAML, or not such as JSON can be made of.
func (d *document) syntax(err error) Mistakes {
	var found Mistakes
	for _, match := range atLine.FindAllStringSubmatch(err.Error(), -1) {
		line, _ := strconv.Atoi(match[1]) // they are digits
		line, column, hint := d.place(line)
		found = append(found, Mistake{Line: line + d.above, Column: column, Message: "not YAML: " + match[2] + hint})
	}
	if alias := noAnchor.FindStringSubmatch(err.Error()); alias != nil {
		if at := bytes.Index(d.text, []byte("*"+alias[1])); at >= 0 {
			line, column := bytes.Count(d.text[:at], []byte("\n"))+1, at-bytes.LastIndexByte(d.text[:at], '\n')
			return Mistakes{{Line: d.above + line, Column: column, Message: "not YAML: " + alias[0]}}
		}
	}
	if len(found) == 0 {
		found = Mistakes{{Line: d.above + 1, Column: 1, Message: strings.TrimPrefix(err.Error(), "yaml: ")}}
	}
	return found
}

const needsQuotes = `; a template within braces or brackets needs quotes, as in {text: "${steps.answer.text}"}`

// template is the beginning of one that is neither in quotes nor within other text.
var template = regexp.MustCompile(`[:,\[{] *(\$\{)`)

// place gives the line and column of what is not YAML, with a hint if it is a template without quotes: a brace within braces or
// brackets begins a mapping. Of a mapping within braces the library names the line before, so the next is looked at, too.
func (d *document) place(line int) (found, column int, hint string) {
	lines := bytes.Split(d.text, []byte("\n"))
	for _, here := range []int{line, line + 1} {
		if here < 1 || here > len(lines) {
			continue
		}
		if at := template.FindSubmatchIndex(lines[here-1]); at != nil {
			return here, utf8.RuneCount(lines[here-1][:at[2]]) + 1, needsQuotes
		}
	}
	if line < 1 || line > len(lines) {
		return line, 1, ""
	}
	text := lines[line-1]
	return line, len(text) - len(bytes.TrimLeft(text, " \t")) + 1, ""
}

func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}
