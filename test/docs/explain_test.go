package docs_test

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"sigs.k8s.io/yaml"

	"github.com/llmservice/llmservice/api/v1alpha1"
	"github.com/llmservice/llmservice/config/crd"
)

// eachDescription walks what kubectl explain shows.
func eachDescription(t *testing.T, visit func(path string, schema *apiextensionsv1.JSONSchemaProps)) {
	t.Helper()
	var definition apiextensionsv1.CustomResourceDefinition
	if err := yaml.Unmarshal(crd.LLMServices, &definition); err != nil {
		t.Fatal(err)
	}
	var walk func(path string, schema *apiextensionsv1.JSONSchemaProps)
	walk = func(path string, schema *apiextensionsv1.JSONSchemaProps) {
		visit(path, schema)
		for name, property := range schema.Properties {
			walk(strings.TrimPrefix(path+"."+name, "."), &property)
		}
		if schema.Items != nil {
			walk(path+"[]", schema.Items.Schema)
		}
		if schema.AdditionalProperties != nil && schema.AdditionalProperties.Schema != nil {
			walk(path+"{}", schema.AdditionalProperties.Schema)
		}
	}
	walk("", definition.Spec.Versions[0].Schema.OpenAPIV3Schema)
}

var (
	declared = regexp.MustCompile(`(?m)^type (\w+) `)
	// compound is a name that is not a word of English, such as HTTPUpstream or StepBase.
	compound = regexp.MustCompile(`^[A-Z]+[a-z]+[A-Z]|^[A-Z]{2,}[a-z]`)
	goFile   = regexp.MustCompile(`\w\.go\b`)
	// goPath is a path of packages; a group and its version may be named.
	goPath = regexp.MustCompile(`github\.com|k8s\.io|\b(?:api|runtime|controllers|pkg|cmd|internal)/\w|\b(?:metav1|corev1|intstr|resource|v1alpha1)\.`)
	word   = regexp.MustCompile(`\w+`)
)

// People who ask kubectl explain know no Go.
func TestDescriptionsKnowNoGo(t *testing.T) {
	foreign := []string{"IntOrString", "HPAScalingRules", "HPAScalingPolicy", "HorizontalPodAutoscalerBehavior"}
	for _, text := range matching(t, "api/v1alpha1/*.go") {
		for _, m := range declared.FindAllStringSubmatch(text, -1) {
			if compound.MatchString(m[1]) && m[1] != v1alpha1.Kind {
				foreign = append(foreign, m[1])
			}
		}
	}
	if len(foreign) < 20 {
		t.Errorf("the types are %v: the test tests nothing", foreign)
	}
	eachDescription(t, func(path string, schema *apiextensionsv1.JSONSchemaProps) {
		if path == "apiVersion" || path == "kind" {
			return // these words are Kubernetes' own
		}
		said, _, _ := strings.Cut(schema.Description, "Example: ") // which is a value of the field
		for _, pattern := range []*regexp.Regexp{goFile, goPath} {
			if found := pattern.FindString(said); found != "" {
				t.Errorf("%s: %q is Go's: %s", path, found, schema.Description)
			}
		}
		for _, name := range word.FindAllString(said, -1) {
			if slices.Contains(foreign, name) {
				t.Errorf("%s: %s is a type of Go's: %s", path, name, schema.Description)
			}
		}
	})
}

// The description of a field of the spec says what may be written: the bounds, the values of a choice, the default, and
// what a duration looks like.
func TestDescriptionsSayWhatIsAllowed(t *testing.T) {
	checked := 0
	eachDescription(t, func(path string, schema *apiextensionsv1.JSONSchemaProps) {
		if !strings.HasPrefix(path, "spec.") || strings.HasSuffix(path, "[]") || schema.XPreserveUnknownFields != nil {
			return
		}
		for _, want := range allowed(schema) {
			checked++
			if !mentions(schema.Description, want) {
				t.Errorf("%s does not say %s: %s", path, want, schema.Description)
			}
		}
	})
	if checked < 400 {
		t.Errorf("%d things are checked: the test tests nothing", checked)
	}
}

// allowed lists what a description has to mention.
func allowed(schema *apiextensionsv1.JSONSchemaProps) []string {
	var want []string
	if schema.Default != nil && string(schema.Default.Raw) != "{}" {
		want = append(want, "Default")
	}
	for _, choice := range schema.Enum {
		var text string
		if json.Unmarshal(choice.Raw, &text) == nil {
			want = append(want, text)
		}
	}
	for _, bound := range []*float64{schema.Minimum, schema.Maximum} {
		if bound != nil {
			want = append(want, fmt.Sprint(int64(*bound)))
		}
	}
	if schema.MaxItems != nil {
		want = append(want, strconv.FormatInt(*schema.MaxItems, 10))
	}
	switch {
	case schema.Pattern == v1alpha1.DurationPattern:
		want = append(want, "a duration")
	case schema.MaxLength != nil && len(schema.Enum) == 0:
		want = append(want, strconv.FormatInt(*schema.MaxLength, 10)+" characters")
	}
	return want
}

var aDuration = regexp.MustCompile(`\b\d+(ms|s|m|h)\b`)

func mentions(description, want string) bool {
	if want == "a duration" {
		return aDuration.MatchString(description)
	}
	if length, isLength := strings.CutSuffix(want, " characters"); isLength {
		// The name of something is as long as that may be called.
		if strings.Contains(description, "is the name of") {
			return true
		}
		want = length
	}
	return regexp.MustCompile(`\b` + regexp.QuoteMeta(want) + `\b`).MatchString(description)
}
