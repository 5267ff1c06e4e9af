package api

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// A case of a status sets one member of the status of a service that has every field. An empty want says that the API accepts it.
var statusCases = []ruleCase{
	{"status.conditions[0].lastTransitionTime", "1969-12-31T23:59:59Z", "lastTransitionTime must be a time since 1970"},
	{"status.conditions[0].lastTransitionTime", "1970-01-01T00:00:00Z", ""},
	{"status.conditions[0].type", "Not ready", "should match"},
	{"status.conditions[0].reason", "no reason", "should match"},
	{"status.streams.lastCut.time", "1969-12-31T23:59:59Z", "must be a time since 1970"},
	{"status.streams.lastCut.time", "1970-01-01T00:00:00Z", ""},
}

func TestStatusRules(t *testing.T) {
	object := storedForStatus(t, "status-rules")
	for _, tt := range statusCases {
		err := updateStatus(t, object, tt)
		if tt.want == "" && err != nil || tt.want != "" && !strings.Contains(fmt.Sprint(err), tt.want) {
			t.Errorf("%s = %v: got %v, want %q", tt.path, tt.value, err, tt.want)
		}
	}
}

func storedForStatus(t *testing.T, name string) *unstructured.Unstructured {
	t.Helper()
	object := everyField(t)
	object.SetName(name)
	status := object.Object["status"]
	if err := create(t, object); err != nil {
		t.Fatal(err)
	}
	object.Object["status"] = status
	return object
}

func updateStatus(t *testing.T, stored *unstructured.Unstructured, to ruleCase) error {
	t.Helper()
	object := stored.DeepCopy()
	put(object, to.path, to.value)
	return api.Status().Update(t.Context(), object, client.DryRunAll)
}

// TestEachRuleIsTested: of each CEL rule and of each pattern in the definition, a table has a case that it refuses, and the service
// that has every field has a value that it accepts.
func TestEachRuleIsTested(t *testing.T) {
	seen := refusals(t)
	full := everyField(t)
	rules := rulesIn("", definitionSchema(t))
	if len(rules) < 90 {
		t.Fatalf("there are %d rules in the definition: the walk has missed some", len(rules))
	}
	for _, rule := range slices.Sorted(maps.Keys(rules)) {
		if !slices.ContainsFunc(seen, func(said string) bool { return strings.HasSuffix(said, rule) }) {
			t.Errorf("no case of a table is refused with %q, which is the rule of %s", rule, rules[rule][0])
		}
		if !slices.ContainsFunc(rules[rule], func(place string) bool { return len(valuesAt(full.Object, place)) > 0 }) {
			t.Errorf("nothing accepted has a value for %q at %s", rule, rules[rule])
		}
	}
}

// rulesIn returns the words in which each rule below a schema refuses, with the places that have the rule, such as
// spec.routes.[].path. A name in a map is [], too.
func rulesIn(at string, schema apiextensionsv1.JSONSchemaProps) map[string][]string {
	found := map[string][]string{}
	for _, rule := range schema.XValidations {
		words := rule.Message
		if words == "" {
			words = "failed rule: " + rule.Rule
		}
		found[": "+words] = append(found[": "+words], at)
	}
	if schema.Pattern != "" {
		words := "should match '" + schema.Pattern + "'"
		found[words] = append(found[words], at)
	}
	below := func(name string, schema *apiextensionsv1.JSONSchemaProps) {
		for words, places := range rulesIn(strings.TrimPrefix(at+"."+name, "."), *schema) {
			found[words] = append(found[words], places...)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(schema.Properties)) {
		property := schema.Properties[name]
		below(name, &property)
	}
	if schema.Items != nil {
		below("[]", schema.Items.Schema)
	}
	if schema.AdditionalProperties != nil && schema.AdditionalProperties.Schema != nil {
		below("[]", schema.AdditionalProperties.Schema)
	}
	return found
}

// valuesAt returns what a value has at a place.
func valuesAt(value any, place string) []any {
	if place == "" {
		return []any{value}
	}
	name, rest, _ := strings.Cut(place, ".")
	var found []any
	switch in := value.(type) {
	case map[string]any:
		for key, member := range in {
			if name == "[]" || name == key {
				found = append(found, valuesAt(member, rest)...)
			}
		}
	case []any:
		for _, item := range in {
			found = append(found, valuesAt(item, rest)...)
		}
	}
	return found
}

// refusals are the words of the API server for all cases that it is to refuse.
func refusals(t *testing.T) []string {
	t.Helper()
	var said []string
	note := func(err error) {
		if status, ok := errors.AsType[*apierrors.StatusError](err); ok && status.ErrStatus.Details != nil {
			for _, cause := range status.ErrStatus.Details.Causes {
				said = append(said, cause.Message)
			}
		}
	}
	for _, tt := range ruleCases {
		if tt.want != "" {
			object := everyField(t)
			put(object, tt.path, asJSON(tt.value))
			note(dryRun(t, object))
		}
	}
	for _, tt := range uselessCases() {
		if tt.want != "" {
			note(dryRun(t, tt.set.edited(t)))
		}
	}
	stored := storedForStatus(t, "status-refusals")
	for _, tt := range statusCases {
		note(updateStatus(t, stored, tt))
	}
	delete(stored.Object, "status")
	for _, tt := range serviceChanges {
		edited := stored.DeepCopy()
		for field, value := range tt.set {
			put(edited, "spec.exposure.service."+field, value)
		}
		note(api.Update(t.Context(), edited, client.DryRunAll))
	}
	return said
}
