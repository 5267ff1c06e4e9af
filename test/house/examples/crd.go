package main

import (
	"reflect"
	"strings"

	"sigs.k8s.io/yaml"

	"github.com/llmservice/llmservice/api/v1alpha1"
)

// describe puts the examples into the descriptions of a CRD's fields, where kubectl explain shows them.
func (c catalogue) describe(crd []byte) ([]byte, error) {
	var whole object
	if err := yaml.Unmarshal(crd, &whole); err != nil {
		return nil, err
	}
	spec, err := specOf(whole)
	if err != nil {
		return nil, err
	}
	examples := c.examples()
	put := func(owners []string, name string, field object, _ any) {
		for _, owner := range owners {
			if example, ok := examples[owner+"."+name]; ok && field != nil {
				field["description"] = described(field["description"], example)
				return
			}
		}
	}
	found(put).visit([]string{"LLMServiceSpec"}, reflect.TypeFor[v1alpha1.LLMServiceSpec](), spec, nil)
	return yaml.Marshal(whole)
}

// described is a description with an example: on the same line if there is just one, since a CRD has those in little room.
func described(description any, example string) string {
	text, _ := description.(string)
	if text == "" {
		return "Example: " + example
	}
	if strings.Contains(text, "\n") {
		return text + "\nExample: " + example
	}
	return text + " Example: " + example
}
