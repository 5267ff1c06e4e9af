package manifest

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
	structuralschema "k8s.io/apiextensions-apiserver/pkg/apiserver/schema"
)

// YAML 1.1, which kubectl, Helm and API servers read, has words for booleans that people write as text
// (https://yaml.org/type/bool.html). A reader of the resulting JSON cannot see what was written.
var (
	yes = []string{"y", "Y", "yes", "Yes", "YES", "on", "On", "ON"}
	no  = []string{"n", "N", "no", "No", "NO", "off", "Off", "OFF"}
	// plainly are words that can only mean booleans; as names they lose their capitals.
	plainly = map[string]string{"True": "true", "TRUE": "true", "False": "false", "FALSE": "false"}
	// A number with a zero before it is octal, or what is left when the zero is gone.
	zeros = regexp.MustCompile(`^[-+]?0[0-9_]+$`)
)

// boolean is what a word is read as, in which it is not plain to see; "" for none.
func boolean(word string) string {
	switch {
	case slices.Contains(yes, word):
		return "true"
	case slices.Contains(no, word):
		return "false"
	}
	return ""
}

// words finds what is read otherwise than it stands there.
type words struct {
	document *document
	wrong    Mistakes // names of members
	doubtful Mistakes // values
	nulls    Mistakes // values that one way of applying leaves out
}

func (w *words) walk(n *yaml.Node, s *structuralschema.Structural, path string) {
	switch n.Kind {
	case yaml.MappingNode:
		for i := 0; i+1 < len(n.Content); i += 2 {
			key := n.Content[i]
			here := join(path, key.Value)
			w.name(key, here)
			inner := below(s, key.Value)
			w.null(key, n.Content[i+1], inner, here)
			w.walk(n.Content[i+1], inner, here)
		}
	case yaml.SequenceNode:
		for i, item := range n.Content {
			w.walk(item, items(s), fmt.Sprintf("%s[%d]", path, i))
		}
	case yaml.ScalarNode:
		w.value(n, s, path)
	default: // what an alias stands for is looked at where it is written
	}
}

func below(s *structuralschema.Structural, name string) *structuralschema.Structural {
	if s == nil {
		return nil
	}
	if property, ok := s.Properties[name]; ok {
		return &property
	}
	if s.AdditionalProperties != nil {
		return s.AdditionalProperties.Structural
	}
	return nil
}

func items(s *structuralschema.Structural) *structuralschema.Structural {
	if s == nil {
		return nil
	}
	return s.Items
}

// isPlain reports whether a scalar has neither quotes nor a tag.
func isPlain(n *yaml.Node) bool { return n.Kind == yaml.ScalarNode && n.Style == 0 }

// null reports a null within a value of any form. Elsewhere the API server itself takes null for absent.
func (w *words) null(key, value *yaml.Node, s *structuralschema.Structural, path string) {
	if s != nil || resolved(value).ShortTag() != "!!null" || !strings.HasPrefix(path, "spec.") {
		return
	}
	w.nulls = append(w.nulls, w.document.mistake(key, path,
		`is null, which kubectl apply drops without --server-side: write "${null}", which means the same`))
}

func (w *words) name(n *yaml.Node, path string) {
	if !isPlain(n) {
		return
	}
	is := boolean(n.Value)
	if is == "" {
		is = plainly[n.Value]
	}
	if is != "" {
		w.wrong = append(w.wrong, w.document.mistake(n, path, fmt.Sprintf(
			"the name %s is read as a boolean, and becomes %q (YAML 1.1): quote it, as %q", n.Value, is, n.Value)))
	}
}

func (w *words) value(n *yaml.Node, s *structuralschema.Structural, path string) {
	if !isPlain(n) {
		return
	}
	is := boolean(n.Value)
	switch {
	case is != "" && (s == nil || s.Type != "boolean"):
		is = "the boolean " + is
	case is == "" && zeros.MatchString(n.Value) && (s == nil || s.Type != "integer" && s.Type != "number"):
		is = "the number " + number(n.Value)
	default:
		return
	}
	w.doubtful = append(w.doubtful, w.document.mistake(n, path, fmt.Sprintf(
		"%s is read as %s (YAML 1.1): if a text is meant, quote it, as %q", n.Value, is, n.Value)))
}

// number is what a number with a zero before it is read as.
func number(text string) string {
	digits := strings.ReplaceAll(text, "_", "")
	if n, err := strconv.ParseInt(digits, 0, 64); err == nil {
		return strconv.FormatInt(n, 10)
	}
	return strings.TrimLeft(digits, "+0")
}
