package manifest

import (
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/llmservice/llmservice/runtime/config"
)

// maxMerges bounds the merge keys, <<, that are followed one after the other.
const maxMerges = 16

// located is where a field stands, or the nearest around it that is there.
type located struct {
	key, value *yaml.Node
	found      bool
}

// find looks up a field's path as errors have it: names after dots, or in brackets and perhaps quotes, and positions in
// brackets. Names may hold dots themselves.
func (d *document) find(path string) located {
	at := located{value: d.root}
	for rest := path; rest != ""; {
		key, value, left, ok := step(resolved(at.value), rest)
		if !ok {
			return at
		}
		at = located{key: key, value: value}
		rest = left
	}
	at.found = true
	return at
}

func resolved(n *yaml.Node) *yaml.Node {
	if n != nil && n.Kind == yaml.AliasNode {
		return n.Alias
	}
	return n
}

// step follows the first step of a path.
func step(n *yaml.Node, path string) (key, value *yaml.Node, rest string, ok bool) {
	switch {
	case n == nil:
	case n.Kind == yaml.SequenceNode:
		inner, after, closed := strings.Cut(strings.TrimPrefix(path, "["), "]")
		i, err := strconv.Atoi(inner)
		if closed && err == nil && i >= 0 && i < len(n.Content) {
			return nil, n.Content[i], after, true
		}
	case n.Kind == yaml.MappingNode:
		return member(n, path, maxMerges)
	}
	return nil, nil, "", false
}

// member finds the member with the longest name with which the path begins; its own come before those that are merged in.
func member(n *yaml.Node, path string, merges int) (key, value *yaml.Node, rest string, ok bool) {
	longest := -1
	for i := 0; i+1 < len(n.Content); i += 2 {
		k := n.Content[i]
		if left, begins := begin(path, k.Value); begins && len(k.Value) > longest {
			longest = len(k.Value)
			key, value, rest, ok = k, n.Content[i+1], left, true
		}
	}
	for _, from := range merged(n) {
		if ok || merges == 0 {
			break
		}
		key, value, rest, ok = member(from, path, merges-1)
	}
	return key, value, rest, ok
}

// merged are the mappings that a mapping takes members from, by the key <<.
func merged(n *yaml.Node) []*yaml.Node {
	var all []*yaml.Node
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value != "<<" {
			continue
		}
		sources := []*yaml.Node{n.Content[i+1]}
		if several := resolved(n.Content[i+1]); several != nil && several.Kind == yaml.SequenceNode {
			sources = several.Content
		}
		for _, source := range sources {
			if from := resolved(source); from != nil && from.Kind == yaml.MappingNode {
				all = append(all, from)
			}
		}
	}
	return all
}

// begin reports whether a path begins with a member's name, and what is left of it.
func begin(path, name string) (rest string, ok bool) {
	for _, written := range []string{name, "." + name, "[" + name + "]", "[" + strconv.Quote(name) + "]"} {
		rest, ok = strings.CutPrefix(path, written)
		if ok && (rest == "" || rest[0] == '.' || rest[0] == '[') {
			return rest, true
		}
	}
	return "", false
}

// locate gives the mistake of a field its place: that of a value that is one word, else that of its name.
func (d *document) locate(path, message string) Mistake {
	at := d.find(path)
	node := at.key
	if node == nil || at.found && at.value.Kind == yaml.ScalarNode && at.value.Value != "" {
		node = at.value
	}
	if node == nil {
		return Mistake{Path: path, Within: config.Within(d.object, path), Message: message}
	}
	return d.mistake(node, path, message)
}

// locateName is locate for a field that should not be there.
func (d *document) locateName(path, message string) Mistake {
	if at := d.find(path); at.found && at.key != nil {
		return d.mistake(at.key, path, message)
	}
	return d.locate(path, message)
}
