package api

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/llmservice/llmservice/api/v1alpha1"
	"github.com/llmservice/llmservice/config/crd"
)

// Values that some schema lets through and some Go type cannot hold. Those of another kind than the field's are tried
// everywhere, the rest where they could pass.
var (
	otherKinds = []any{
		"1", int64(1), 1.0, 1.5, true, nil, map[string]any{}, map[string]any{"a": 1.5}, []any{}, []any{nil}, []any{map[string]any{}},
	}
	hostileStrings = []any{
		"", "-1", "1.5", "1d", "1e1.5", "1e3", "1E99", "0x10", "1Ki", "1_000", ".5", "5.", "+1", "NaN", "9999999999999999999999999999",
		"0s", "00000h", "1h1", "1mm", "99999h", "1h99999m99999s99999ms", "1us", "1µs", "1.5h", "Auto", "True", "null", "\x00", "\u2028",
		"2026-11-22T21:59:00Z", "2026-11-22t21:59:00z", "2026-11-22T21:59:00", "2026-11-22T21:59:00x1Z", "2026-11-22T21:59:60Z",
		"2026-02-30T00:00:00Z", "0001-01-01T00:00:00Z", "2026-11-22T21:59:00+99:99",
	}
	hostileNumbers = []any{
		int64(0), int64(-1), int64(64), int64(1) << 31, int64(1) << 40, int64(-1) << 40, int64(1)<<62 + 1, 1e3, 1e300,
	}
)

func hostileTo(value any) []any {
	switch value.(type) {
	case string:
		return slices.Concat(otherKinds, hostileStrings, hostileNumbers) // a quantity may be either
	case int64, float64:
		return slices.Concat(otherKinds, hostileNumbers)
	default:
		return otherKinds
	}
}

// One stored object that a typed client cannot decode breaks every LIST of it, also in other tenants' hands. So
// whatever the API accepts, of any field and of status too, must come back from a typed LIST.
func TestAcceptedObjectsDecode(t *testing.T) {
	const namespace = "hostile"
	createNamespace(t, namespace, nil)
	stored := 0
	full, schema, tried := everyField(t), definitionSchema(t), map[string]bool{}
	for _, path := range paths(full.Object) {
		field := identity(t, schema, path, at(full, path))
		if tried[field] {
			continue
		}
		tried[field] = true
		small, path := onlyAround(full, path)
		for _, value := range hostileTo(at(small, path)) {
			object := small.DeepCopy()
			object.SetNamespace(namespace)
			object.SetName("hostile-" + strconv.Itoa(stored))
			if store(t, object, path, value) {
				stored++
			}
		}
	}
	if stored < 100 {
		t.Errorf("the API accepted %d values only: the test tests nothing", stored)
	}
	var list v1alpha1.LLMServiceList
	if err := api.List(t.Context(), &list, client.InNamespace(namespace)); err != nil {
		t.Errorf("a typed LIST of %d accepted objects: %v", stored, err)
		nameCulprits(t)
	}
	if len(list.Items) != stored {
		t.Errorf("LIST has %d objects, %d were stored", len(list.Items), stored)
	}
}

// identity is equal for what one Go field describes in several places of the schema, such as the kinds of a step: it is
// tried in the first of them.
func identity(t *testing.T, schema apiextensionsv1.JSONSchemaProps, path string, value any) string {
	t.Helper()
	steps := step.FindAllString(path, -1)
	for len(steps) > 0 {
		if property, found := schema.Properties[steps[0]]; found {
			schema = property
		} else if schema.Items != nil {
			schema = *schema.Items.Schema
		} else {
			break // within a value of any form
		}
		steps = steps[1:]
	}
	encoded, err := json.Marshal(schema)
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("%s %T %s", steps, value, encoded)
}

