package api

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/json"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"
)

// fromYAML reads an object as the API server would, so that integers stay integers.
func fromYAML(t *testing.T, text []byte) *unstructured.Unstructured {
	t.Helper()
	encoded, err := yaml.YAMLToJSONStrict(text)
	if err != nil {
		t.Fatal(err)
	}
	object := &unstructured.Unstructured{}
	if err := json.Unmarshal(encoded, &object.Object); err != nil {
		t.Fatal(err)
	}
	object.SetNamespace(metav1.NamespaceDefault)
	return object
}

func everyField(t *testing.T) *unstructured.Unstructured {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", "every-field.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	return fromYAML(t, text)
}

// minimal is the smallest service that the API accepts.
func minimal(t *testing.T, name string) *unstructured.Unstructured {
	t.Helper()
	return fromYAML(t, fmt.Appendf(nil, `
apiVersion: serving.llmservice.dev/v1alpha1
kind: LLMService
metadata: {name: %s}
spec: {}
`, name))
}

func createNamespace(t *testing.T, name string, labels map[string]string) {
	t.Helper()
	namespace := &corev1.Namespace{}
	namespace.Name, namespace.Labels = name, labels
	if err := api.Create(t.Context(), namespace); err != nil {
		t.Fatal(err)
	}
}

// create creates the object and deletes it when the test ends.
func create(t *testing.T, object client.Object) error {
	t.Helper()
	err := api.Create(t.Context(), object, client.FieldValidation(metav1.FieldValidationStrict))
	if err != nil {
		return err
	}
	t.Cleanup(func() {
		if err := api.Delete(ctxAfter(t), object); err != nil {
			t.Errorf("delete %s: %v", object.GetName(), err)
		}
	})
	return nil
}

// dryRun has the API server check the object without storing it.
func dryRun(t *testing.T, object *unstructured.Unstructured) error {
	t.Helper()
	return api.Create(t.Context(), object, client.DryRunAll, client.FieldValidation(metav1.FieldValidationStrict))
}

var (
	step     = regexp.MustCompile(`[^.\[\]]+`)
	anyIndex = regexp.MustCompile(`\[\d+\]`)
)

// put sets the value at a path such as spec.routes[0].path; missing removes what is there. Objects on the way are made
// if there are none.
func put(object *unstructured.Unstructured, path string, value any) {
	steps := step.FindAllString(path, -1)
	object.Object = putAt(object.Object, steps, value).(map[string]any)
}

type absent struct{}

// missing as a value removes.
var missing absent

func putAt(in any, steps []string, value any) any {
	if len(steps) == 0 {
		return value
	}
	if list, ok := in.([]any); ok {
		i, err := strconv.Atoi(steps[0])
		if err != nil {
			panic("not an index: " + steps[0])
		}
		list[i] = putAt(list[i], steps[1:], value)
		return list
	}
	members, ok := in.(map[string]any)
	if !ok {
		members = map[string]any{}
	}
	if next := putAt(members[steps[0]], steps[1:], value); next == any(missing) {
		delete(members, steps[0])
	} else {
		members[steps[0]] = next
	}
	return members
}

// at returns what put would replace: nil where the way ends before.
func at(object *unstructured.Unstructured, path string) any {
	var value any = object.Object
	for _, step := range step.FindAllString(path, -1) {
		switch in := value.(type) {
		case []any:
			i, err := strconv.Atoi(step)
			if err != nil {
				panic("not an index: " + step)
			}
			if i >= len(in) {
				return nil
			}
			value = in[i]
		case map[string]any:
			value = in[step]
		default:
			return nil
		}
	}
	return value
}

// times returns so many values, each made from its index.
func times(n int, of func(i int) any) []any {
	list := make([]any, n)
	for i := range list {
		list[i] = of(i)
	}
	return list
}

func letters(n int) string { return strings.Repeat("a", n) }

func setCookie(i int) any { return map[string]any{"name": "c" + strconv.Itoa(i)} }

// numbered is a map of n labels.
func numbered(n int) map[string]any {
	labels := make(map[string]any, n)
	for i := range n {
		labels["l"+strconv.Itoa(i)] = "v"
	}
	return labels
}

func dependency(i int) any {
	return map[string]any{"name": "d" + strconv.Itoa(i), "function": "retrieve", "input": map[string]any{"q": "x"}}
}

// reading is a dependency of the service with n parameters in a place.
func reading(in string, n int) any {
	return map[string]any{"name": "d", "function": "retrieve", "parameters": times(n, func(i int) any {
		return map[string]any{"name": "p" + strconv.Itoa(i), "in": in}
	})}
}

// refusing are the steps of a function that refuses.
func refusing(respond map[string]any) []any {
	return []any{chatStep(0), map[string]any{"name": "refused", "when": "${true}", "respond": respond}}
}
