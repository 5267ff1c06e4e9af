package controllers

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/llmservice/llmservice/controllers/render"
)

const (
	// maxOverridden bounds how many fields of a child are listed.
	maxOverridden = 8
	// maxValue bounds what is repeated of a value, in bytes.
	maxValue = 80
)

// clusterDecides are fields in which a cluster has the last word, and with which a gateway serves all the same.
var clusterDecides = map[string]bool{
	"image": true, "imagePullPolicy": true, // a mirror
	"securityContext": true, "topologySpreadConstraints": true,
	"revisionHistoryLimit": true, "progressDeadlineSeconds": true,
}

// enough are fields of which more does no harm.
var enough = map[string]bool{"terminationGracePeriodSeconds": true, "cpu": true, "memory": true}

// itemKeys are the members that name the items of a list. Others may add items to such a list: a sidecar is one.
var itemKeys = map[string]string{
	"ownerReferences": "uid", "containers": "name", "volumes": "name", "env": "name", "ports": "name", "volumeMounts": "mountPath",
}

// overrides collects the fields in which a live object differs from the rendered one.
type overrides struct {
	// hidden says that values are not to be repeated: a config has prompts, and an environment may have a key.
	hidden bool
	found  []string
}

// overriddenIn lists the fields of a child in which admission left something else than was applied, with what the service
// needs and what it was given. What a cluster may decide is left out.
func overriddenIn(live map[string]any, child *render.Child, rendered *unstructured.Unstructured) []string {
	o := overrides{hidden: child.Kind == "ConfigMap"}
	o.members("", live, rendered.Object)
	if more := len(o.found) - maxOverridden; more > 0 {
		o.found = append(o.found[:maxOverridden], fmt.Sprintf("%d more fields", more))
	}
	for i, field := range o.found {
		o.found[i] = fmt.Sprintf("%s %s: %s", child.Kind, child.Name, field)
	}
	return o.found
}

func (o *overrides) members(path string, live, rendered map[string]any) {
	for _, name := range slices.Sorted(maps.Keys(rendered)) {
		if clusterDecides[name] || path == "" && (name == "apiVersion" || name == "kind") {
			continue
		}
		o.value(joined(path, name), name, live[name], rendered[name])
	}
}

func (o *overrides) value(path, name string, got, want any) {
	switch wanted := want.(type) {
	case map[string]any:
		have, _ := got.(map[string]any)
		switch {
		case name == "limits" && have == nil:
		case have == nil, atomicMaps[name] && !coversValue(want, got):
			o.add(path, got, want)
		default:
			o.members(path, have, wanted)
		}
	case []any:
		have, _ := got.([]any)
		o.items(path, name, have, wanted)
	default:
		if !reflect.DeepEqual(got, want) && !suffices(name, got, want) {
			o.add(path, got, want)
		}
	}
}

func (o *overrides) items(path, name string, live, rendered []any) {
	key, named := itemKeys[name]
	switch {
	case named && namesAll(rendered, key):
		hidden := o.hidden
		o.hidden = hidden || name == "env"
		for _, item := range rendered {
			o.item(path, key, live, item)
		}
		o.hidden = hidden
	case coversValue(live, rendered):
	case len(live) == len(rendered) && areObjects(rendered):
		for i := range rendered {
			o.value(fmt.Sprintf("%s[%d]", path, i), "", live[i], rendered[i])
		}
	default:
		o.add(path, live, rendered)
	}
}

// namesAll says that each item has the member that names it: the ports of a NetworkPolicy have none.
func namesAll(items []any, key string) bool {
	return !slices.ContainsFunc(items, func(item any) bool {
		has, _ := item.(map[string]any)
		return has[key] == nil
	})
}

// item looks for the item of the same name.
func (o *overrides) item(path, key string, live []any, rendered any) {
	wanted, _ := rendered.(map[string]any)
	at := slices.IndexFunc(live, func(item any) bool {
		have, ok := item.(map[string]any)
		return ok && have[key] == wanted[key]
	})
	path = fmt.Sprintf("%s[%v]", path, wanted[key])
	if at < 0 {
		o.add(path, nil, wanted)
		return
	}
	o.value(path, "", live[at], rendered)
}

func areObjects(list []any) bool {
	if len(list) == 0 {
		return false
	}
	_, objects := list[0].(map[string]any)
	return objects
}

// suffices says that what was given does, though it is not what was wanted.
func suffices(name string, got, want any) bool {
	switch {
	case got == nil:
		return plainBooleans[name] && want == false
	case enough[name]:
		have, errHave := resource.ParseQuantity(fmt.Sprint(got))
		needed, errNeeded := resource.ParseQuantity(fmt.Sprint(want))
		return errHave == nil && errNeeded == nil && have.Cmp(needed) >= 0
	default:
		return false
	}
}

func (o *overrides) add(path string, got, want any) {
	switch {
	case empty(got) && empty(want):
	case o.hidden && got == nil:
		o.found = append(o.found, path+" is missing")
	case o.hidden:
		o.found = append(o.found, path+" differs from the applied value")
	case got == nil:
		o.found = append(o.found, fmt.Sprintf("%s is missing, wanted %s", path, valueText(want)))
	default:
		o.found = append(o.found, fmt.Sprintf("%s is %s, wanted %s", path, valueText(got), valueText(want)))
	}
}

// joined is the path of a member. Keys such as an annotation's are in brackets.
func joined(path, name string) string {
	switch {
	case path == "":
		return name
	case strings.ContainsAny(name, "./"):
		return path + "[" + name + "]"
	default:
		return path + "." + name
	}
}

func valueText(value any) string {
	if object, ok := value.(map[string]any); ok {
		shown := maps.Clone(object)
		delete(shown, "env")
		value = shown
	}
	encoded, err := json.Marshal(value)
	if err != nil {
		return "another value"
	}
	return cut(string(encoded), maxValue)
}
