package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"

	"sigs.k8s.io/yaml"

	"github.com/llmservice/llmservice/api/v1alpha1"
)

// longest is the length, in bytes, up to which an example is preferred to a shorter one.
const longest = 72

// catalogue has the fields of the spec that hold values, by TYPE.FIELD, with the values that manifests have for them.
type catalogue map[string][]any

// files are the manifests in the order in which their values are preferred.
func files(root string) ([]string, error) {
	samples, err := filepath.Glob(filepath.Join(root, "config/samples/*.yaml"))
	samples = slices.DeleteFunc(samples, func(f string) bool { return filepath.Base(f) == "kustomization.yaml" })
	return append(samples, filepath.Join(root, everyField)), err
}

// collect reads all manifests.
func collect(root string) (catalogue, error) {
	all, err := files(root)
	if err != nil {
		return nil, err
	}
	schema, err := specSchema(root)
	if err != nil {
		return nil, err
	}
	c := catalogue{}
	for _, file := range all {
		var m struct {
			Spec map[string]any `json:"spec"`
		}
		if err := read(file, &m); err != nil {
			return nil, err
		}
		found(c.take).visit([]string{"LLMServiceSpec"}, reflect.TypeFor[v1alpha1.LLMServiceSpec](), schema, m.Spec)
	}
	return c, nil
}

func (c catalogue) take(owners []string, name string, _ object, given any) {
	for _, owner := range owners {
		key := owner + "." + name
		values := c[key]
		if given != nil {
			values = append(values, given)
		}
		c[key] = values
	}
}

func read(file string, into any) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	if err := yaml.Unmarshal(text, into); err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	return nil
}

// object is a mapping of YAML.
type object = map[string]any

// specSchema is the schema of the spec in the CRD.
func specSchema(root string) (object, error) {
	var crd object
	if err := read(filepath.Join(root, "config/crd/bases/serving.llmservice.dev_llmservices.yaml"), &crd); err != nil {
		return nil, err
	}
	return specOf(crd)
}

// specOf is the part of a CRD that is the schema of its first version's spec.
func specOf(crd object) (object, error) {
	part, _ := crd["spec"].(object)
	versions, _ := part["versions"].([]any)
	if len(versions) == 0 {
		return nil, errors.New("the CRD has no version")
	}
	part, _ = versions[0].(object)
	for _, name := range []string{"schema", "openAPIV3Schema", "properties", "spec"} {
		part, _ = part[name].(object)
	}
	return part, nil
}

// found is what is done with a field that holds a value: with the names of its owners, its name, its schema, and what a manifest
// has there, nil if nothing.
type found func(owners []string, name string, schema object, given any)

// visit finds the fields of a struct, of which value has some. The reference has them under the names of all owners: those of a
// type that is embedded are the fields of the type around it, too.
func (do found) visit(owners []string, t reflect.Type, schema object, value object) {
	for f := range t.Fields() {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		if f.Anonymous && name == "" {
			do.visit(append(slices.Clip(owners), f.Type.Name()), f.Type, schema, value)
			continue
		}
		properties, _ := schema["properties"].(object)
		of, _ := properties[name].(object)
		if inner, items := element(f.Type, of); isOurs(inner) {
			do.visitAll(inner, items, value[name])
		} else if !isListed(of) {
			do(owners, name, of, value[name])
		}
	}
}

// visitAll visits one object, or each of several; and the type alone if there is none.
func (do found) visitAll(t reflect.Type, schema object, value any) {
	owners := []string{t.Name()}
	switch value := value.(type) {
	case []any:
		for _, item := range value {
			one, _ := item.(object)
			do.visit(owners, t, schema, one)
		}
	case object:
		do.visit(owners, t, schema, value)
	default:
		do.visit(owners, t, schema, nil)
	}
}

// element is the type of a field, or of the items of a list, with its schema.
func element(t reflect.Type, schema object) (reflect.Type, object) {
	for {
		switch t.Kind() {
		case reflect.Pointer:
			t = t.Elem()
		case reflect.Slice:
			t = t.Elem()
			schema, _ = schema["items"].(object)
		default:
			return t, schema
		}
	}
}

// isOurs reports whether a type is a struct whose fields are described one by one.
func isOurs(t reflect.Type) bool {
	api := reflect.TypeFor[v1alpha1.LLMService]().PkgPath()
	return t.Kind() == reflect.Struct && t.PkgPath() == api && t != reflect.TypeFor[v1alpha1.JSON]()
}

// isListed reports whether the reference lists all values of a field: true and false, or those of an enum.
func isListed(schema object) bool {
	items, _ := schema["items"].(object)
	return schema["type"] == "boolean" || schema["enum"] != nil || items["enum"] != nil
}

// examples are the values as they stand in a manifest: for each field the first that is not long, or the shortest. Fields without a
// value are left out.
func (c catalogue) examples() map[string]string {
	all := map[string]string{}
	for field, values := range c {
		var best string
		for _, v := range values {
			text := flow(v)
			if best == "" || len(best) > longest && len(text) < len(best) {
				best = text
			}
		}
		if best != "" {
			all[field] = best
		}
	}
	return all
}
