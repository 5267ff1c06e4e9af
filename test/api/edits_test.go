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

	"github.com/llmservice/llmservice/api/v1alpha1"
)

// fieldEdit is a change of one field; missing as a value removes it.
type fieldEdit struct {
	path  string
	value any
}

func (e fieldEdit) String() string { return fmt.Sprintf("%s = %.100v", e.path, e.value) }

// sampleField is a field of the schema, where the sample has it.
type sampleField struct {
	path   string
	schema apiextensionsv1.JSONSchemaProps
	value  any
}

// specFields are all fields of the spec, leaves and what is around them, each in the first place where the sample has it.
func specFields(t *testing.T, full *unstructured.Unstructured) []sampleField {
	t.Helper()
	root := definitionSchema(t)
	var all []sampleField
	seen := map[string]bool{}
	for _, path := range paths(full.Object) {
		place := anyIndex.ReplaceAllString(path, "[]")
		if !strings.HasPrefix(path, "spec.") || seen[place] {
			continue
		}
		if schema, ok := schemaAt(root, path); ok {
			seen[place] = true
			all = append(all, sampleField{path, schema, at(full, path)})
		}
	}
	return all
}

// schemaAt is false within values of any form.
func schemaAt(schema apiextensionsv1.JSONSchemaProps, path string) (apiextensionsv1.JSONSchemaProps, bool) {
	for _, name := range step.FindAllString(path, -1) {
		property, named := schema.Properties[name]
		switch {
		case named:
			schema = property
		case schema.Items != nil:
			schema = *schema.Items.Schema
		case schema.AdditionalProperties != nil:
			schema = *schema.AdditionalProperties.Schema
		default:
			return schema, false
		}
	}
	return schema, true
}

// edits are the values to try of a field: those at its bounds and beyond them, of other types, and none.
func (f sampleField) edits() []fieldEdit {
	values := []any{missing, nil}
	switch {
	case f.schema.XIntOrString:
		values = append(values, quantities...)
	case f.schema.XPreserveUnknownFields != nil && *f.schema.XPreserveUnknownFields:
		values = append(values, anyForms...)
	case f.schema.Type == "integer":
		values = append(values, integersAround(f.schema)...)
	case f.schema.Type == "string":
		values = append(values, stringsAround(f.schema)...)
	case f.schema.Type == "boolean":
		values = append(values, true, false, "yes")
	case f.schema.Type == "array":
		values = append(values, listsAround(f.schema, f.value)...)
	case f.schema.Type == "object":
		values = append(values, objectsAround(f.schema)...)
	}
	all := make([]fieldEdit, len(values))
	for i, value := range values {
		all[i] = fieldEdit{f.path, value}
	}
	return all
}

var (
	quantities = []any{
		int64(0), int64(1), int64(2), "", "-1", "0", "1m", "9m", "10m", "128m", "250100u", "0.05", "0.5", "1", "1.5", "1000", "1001",
		"1Ki", "16Mi", "17Mi", "63Mi", "64Mi", "1.0000001Mi", "1.5Gi", "64Ti", "1e1.5", "1E99", "NaN", "Auto", strings.Repeat("0", 40) + "1",
	}
	anyForms = []any{
		"", "text", "${nothing}", "${", int64(1), 1.5, true,
		[]any{},
		[]any{nil},
		map[string]any{},
		map[string]any{"a": nil},
		map[string]any{"type": "nonsense"},
		map[string]any{"$ref": "#/nowhere"},
		map[string]any{"type": []any{"string", int64(1)}},
		map[string]any{"type": "string", "pattern": "("},
		nested(70),
	}
)

// nested is an object within objects.
func nested(levels int) any {
	if levels == 0 {
		return int64(1)
	}
	return map[string]any{"properties": map[string]any{"a": nested(levels - 1)}}
}

func integersAround(s apiextensionsv1.JSONSchemaProps) []any {
	values := []any{int64(0), int64(1), "1", 1.5, int64(1) << 31}
	if s.Minimum != nil {
		values = append(values, int64(*s.Minimum), int64(*s.Minimum)-1)
	}
	if s.Maximum != nil {
		values = append(values, int64(*s.Maximum), int64(*s.Maximum)+1)
	}
	return values
}

func stringsAround(s apiextensionsv1.JSONSchemaProps) []any {
	values := []any{"", "x", "X", "/", "/x", "${request.body}", "${", "a::b", "a\x00b", "ü", int64(1)}
	for _, one := range s.Enum {
		var value any
		if err := json.Unmarshal(one.Raw, &value); err == nil {
			values = append(values, value)
		}
	}
	if s.MaxLength != nil {
		for _, first := range []string{"", "/", "http://"} {
			for _, n := range []int{int(*s.MaxLength), int(*s.MaxLength) + 1} {
				if n > len(first) {
					values = append(values, first+letters(n-len(first)))
				}
			}
		}
	}
	if s.Pattern == v1alpha1.DurationPattern {
		values = append(values, "1ms", "1s", "24h", "24h1ms", "0s", "1d")
	}
	return values
}

func listsAround(s apiextensionsv1.JSONSchemaProps, value any) []any {
	list := value.([]any)
	values := []any{[]any{}, "x", append(slices.Clone(list), list[0])}
	if s.MaxItems != nil {
		for _, n := range []int{int(*s.MaxItems), int(*s.MaxItems) + 1} {
			values = append(values, times(n, func(i int) any { return renamed(list[i%len(list)], i) }))
		}
	}
	return append(values, list[:1])
}

// renamed is a copy of an item of a list that is keyed by names or paths, with another one.
func renamed(item any, i int) any {
	switch item := item.(type) {
	case map[string]any:
		other := maps.Clone(item)
		for _, key := range []string{"name", "path"} {
			if name, ok := other[key].(string); ok {
				other[key] = name + strconv.Itoa(i)
			}
		}
		return other
	case string:
		return item + strconv.Itoa(i)
	case int64:
		return item + int64(i)
	}
	return item
}

func objectsAround(s apiextensionsv1.JSONSchemaProps) []any {
	values := []any{map[string]any{}, "x", map[string]any{"unknown": int64(1)}}
	if s.MaxProperties != nil {
		values = append(values, members(int(*s.MaxProperties)), members(int(*s.MaxProperties)+1))
	}
	return values
}
