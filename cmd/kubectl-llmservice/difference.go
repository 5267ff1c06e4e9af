package main

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/llmservice/llmservice/api/v1alpha1"
	"github.com/llmservice/llmservice/controllers/render"
	"github.com/llmservice/llmservice/runtime/config/delivery"
)

// What happens to a service or a child.
const (
	created          = "Created"
	changed          = "Changed"
	deleted          = "Deleted"
	unchangedService = "Unchanged"
)

// difference is what applying one manifest changes.
type difference struct {
	Namespace string `json:"namespace"`
	Name      string `json:"name"`
	// Change is Created, Changed or Unchanged.
	Change string `json:"change"`
	// ReplacesPods says that a rollout replaces all pods, Reloads that they load another config in place.
	ReplacesPods bool              `json:"replacesPods"`
	Reloads      bool              `json:"reloads"`
	Children     []childDifference `json:"children"`
}

// childDifference is that of one object. Fields are only listed if it is there before and after.
type childDifference struct {
	Kind   string        `json:"kind"`
	Name   string        `json:"name"`
	Change string        `json:"change"`
	Fields []fieldChange `json:"fields,omitzero"`
}

// differenceOf compares the children; there are none before if the service is new.
func differenceOf(s *v1alpha1.LLMService, before, after []render.Child) *difference {
	d := &difference{Namespace: s.Namespace, Name: s.Name, Change: unchangedService, Children: []childDifference{}}
	old := map[render.ChildKey]render.Child{}
	for _, child := range before {
		old[child.Key()] = child
	}
	for _, child := range after {
		was, there := old[child.Key()]
		delete(old, child.Key())
		if !there {
			d.Children = append(d.Children, childDifference{child.Kind, child.Name, created, nil})
			continue
		}
		if fields := fieldChanges("", content(was), content(child)); len(fields) > 0 {
			d.Children = append(d.Children, childDifference{child.Kind, child.Name, changed, fields})
			d.judge(child.Key(), fields)
		}
	}
	for _, child := range before {
		if _, left := old[child.Key()]; left {
			d.Children = append(d.Children, childDifference{child.Kind, child.Name, deleted, nil})
		}
	}
	switch {
	case before == nil:
		d.Change = created
	case len(d.Children) > 0:
		d.Change = changed
	}
	return d
}

// judge says what a child's change means for the pods.
func (d *difference) judge(key render.ChildKey, fields []fieldChange) {
	switch key {
	case render.GatewaysKey(d.Name):
		d.ReplacesPods = slices.ContainsFunc(fields, func(f fieldChange) bool { return strings.HasPrefix(f.Path, "spec.template.") })
	case render.DocumentsKey(d.Name):
		d.Reloads = true
	}
}

// content is a child as JSON, without what changes with every other field: the hash of it all, and the record of the spec. The
// config is shown as the JSON that it is.
func content(c render.Child) any {
	object, err := c.Unstructured()
	if err != nil {
		return err.Error() // it was encoded once already, for its hash
	}
	unstructured.RemoveNestedField(object.Object, "metadata", "annotations", render.AppliedHashAnnotation)
	unstructured.RemoveNestedField(object.Object, "metadata", "annotations", render.AcceptedAnnotation)
	if data, ok := object.Object["data"].(map[string]any); ok {
		var document any
		if text, ok := data[delivery.CurrentKey].(string); ok && json.Unmarshal([]byte(text), &document) == nil {
			data[delivery.CurrentKey] = document
		}
	}
	return object.Object
}

// effect says in one sentence what happens.
func (d *difference) effect() string {
	var effects []string
	switch {
	case d.Change == created:
		return fmt.Sprintf("is new, with %s", count(len(d.Children), "object"))
	case d.Change == unchangedService:
		return "changes nothing"
	case d.ReplacesPods:
		effects = append(effects, "replaces the pods, one after the other")
	case d.Reloads:
		effects = append(effects, "reloads in place, and keeps the pods")
	default:
		effects = append(effects, "keeps the pods and their config")
	}
	for _, c := range d.Children {
		for _, f := range c.Fields {
			if c.Kind == "Deployment" && f.Path == "spec.replicas" {
				effects = append(effects, fmt.Sprintf("scales from %v to %v replicas", f.Before, f.After))
			}
		}
	}
	return strings.Join(effects, "; ")
}

// marks are those of a diff.
var marks = map[string]string{created: "+", changed: "~", deleted: "-"}

func (d *difference) print(out io.Writer) error {
	var text strings.Builder
	fmt.Fprintf(&text, "LLMService %s/%s: %s\n", d.Namespace, d.Name, d.effect())
	for _, c := range d.Children {
		fmt.Fprintf(&text, "  %s %s %s\n", marks[c.Change], c.Kind, c.Name)
		for _, f := range c.Fields {
			fmt.Fprintf(&text, "      %s\n", f)
		}
	}
	_, err := io.WriteString(out, text.String())
	return err
}
