package config

import (
	"slices"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json"
)

// namedLists are the lists whose items people know by name rather than by position.
var namedLists = []string{"upstreams", "models", "functions", "routes", "parameters", "steps", "branches"}

// maxShownName bounds a name that is repeated in an error, in bytes.
const maxShownName = 80

// Within names the items of lists that a field's path leads through, such as routes[/support].steps[answer]; it is empty if
// none has a name. A route's name is its path. The path is one that errors have, below the document, which is decoded JSON.
func Within(document any, path string) string {
	var within []string
	at, list := document, ""
	for _, step := range strings.FieldsFunc(path, func(r rune) bool { return r == '.' || r == '[' || r == ']' }) {
		switch value := at.(type) {
		case map[string]any:
			at, list = value[step], step
		case []any:
			i, err := strconv.Atoi(step)
			if err != nil || i < 0 || i >= len(value) {
				return strings.Join(within, ".")
			}
			at = value[i]
			if name := nameOf(at); slices.Contains(namedLists, list) && name != "" {
				within = append(within, list+"["+name+"]")
			}
		default:
			return strings.Join(within, ".")
		}
	}
	return strings.Join(within, ".")
}

// Document is the config as decoded JSON, in which Within looks; nil if there is none, or if it cannot be encoded.
func (c *Config) Document() any {
	encoded, err := json.Marshal(c)
	if err != nil {
		return nil
	}
	var document any
	if err := json.Unmarshal(encoded, &document); err != nil {
		return nil
	}
	return document
}

// NamedPath is a field's path with what Within says of it, for people.
func NamedPath(path, within string) string {
	if within == "" {
		return path
	}
	return path + " (" + within + ")"
}

// nameOf is empty for what has no name that can be shown.
func nameOf(item any) string {
	members, _ := item.(map[string]any)
	name, _ := members["name"].(string)
	if name == "" {
		name, _ = members["path"].(string)
	}
	if len(name) > maxShownName || strings.ContainsAny(name, "\n$") {
		return ""
	}
	return name
}
