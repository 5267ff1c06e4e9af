package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
)

// fieldChange is one field that differs; nil stands for absent.
type fieldChange struct {
	Path   string `json:"path"`
	Before any    `json:"before"`
	After  any    `json:"after"`
}

// String has the mark of a diff, and each value as JSON.
func (f fieldChange) String() string {
	switch {
	case f.Before == nil:
		return fmt.Sprintf("+ %s: %s", f.Path, brieflyJSON(f.After))
	case f.After == nil:
		return fmt.Sprintf("- %s: %s", f.Path, brieflyJSON(f.Before))
	}
	return fmt.Sprintf("~ %s: %s -> %s", f.Path, brieflyJSON(f.Before), brieflyJSON(f.After))
}

// maxShownValue bounds a value in the text, in bytes; JSON output has all of it.
const maxShownValue = 200

func brieflyJSON(value any) string {
	encoded, err := json.Marshal(value)
	if err != nil {
		return fmt.Sprint(value)
	}
	if len(encoded) > maxShownValue {
		return strings.ToValidUTF8(string(encoded[:maxShownValue]), "") + "…"
	}
	return string(encoded)
}

// fieldChanges compares decoded JSON, field by field.
func fieldChanges(path string, before, after any) []fieldChange {
	if reflect.DeepEqual(before, after) {
		return nil
	}
	switch was := before.(type) {
	case map[string]any:
		if is, ok := after.(map[string]any); ok {
			return memberChanges(path, was, is)
		}
	case []any:
		if is, ok := after.([]any); ok {
			return itemChanges(path, was, is)
		}
	}
	return []fieldChange{{path, before, after}}
}

func memberChanges(path string, before, after map[string]any) []fieldChange {
	all := maps.Clone(before)
	maps.Copy(all, after)
	var changes []fieldChange
	for _, name := range slices.Sorted(maps.Keys(all)) {
		here := strings.TrimPrefix(path+"."+name, ".")
		changes = append(changes, fieldChanges(here, before[name], after[name])...)
	}
	return changes
}

// itemChanges compares items with those of the same name, or else with those at the same place.
func itemChanges(path string, before, after []any) []fieldChange {
	was, is := names(before), names(after)
	var changes []fieldChange
	for i, name := range was {
		var now any
		if j := slices.Index(is, name); j >= 0 {
			now = after[j]
		}
		changes = append(changes, fieldChanges(fmt.Sprintf("%s[%s]", path, name), before[i], now)...)
	}
	for j, name := range is {
		if !slices.Contains(was, name) {
			changes = append(changes, fieldChange{fmt.Sprintf("%s[%s]", path, name), nil, after[j]})
		}
	}
	if len(changes) == 0 { // the same items in another order
		changes = append(changes, fieldChange{path, was, is})
	}
	return changes
}

// names are those of a list's items, by which people know them: their positions, unless each has a name of its own.
func names(items []any) []string {
	all := make([]string, len(items))
	for i, item := range items {
		members, _ := item.(map[string]any)
		name, _ := members["name"].(string)
		if at, ok := members["path"].(string); ok && name == "" {
			method, _ := members["method"].(string)
			name = strings.TrimSpace(method + " " + at)
		}
		if name == "" || slices.Contains(all[:i], name) {
			return positions(len(items))
		}
		all[i] = name
	}
	return all
}

func positions(n int) []string {
	all := make([]string, n)
	for i := range all {
		all[i] = fmt.Sprint(i)
	}
	return all
}