// onlyAround returns a copy that lacks what the path does not lead to, and the path there: a small object is checked
// faster.
func onlyAround(object *unstructured.Unstructured, path string) (*unstructured.Unstructured, string) {
	small := object.DeepCopy()
	steps := step.FindAllString(path, -1)
	for _, half := range []string{"spec", "status"} {
		members := small.Object[half].(map[string]any)
		for key := range members {
			if half != steps[0] || len(steps) > 1 && key != steps[1] {
				delete(members, key)
			}
		}
	}
	for i := 1; i < len(steps); i++ {
		around := strings.Join(steps[:i], ".")
		list, ok := at(small, around).([]any)
		if !ok || steps[i-1] == "branches" { // of which there are at least two
			continue
		}
		index, err := strconv.Atoi(steps[i])
		if err != nil {
			panic("not an index: " + steps[i])
		}
		put(small, around, list[index:index+1])
		steps[i] = "0"
	}
	return small, strings.Join(steps, ".")
}

// store stores the object with a value at the path, and reports whether the API took it. Status has its own endpoint.
func store(t *testing.T, object *unstructured.Unstructured, path string, value any) bool {
	t.Helper()
	if strings.HasPrefix(path, "spec") {
		put(object, path, value)
		return api.Create(t.Context(), object) == nil
	}
	status := at(object, "status")
	if err := api.Create(t.Context(), object); err != nil {
		t.Fatal(err)
	}
	put(object, "status", status)
	put(object, path, value)
	if err := api.Status().Update(t.Context(), object); err == nil {
		return true
	}
	if err := api.Delete(t.Context(), object); err != nil {
		t.Fatal(err)
	}
	return false
}

func nameCulprits(t *testing.T) {
	t.Helper()
	list := &unstructured.UnstructuredList{}
	list.SetGroupVersionKind(v1alpha1.GroupVersion.WithKind(v1alpha1.Kind + "List"))
	if err := api.List(t.Context(), list); err != nil {
		t.Fatal(err)
	}
	for _, item := range list.Items {
		var service v1alpha1.LLMService
		if err := runtime.DefaultUnstructuredConverter.FromUnstructured(item.Object, &service); err != nil {
			t.Errorf("%s: %v", item.GetName(), err)
		}
	}
}

// paths lists the paths of all that is in spec and status, objects and lists included.
func paths(object map[string]any) []string {
	var found []string
	var walk func(path string, value any)
	walk = func(path string, value any) {
		found = append(found, path)
		switch value := value.(type) {
		case map[string]any:
			for _, key := range slices.Sorted(maps.Keys(value)) {
				walk(path+"."+key, value[key])
			}
		case []any:
			for i, item := range value {
				walk(fmt.Sprintf("%s[%d]", path, i), item)
			}
		}
	}
	walk("spec", object["spec"])
	walk("status", object["status"])
	return found
}

// A field that the sample lacks would not be tested.
func TestSampleHasEveryField(t *testing.T) {
	schema := definitionSchema(t)
	inSample := map[string]bool{}
	for _, path := range paths(everyField(t).Object) {
		inSample[anyIndex.ReplaceAllString(path, "[]")] = true
	}
	for _, path := range append(fields("spec", schema.Properties["spec"]), fields("status", schema.Properties["status"])...) {
		if !inSample[path] {
			t.Errorf("testdata/every-field.yaml has no %s", path)
		}
	}
}

func definitionSchema(t *testing.T) apiextensionsv1.JSONSchemaProps {
	t.Helper()
	var definition apiextensionsv1.CustomResourceDefinition
	if err := yaml.UnmarshalStrict(crd.LLMServices, &definition); err != nil {
		t.Fatal(err)
	}
	return *definition.Spec.Versions[0].Schema.OpenAPIV3Schema
}

func fields(path string, schema apiextensionsv1.JSONSchemaProps) []string {
	found := []string{path}
	for name, property := range schema.Properties {
		found = append(found, fields(path+"."+name, property)...)
	}
	if schema.Items != nil {
		found = append(found, fields(path+"[]", *schema.Items.Schema)...)
	}
	return found
}
