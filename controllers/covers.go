package controllers

import (
	"reflect"
)

// atomicMaps are maps, and lists of maps, that the API replaces as a whole: a key that was added by hand changes what they mean.
var atomicMaps = map[string]bool{
	"selector": true, "matchLabels": true, "labelSelector": true, "nodeSelector": true,
	"ingress": true, "egress": true, // of a NetworkPolicy: a selector more admits others
}

// selectAll are selectors that select everything when they are empty, and mean something else when they are absent.
var selectAll = map[string]bool{"podSelector": true, "namespaceSelector": true}

// plainBooleans are fields that the API leaves out when they are false. Of any other boolean, none is not the same as false.
var plainBooleans = map[string]bool{"paused": true}

// covers reports whether the live object has every rendered field with the rendered value. Fields that were not rendered
// belong to others: defaults, and what people and admission add. Items of a list belong together with the list, so
// a list that has more of them is not covered; only metadata's lists are shared with others.
func covers(live, rendered map[string]any) bool {
	for key, want := range rendered {
		got, ok := live[key]
		switch {
		case key == "metadata":
			if !coversMetadata(got, want) {
				return false
			}
		case !ok:
			if selectAll[key] || !empty(want) && (!plainBooleans[key] || want != false) {
				return false
			}
		case atomicMaps[key]:
			if !coversValue(got, want) || !coversValue(want, got) {
				return false
			}
		case !coversValue(got, want):
			return false
		}
	}
	return true
}

// coversMetadata tolerates labels, annotations and owners that others added.
func coversMetadata(live, rendered any) bool {
	got, okGot := live.(map[string]any)
	want, okWant := rendered.(map[string]any)
	if !okGot || !okWant {
		return false
	}
	for key, value := range want {
		list, isList := value.([]any)
		if !isList {
			if !coversValue(got[key], value) {
				return false
			}
			continue
		}
		have, _ := got[key].([]any)
		if len(matchItems(have, list)) != len(list) {
			return false
		}
	}
	return true
}

func coversValue(live, rendered any) bool {
	switch want := rendered.(type) {
	case map[string]any:
		got, ok := live.(map[string]any)
		return (ok || empty(want)) && covers(got, want)
	case []any:
		got, ok := live.([]any)
		return (ok || empty(want)) && coversList(got, want)
	default:
		return reflect.DeepEqual(live, rendered)
	}
}

// coversList compares lists of objects without regard to their order, which the API does not keep for those that are
// keyed, and lists of values with it.
func coversList(live, rendered []any) bool {
	if len(live) != len(rendered) {
		return false
	}
	if areObjects(rendered) {
		return len(matchItems(live, rendered)) == len(rendered)
	}
	return reflect.DeepEqual(live, rendered) || len(rendered) == 0
}

// matchItems pairs rendered items with live ones that cover them, each live one once.
func matchItems(live, rendered []any) map[int]int {
	taken, pairs := map[int]bool{}, map[int]int{}
	for i, want := range rendered {
		for j, got := range live {
			if !taken[j] && coversValue(got, want) {
				taken[j], pairs[i] = true, j
				break
			}
		}
	}
	return pairs
}

// empty reports whether a rendered value says nothing: the API does not keep empty objects.
func empty(value any) bool {
	switch v := value.(type) {
	case nil:
		return true
	case map[string]any:
		for _, member := range v {
			if !empty(member) {
				return false
			}
		}
		return true
	case []any:
		return len(v) == 0
	default:
		return false
	}
}
