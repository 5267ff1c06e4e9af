package main

import (
	"encoding/json"
	"maps"
	"reflect"
	"slices"
	"strings"

	"sigs.k8s.io/yaml"
)

// flow is a value as YAML on one line.
func flow(v any) string {
	switch v := v.(type) {
	case object:
		parts := make([]string, 0, len(v))
		for _, name := range slices.Sorted(maps.Keys(v)) {
			parts = append(parts, within(name)+": "+within(v[name]))
		}
		return "{" + strings.Join(parts, ", ") + "}"
	case []any:
		parts := make([]string, len(v))
		for i := range v {
			parts[i] = within(v[i])
		}
		return "[" + strings.Join(parts, ", ") + "]"
	case string:
		return plain(v, "a: ", "")
	}
	return encoded(v)
}

// within is a value in a list or a mapping.
func within(v any) string {
	if text, ok := v.(string); ok {
		return plain(text, "a: [", "]")
	}
	return flow(v)
}

// plain is a text without quotes if YAML reads it as the same text between these two.
func plain(text, before, after string) string {
	var read object
	if strings.TrimSpace(text) == text && !strings.ContainsAny(text, "\n") && yaml.Unmarshal([]byte(before+text+after), &read) == nil {
		got := read["a"]
		if list, ok := got.([]any); ok && len(list) == 1 {
			got = list[0]
		}
		if reflect.DeepEqual(got, text) {
			return text
		}
	}
	return strings.NewReplacer(`\u003c`, "<", `\u003e`, ">", `\u0026`, "&").Replace(encoded(text))
}

// encoded is a value in JSON, which can have each that YAML has.
func encoded(v any) string {
	text, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return string(text)
}
